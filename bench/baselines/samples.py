"""Training samples made as in 2019: the side `bench/data.py` compares with.

The steps of "Objects as Points" (arXiv 1904.07850), each over whole arrays in NumPy: mirror the
image, warp it, jitter its colours in float32 one after another, normalise, transpose; then one
gaussian after another pasted into the heat map.
"""

from __future__ import annotations

import cv2
import numpy as np
from numpy.typing import NDArray

from centernet.datasets.colour import COLOUR_VALUES, COLOUR_VECTORS
from centernet.geometry.affine import affine
from centernet.geometry.view import View

Array = NDArray[np.float32]


def jitter(image: Array, order: list[int], alphas: list[float], noise: Array) -> None:
    """Brightness, contrast and saturation (steps 0, 1, 2) in `order`, then lighting, in place."""
    grey = cv2.cvtColor(image, cv2.COLOR_BGR2GRAY)
    mean = grey.mean()
    for step, alpha in zip(order, alphas, strict=True):
        image *= alpha
        if step == 1:
            image += mean * (1 - alpha)
        elif step == 2:
            image += (grey * (1 - alpha))[:, :, None]
    image += np.dot(COLOUR_VECTORS, COLOUR_VALUES * noise).astype(np.float32)


def radius_of(height: float, width: float, overlap: float = 0.7) -> float:
    """CornerNet's radius in the form of the published training code."""
    total = height + width
    b, c = total, width * height * (1 - overlap) / (1 + overlap)
    first = (b + np.sqrt(b**2 - 4 * c)) / 2
    b, c = 2 * total, (1 - overlap) * width * height
    second = (b + np.sqrt(b**2 - 16 * c)) / 2
    a, b, c = 4 * overlap, -2 * overlap * total, (overlap - 1) * width * height
    third = (b + np.sqrt(b**2 - 4 * a * c)) / 2
    return min(first, second, third)


def paste_gaussian(heat: Array, x: int, y: int, radius: int) -> None:
    """The highest of `heat` (H, W) and a gaussian around (x, y), cut at `radius`."""
    sigma = (2 * radius + 1) / 6
    rows, columns = np.ogrid[-radius : radius + 1, -radius : radius + 1]
    bell = np.exp(-(columns * columns + rows * rows) / (2 * sigma * sigma))
    bell[bell < np.finfo(bell.dtype).eps * bell.max()] = 0
    height, width = heat.shape
    left, right = min(x, radius), min(width - x, radius + 1)
    top, bottom = min(y, radius), min(height - y, radius + 1)
    window = heat[y - top : y + bottom, x - left : x + right]
    part = bell[radius - top : radius + bottom, radius - left : radius + right]
    np.maximum(window, part, out=window)


def moved(point: Array, matrix: NDArray[np.float64]) -> Array:
    """One point through a (2, 3) matrix."""
    return np.dot(matrix, np.array([point[0], point[1], 1.0], np.float32))[:2]


def targets(
    boxes: Array, classes: NDArray[np.int64], view: View, count: int, rows: int, size: tuple
) -> dict[str, NDArray]:
    """Heat map (count, h, w) and rows of boxes (N, 4) in image pixels seen through `view`."""
    height, width = size
    matrix = affine(view.center, view.scale, view.rotation, (width, height))
    heat = np.zeros((count, height, width), np.float32)
    wh, reg = np.zeros((rows, 2), np.float32), np.zeros((rows, 2), np.float32)
    ind, mask = np.zeros(rows, np.int64), np.zeros(rows, np.uint8)
    for n in range(min(len(boxes), rows)):
        box = boxes[n].copy()
        if view.mirror is not None:
            box[[0, 2]] = view.mirror - box[[2, 0]] - 1
        box[:2], box[2:] = moved(box[:2], matrix), moved(box[2:], matrix)
        box[[0, 2]] = np.clip(box[[0, 2]], 0, width - 1)
        box[[1, 3]] = np.clip(box[[1, 3]], 0, height - 1)
        h, w = box[3] - box[1], box[2] - box[0]
        if h <= 0 or w <= 0:
            continue
        radius = max(0, int(radius_of(np.ceil(h), np.ceil(w))))
        centre = np.array([(box[0] + box[2]) / 2, (box[1] + box[3]) / 2], np.float32)
        whole = centre.astype(np.int32)
        paste_gaussian(heat[classes[n]], whole[0], whole[1], radius)
        wh[n], reg[n] = (w, h), centre - whole
        ind[n], mask[n] = whole[1] * width + whole[0], 1
    return {"hm": heat, "reg_mask": mask, "ind": ind, "wh": wh, "reg": reg}


def picture(
    path: str, view: View, size: tuple[int, int], mean: Array, std: Array, colour: tuple | None
) -> Array:
    """The network's input (3, h, w) of an image file; `colour` are the arguments of `jitter`."""
    image = cv2.imread(path)
    if view.mirror is not None:
        image = image[:, ::-1, :]
    matrix = affine(view.center, view.scale, view.rotation, (size[1], size[0]))
    image = cv2.warpAffine(image, matrix, (size[1], size[0]), flags=cv2.INTER_LINEAR)
    image = image.astype(np.float32) / 255.0
    if colour is not None:
        jitter(image, *colour)
    image = (image - mean) / std
    return image.transpose(2, 0, 1)
