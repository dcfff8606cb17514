"""Pixels of an image turned into the planes of a network's input, in one compiled pass."""

from __future__ import annotations

import cv2
import numpy as np
from numpy.typing import NDArray

from centernet.runtime.jit import njit


def mapped(image: NDArray[np.uint8], matrix: NDArray[np.float64]) -> NDArray[np.float32]:
    """(H, W, 3) uint8 -> (3, H, W) float32: `matrix` (3, 4) times (colours, 1) of every pixel."""
    planes = np.empty((3, *image.shape[:2]), np.float32)
    # Taken apart first: a loop over interleaved colours takes twice as long as split and loop.
    _map_planes(*cv2.split(image), matrix.astype(np.float32), planes)
    return planes


@njit
def _map_planes(
    first: NDArray[np.uint8],
    second: NDArray[np.uint8],
    third: NDArray[np.uint8],
    matrix: NDArray[np.float32],
    planes: NDArray[np.float32],
) -> None:
    height, width = first.shape
    for row in range(height):
        for c in range(3):
            a, b, d, shift = matrix[c, 0], matrix[c, 1], matrix[c, 2], matrix[c, 3]
            for x in range(width):
                planes[c, row, x] = (
                    np.float32(first[row, x]) * a
                    + np.float32(second[row, x]) * b
                    + np.float32(third[row, x]) * d
                    + shift
                )
