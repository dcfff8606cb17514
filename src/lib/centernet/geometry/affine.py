"""The one affine map of the project: from a view of the image to the pixels of the network.

Points are (x, y) in pixels, sizes are (width, height) here because OpenCV wants them so.
"""

from __future__ import annotations

from collections.abc import Sequence

import cv2
import numpy as np
from numpy.typing import ArrayLike, NDArray


def affine(
    center: ArrayLike,
    scale: float | Sequence[float] | NDArray,
    rotation: float,
    size_wh: tuple[int, int],
    *,
    inverse: bool = False,
) -> NDArray[np.float64]:
    """Return the (2, 3) matrix from image pixels to a `size_wh` canvas (or back, if `inverse`).

    `center` (x, y) of the image lands on the middle of the canvas; `scale` image pixels (a number,
    or (width, height) of which only the width counts) span the width of the canvas; `rotation` is
    in degrees, counter-clockwise on the screen. The aspect ratio is always kept.

    The three point pairs are rounded to float32 first, as in "Objects as Points" (arXiv
    1904.07850), so that published weights see the very same input pixels.
    """
    up = -0.5 * float(np.asarray(scale, dtype=np.float32).item(0))
    x, y = map(float, center)  # type: ignore[arg-type]
    width, height = size_wh
    angle = np.pi * rotation / 180
    source = _frame_points(x, y, -up * np.sin(angle), up * np.cos(angle))
    target = _frame_points(width * 0.5, height * 0.5, 0.0, width * -0.5)
    pair = (target, source) if inverse else (source, target)
    return np.asarray(cv2.getAffineTransform(*pair), np.float64)


def _frame_points(x: float, y: float, right: float, down: float) -> NDArray[np.float32]:
    """The point (x, y), the one so far from it, and the third corner of the right angle."""
    points = np.array([(x, y), (x + right, y + down), (0, 0)], dtype=np.float32)
    dx, dy = points[0] - points[1]
    points[2] = points[1, 0] - dy, points[1, 1] + dx
    return points


def transform(points: ArrayLike, matrix: NDArray) -> NDArray[np.float32]:
    """Apply an affine `matrix` (2, 3) to `points` (..., 2); returns float32 of the same shape.

    Of matrices (B, 2, 3) each is applied to one of points (B, ..., 2). The last dimension may also
    hold several points in turn, as that of boxes does.
    """
    points = np.asarray(points, dtype=np.float32)
    batch = matrix.shape[:-2]
    count = points[0].size // 2 if batch else points.size // 2
    moved = points.reshape(*batch, count, 2) @ matrix[..., :2].swapaxes(-1, -2)
    moved += matrix[..., None, :, 2]
    return moved.astype(np.float32).reshape(points.shape)
