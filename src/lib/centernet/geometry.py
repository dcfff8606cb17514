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
    span = float(np.atleast_1d(np.asarray(scale, dtype=np.float32))[0])
    width, height = size_wh
    angle = np.pi * rotation / 180
    up = -0.5 * span
    direction = np.array([-up * np.sin(angle), up * np.cos(angle)])
    source = _frame_points(np.asarray(center, dtype=np.float64), direction)
    target = _frame_points(np.array([width * 0.5, height * 0.5]), np.array([0.0, width * -0.5]))
    pair = (target, source) if inverse else (source, target)
    return cv2.getAffineTransform(*pair)


def _frame_points(middle: NDArray, direction: NDArray) -> NDArray[np.float32]:
    """The middle, the point `direction` away from it, and the third corner of the right angle."""
    points = np.zeros((3, 2), dtype=np.float32)
    points[0] = middle
    points[1] = middle + direction
    dx, dy = points[0] - points[1]
    points[2] = points[1] + np.array([-dy, dx], dtype=np.float32)
    return points


def transform(points: ArrayLike, matrix: NDArray) -> NDArray[np.float32]:
    """Apply a (2, 3) affine `matrix` to `points` (..., 2); returns float32 of the same shape."""
    points = np.asarray(points, dtype=np.float32)
    return (points @ matrix[:, :2].T + matrix[:, 2]).astype(np.float32)
