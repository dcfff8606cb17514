"""Pairs of overlapping boxes, frame by frame, compiled with numba."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from centernet.runtime.jit import njit

EPSILON = float(np.finfo(np.float64).eps)

Ints = NDArray[np.int64]
Floats = NDArray[np.float64]


def pairs(a: Floats, a_starts: Ints, b: Floats, b_starts: Ints) -> tuple[Ints, Ints, Floats, Ints]:
    """Rows of a, rows of b, their IoU (above 0), and where the pairs of each frame start.

    Boxes are x1 y1 x2 y2; those of frame t are rows `starts[t]` to `starts[t + 1]` of both sides.
    """
    counts = np.zeros(len(a_starts), np.int64)
    _scan(a, a_starts, b, b_starts, counts, *_room(0))
    starts = np.cumsum(counts)
    row, column, iou = _room(int(starts[-1]))
    _scan(a, a_starts, b, b_starts, counts, row, column, iou)
    return row, column, iou, starts


def _room(size: int) -> tuple[Ints, Ints, Floats]:
    return np.empty(size, np.int64), np.empty(size, np.int64), np.empty(size)


@njit
def _scan(
    a: Any, a_starts: Any, b: Any, b_starts: Any, counts: Any, row: Any, column: Any, iou: Any
) -> None:
    """Count the pairs of frame t into `counts[t + 1]`; write them where there is room."""
    place = 0
    for frame in range(len(a_starts) - 1):
        found = 0
        for i in range(a_starts[frame], a_starts[frame + 1]):
            area = (a[i, 2] - a[i, 0]) * (a[i, 3] - a[i, 1])
            for j in range(b_starts[frame], b_starts[frame + 1]):
                width = min(a[i, 2], b[j, 2]) - max(a[i, 0], b[j, 0])
                if width <= 0:
                    continue
                height = min(a[i, 3], b[j, 3]) - max(a[i, 1], b[j, 1])
                if height <= 0:
                    continue
                common = width * height
                union = area + (b[j, 2] - b[j, 0]) * (b[j, 3] - b[j, 1]) - common
                if union <= EPSILON:
                    continue
                if len(row):
                    row[place], column[place], iou[place] = i, j, common / union
                    place += 1
                found += 1
        counts[frame + 1] = found
