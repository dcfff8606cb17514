"""Colours of an image turned into what a network sees, by a table of the 256 values."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from centernet.runtime.jit import njit

Triple = tuple[float, float, float]


def colour_table(mean: Triple, std: Triple) -> NDArray[np.float32]:
    """(3, 256) values of each channel: colours over 255, minus `mean`, over `std`."""
    values = np.arange(256) / 255.0
    columns = (np.asarray(one, np.float64)[:, None] for one in (mean, std))
    middle, spread = columns
    return ((values - middle) / spread).astype(np.float32)


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
