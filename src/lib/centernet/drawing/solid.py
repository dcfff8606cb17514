"""Images of 3D boxes: in the camera image and seen from above.

The camera frame is KITTI's: x right, y down, z forward, metres. A cuboid stands on its location,
turned by `rotation` about the y axis; dimensions are height, width, length.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import cv2
import numpy as np

from centernet.drawing.palette import BGR, BLACK, WHITE
from centernet.geometry.cuboids import EDGES, NEAR, corners, project

if TYPE_CHECKING:
    from centernet.structures.objects import Cuboids

_SHIFT = 4  # OpenCV draws in sixteenths of a pixel
_FAR = 1 << 15

_FRONT_CROSS = ((0, 5), (1, 4))


def cuboid_corners(cuboids: Cuboids) -> np.ndarray:
    """(N, 8, 3) corners: the bottom face (front first), then the top face in the same order."""
    return corners(cuboids.dimensions, cuboids.locations, cuboids.rotations)


def draw_cuboids(
    image: np.ndarray,
    cuboids: Cuboids,
    calibration: np.ndarray,
    colours: Sequence[BGR],
    width: int = 2,
) -> np.ndarray:
    """The edges of each cuboid in the camera image; a cross marks the side that faces forward.

    Edges are cut where they pass behind the camera. The farthest cuboid is drawn first.
    """
    canvas = image.copy()
    solids = cuboid_corners(cuboids)
    for row in np.argsort(-cuboids.locations[:, 2], kind="stable"):
        for ends in EDGES:
            _draw_edge(canvas, solids[row, ends], calibration, BLACK, width + 2)
        for ends in EDGES:
            _draw_edge(canvas, solids[row, ends], calibration, colours[row], width)
        for ends in _FRONT_CROSS:
            _draw_edge(canvas, solids[row, ends], calibration, colours[row], max(1, width // 2))
    return canvas


def _draw_edge(
    canvas: np.ndarray, ends: np.ndarray, calibration: np.ndarray, ink: BGR, width: int
) -> None:
    near, far = sorted(ends, key=lambda end: end[2])
    if far[2] <= NEAR:
        return
    if near[2] < NEAR:
        near = near + (far - near) * (NEAR - near[2]) / (far[2] - near[2])
    pixels = np.clip(project(np.stack([near, far]), calibration), -_FAR, _FAR)
    start, end = np.round(pixels * (1 << _SHIFT)).astype(int).tolist()
    cv2.line(canvas, start, end, ink, width, cv2.LINE_AA, _SHIFT)


def birds_eye(
    cuboids: Cuboids,
    colours: Sequence[BGR],
    size: int = 480,
    reach: float = 60.0,
    theme: str = "white",
) -> np.ndarray:
    """A square image from above: the camera at the bottom middle, `reach` metres up the image.

    Rings every 10 metres; the line from a cuboid's middle marks its front.
    """
    paper, faint = (WHITE, (200, 200, 200)) if theme == "white" else (BLACK, (80, 80, 80))
    canvas = np.full((size, size, 3), paper, np.uint8)
    scale = size / reach

    def pixel(x: float, z: float) -> tuple[int, int]:
        spot = np.clip(np.nan_to_num([size / 2 + x * scale, size - z * scale]), -_FAR, _FAR)
        return round(spot[0]), round(spot[1])

    for metres in range(10, int(reach) + 1, 10):
        radius = round(metres * scale)
        cv2.circle(canvas, pixel(0, 0), radius, faint, 1, cv2.LINE_AA)
        cv2.putText(canvas, f"{metres} m", (size // 2 + 3, size - radius + 12),
                    cv2.FONT_HERSHEY_SIMPLEX, 0.36, faint, 1, cv2.LINE_AA)  # fmt: skip
    solids = cuboid_corners(cuboids)
    for row, ink in enumerate(colours):
        outline = np.array([pixel(x, z) for x, _, z in solids[row, :4]])
        cv2.polylines(canvas, [outline], True, ink, 2, cv2.LINE_AA)
        (x, _, z), (front_x, _, front_z) = cuboids.locations[row], solids[row, :2].mean(axis=0)
        cv2.line(canvas, pixel(x, z), pixel(front_x, front_z), ink, 2, cv2.LINE_AA)
    return canvas
