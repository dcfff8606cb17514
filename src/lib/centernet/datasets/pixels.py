"""Pixels of an image turned into the planes of a network's input, in one compiled pass.

By a matrix where colours are jittered, for training; by a table where they are not, for testing.
"""

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


def looked_up(image: NDArray[np.uint8], table: NDArray[np.float32]) -> NDArray[np.float32]:
    """(H, W, 3) uint8 -> (3, H, W) float32 by `table` (3, 256).

    The channels of a pixel stay together in memory, as networks that run channels last want them:
    the result is a view.
    """
    values = np.empty(image.shape, np.float32)
    _look_up(np.ascontiguousarray(image).reshape(-1), table, values.reshape(-1))
    return values.transpose(2, 0, 1)


@njit
def _look_up(
    colours: NDArray[np.uint8], table: NDArray[np.float32], values: NDArray[np.float32]
) -> None:
    for i in range(0, len(colours), 3):
        values[i] = table[0, colours[i]]
        values[i + 1] = table[1, colours[i + 1]]
        values[i + 2] = table[2, colours[i + 2]]
