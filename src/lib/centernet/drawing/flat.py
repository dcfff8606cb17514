"""Images of what was found. Every function takes an image and returns a new one.

Images are (H, W, 3) uint8 BGR, coordinates are pixels of that image. Line widths and letters grow
with the image, so that a thumbnail and a 20-megapixel photo can both be read.

Themes: "white" draws label plates in the colour of the class and heat maps on white; "black" draws
dark plates with coloured letters and heat maps on black.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, NamedTuple

import cv2
import numpy as np

from centernet.drawing.palette import BGR, BLACK, WHITE, colour, text_on
from centernet.drawing.solid import draw_cuboids

if TYPE_CHECKING:
    from centernet.structures.detections import Detections

THEMES = ("white", "black")
_FONT = cv2.FONT_HERSHEY_SIMPLEX
_FAR = 1 << 15  # OpenCV's drawing overflows beyond 16 bits with anti-aliasing


def draw_detections(
    image: np.ndarray, found: Detections, *, threshold: float = 0.3, theme: str = "white"
) -> np.ndarray:
    """Draw everything `found` holds for objects whose score is above `threshold`."""
    if theme not in THEMES:
        raise ValueError(f"theme must be one of {', '.join(THEMES)}, not {theme!r}")
    found = found.above(threshold)
    found = found.select(np.argsort(found.scores, kind="stable"))  # the best ends on top
    by_identity = found.identities is not None
    keys = found.classes if found.identities is None else found.identities
    colours = [colour(int(key)) for key in keys]
    labels = [
        f"{row.name} {row.score:.2f}" + (f" #{int(key)}" if by_identity else "")
        for row, key in zip(found, keys, strict=True)
    ]
    canvas = image
    if found.masks is not None:
        canvas = draw_masks(canvas, found.masks, colours)
    if solid := found.cuboids is not None and found.calibration is not None:
        canvas = draw_cuboids(canvas, found.cuboids, found.calibration, colours, line_width(image))
    if found.keypoints is not None:
        canvas = draw_keypoints(canvas, found.keypoints, found.skeleton)
    if found.extremes is not None:
        canvas = draw_extremes(canvas, found.extremes, colours)
    # A cuboid's edges already say where the object is; its flat box would only hide them.
    return draw_boxes(canvas, found.boxes, labels, colours, theme, frames=not solid)


def draw_boxes(
    image: np.ndarray,
    boxes: np.ndarray,
    labels: Sequence[str],
    colours: Sequence[BGR],
    theme: str = "white",
    frames: bool = True,
) -> np.ndarray:
    """Rectangles of `boxes` (N, 4: x1 y1 x2 y2), each with a label plate; later ones lie on top.

    All frames come before all plates, so that no line runs through a word, and a plate goes where
    no plate of a later box lies, if there is such a place. Without `frames` only the plates.
    """
    canvas = image.copy()
    width = line_width(image)
    corners = [_pixels(box.reshape(2, 2)) for box in boxes]
    for (low, high), ink in zip(corners, colours, strict=True):
        if frames:
            cv2.rectangle(canvas, low, high, BLACK, width + 2)
            cv2.rectangle(canvas, low, high, ink, width)
    plates: list[Plate] = []
    for (low, high), label, ink in reversed(list(zip(corners, labels, colours, strict=True))):
        if label:
            plates.append(_place(canvas.shape[:2], label, low, high, ink, plates))
    for plate in reversed(plates):
        _draw_plate(canvas, plate, theme)
    return canvas


def draw_keypoints(
    image: np.ndarray,
    keypoints: np.ndarray,
    skeleton: Sequence[tuple[int, int]] = (),
    threshold: float = 0.0,
) -> np.ndarray:
    """Joints (N, J, 3: x y score) as dots and the pairs of `skeleton` as limbs between them.

    A joint whose score is not above `threshold` is left out, with its limbs.
    """
    canvas = image.copy()
    width = line_width(image)
    for joints in keypoints:
        points, seen = _pixels(joints[:, :2]), joints[:, 2] > threshold
        limbs = [
            (a, b, colour(number)) for number, (a, b) in enumerate(skeleton) if seen[a] and seen[b]
        ]
        for a, b, _ in limbs:
            cv2.line(canvas, points[a], points[b], BLACK, width + 2, cv2.LINE_AA)
        for a, b, ink in limbs:
            cv2.line(canvas, points[a], points[b], ink, width, cv2.LINE_AA)
        for number, point in enumerate(points):
            if seen[number]:
                ink = WHITE if skeleton else colour(number)
                _draw_dot(canvas, point, ink, width)
    return canvas


def draw_extremes(image: np.ndarray, extremes: np.ndarray, colours: Sequence[BGR]) -> np.ndarray:
    """The top, left, bottom and right point (N, 4, 2) of each object, joined to a quadrangle."""
    canvas = image.copy()
    width = line_width(image)
    for points, ink in zip(extremes, colours, strict=True):
        pixels = _pixels(points)
        cv2.polylines(canvas, [np.array(pixels)], True, ink, max(1, width // 2), cv2.LINE_AA)
        for pixel in pixels:
            _draw_dot(canvas, pixel, ink, width)
    return canvas


def draw_masks(
    image: np.ndarray, masks: Sequence[Any], colours: Sequence[BGR], strength: float = 0.45
) -> np.ndarray:
    """Tint the pixels of each COCO segmentation (polygons, or a run-length dict)."""
    canvas = image.copy()
    for mask, ink in zip(masks, colours, strict=True):
        inside = np.zeros(image.shape[:2], np.uint8)
        if isinstance(mask, dict):
            from pycocotools import mask as coco_mask

            inside[:] = coco_mask.decode(mask)
        else:
            outlines = [np.array(_pixels(np.reshape(ring, (-1, 2)))) for ring in mask]
            cv2.fillPoly(inside, outlines, 1)
        seen = inside.astype(bool)
        tinted = canvas[seen] * (1 - strength) + np.array(ink) * strength
        canvas[seen] = tinted.astype(np.uint8)
    return canvas


def heat_map(maps: np.ndarray, size: tuple[int, int], theme: str = "white") -> np.ndarray:
    """Colour heat maps (C, h, w) in [0, 1], each class in its colour, enlarged to `size` (H, W).

    Where classes meet the strongest one shows. Returns (H, W, 3) uint8 BGR.
    """
    strength = maps.max(axis=0)[..., None].astype(np.float32)
    inks = np.array([colour(index) for index in range(len(maps))], np.float32)
    ground = 255.0 if theme == "white" else 0.0
    picture = ground + (inks[maps.argmax(axis=0)] - ground) * np.clip(strength, 0, 1)
    enlarged = cv2.resize(picture, (size[1], size[0]), interpolation=cv2.INTER_LINEAR)
    return enlarged.round().astype(np.uint8)


def blend(image: np.ndarray, overlay: np.ndarray, strength: float = 0.55) -> np.ndarray:
    """Mix `strength` of `overlay` with the rest of `image`; both (H, W, 3) uint8."""
    return cv2.addWeighted(image, 1 - strength, overlay, strength, 0)


def line_width(image: np.ndarray) -> int:
    """Width in pixels of a line that is seen but hides little, from the size of the image."""
    return max(1, round(sum(image.shape[:2]) / 2 * 0.003))


class Plate(NamedTuple):
    """A label and the rectangle it is written in."""

    label: str
    left: int
    top: int
    width: int
    height: int
    ink: BGR

    def meets(self, other: Plate) -> bool:
        """Whether the two rectangles have pixels in common."""
        return (
            self.left < other.left + other.width
            and other.left < self.left + self.width
            and self.top < other.top + other.height
            and other.top < self.top + self.height
        )


def _place(
    size: tuple[int, int],
    label: str,
    low: tuple[int, int],
    high: tuple[int, int],
    ink: BGR,
    taken: Sequence[Plate],
) -> Plate:
    """The plate of the box `low`, `high`: above it, in it or below it, always in the image."""
    scale, thick = _letters(size)
    (text_width, text_height), below = cv2.getTextSize(label, _FONT, scale, thick)
    width = text_width + 2 * _margin(text_height)
    height = text_height + below + _margin(text_height)
    right = high[0] - width
    spots = (
        (low[0], low[1] - height),
        (right, low[1] - height),
        (low[0], low[1]),
        (low[0], high[1]),
        (low[0], high[1] - height),
        (right, high[1] - height),
    )
    inside = [(x, y) for x, y in spots if 0 <= y <= size[0] - height] or [(low[0], low[1])]
    plates = [
        Plate(
            label,
            min(max(x, 0), max(size[1] - width, 0)),
            min(max(y, 0), max(size[0] - height, 0)),
            width,
            height,
            ink,
        )
        for x, y in inside
    ]
    free = (plate for plate in plates if not any(plate.meets(other) for other in taken))
    return next(free, plates[0])


def _letters(size: tuple[int, int]) -> tuple[float, int]:
    """Scale and thickness of the letters in an image of `size` (H, W)."""
    scale = max(0.36, min(size) * 0.0011)
    return scale, max(1, round(scale * 1.6))


def _margin(text_height: int) -> int:
    return max(2, round(text_height * 0.25))


def _draw_plate(canvas: np.ndarray, plate: Plate, theme: str) -> None:
    scale, thick = _letters(canvas.shape[:2])
    (_, text_height), _ = cv2.getTextSize(plate.label, _FONT, scale, thick)
    background = BLACK if theme == "black" else plate.ink
    ink = plate.ink if theme == "black" else text_on(plate.ink)
    low, high = (plate.left, plate.top), (plate.left + plate.width, plate.top + plate.height)
    cv2.rectangle(canvas, low, high, background, cv2.FILLED)
    margin = _margin(text_height)
    base = plate.left + margin, plate.top + text_height + margin // 2 + 1
    cv2.putText(canvas, plate.label, base, _FONT, scale, ink, thick, cv2.LINE_AA)


def _draw_dot(canvas: np.ndarray, point: tuple[int, int], ink: BGR, width: int) -> None:
    cv2.circle(canvas, point, width + 2, BLACK, cv2.FILLED, cv2.LINE_AA)
    cv2.circle(canvas, point, width + 1, ink, cv2.FILLED, cv2.LINE_AA)


def _pixels(points: np.ndarray) -> list[tuple[int, int]]:
    """Whole pixels of points (P, 2); one that is not finite or far outside comes to the edge."""
    whole = np.clip(np.nan_to_num(np.asarray(points, np.float64)).round(), -_FAR, _FAR)
    return [(int(x), int(y)) for x, y in whole]
