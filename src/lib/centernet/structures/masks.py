"""Segmentations of many objects, packed into a few arrays."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from itertools import chain
from typing import Any

import numpy as np
from numpy.typing import NDArray
from pycocotools import mask as coco_mask

MIN_NUMBERS = 6  # of a polygon: three points


class Masks:
    """One COCO segmentation a row: `masks[i]` is a list of polygons, a run-length dict or None.

    Millions of coordinates as Python floats would fill the memory of every worker process; here
    they are one float32 array that forked workers share.
    """

    def __init__(self, segmentations: Sequence[Any], sizes: Iterable[tuple[int, int]]) -> None:
        """`sizes` are the (height, width) of the images, for run lengths not yet compressed."""
        self.runs: dict[int, dict[str, Any]] = {}
        polygons: list[Sequence[float]] = []
        counts = np.zeros(len(segmentations), np.int64)
        for row, (segmentation, size) in enumerate(zip(segmentations, sizes, strict=True)):
            if isinstance(segmentation, dict):
                runs = _compressed(segmentation, size)
                if runs is not None:
                    self.runs[row] = runs
            elif isinstance(segmentation, list):
                rings = [ring for ring in segmentation if _is_ring(ring)]
                polygons += rings
                counts[row] = len(rings)
        lengths = np.fromiter(map(len, polygons), np.int64, len(polygons))
        self.first = np.concatenate([[0], np.cumsum(counts)])  # polygon of each row
        self.start = np.concatenate([[0], np.cumsum(lengths)])  # number of each polygon
        total = int(self.start[-1])
        self.numbers = np.fromiter(chain.from_iterable(polygons), np.float32, total)
        self.rows = np.arange(len(segmentations))

    def __len__(self) -> int:
        return len(self.rows)

    def __getitem__(self, index: int) -> list[NDArray[np.float32]] | dict[str, Any] | None:
        row = int(self.rows[index])
        if row in self.runs:
            return self.runs[row]
        polygons = range(int(self.first[row]), int(self.first[row + 1]))
        return [self.numbers[self.start[p] : self.start[p + 1]] for p in polygons] or None

    def present(self) -> NDArray[np.bool_]:
        """(N,): whether the object has a mask at all."""
        has = np.diff(self.first) > 0
        has[list(self.runs)] = True
        return has[self.rows]

    def select(self, index: Any) -> Masks:
        """The rows at `index` (mask or integer array); the coordinates are shared."""
        chosen = object.__new__(Masks)
        chosen.__dict__.update(self.__dict__)
        chosen.rows = self.rows[index]
        return chosen


def _is_ring(ring: Any) -> bool:
    """Whether `ring` is the x y x y ... of a polygon; of its numbers the first stands for all."""
    return (
        isinstance(ring, Sequence | np.ndarray)
        and len(ring) >= MIN_NUMBERS
        and len(ring) % 2 == 0
        and not isinstance(ring[0], str | Sequence | np.ndarray)
    )


def _compressed(runs: dict[str, Any], size: tuple[int, int]) -> dict[str, Any] | None:
    """Run lengths as pycocotools works with them: counts as bytes; None if they are none."""
    counts = runs.get("counts")
    try:
        height, width = runs.get("size", size)
        if isinstance(counts, list):
            return coco_mask.frPyObjects({**runs, "size": [height, width]}, height, width)
    except (TypeError, ValueError):
        return None
    if not isinstance(counts, str | bytes):
        return None
    return {
        "size": [height, width],
        "counts": counts.encode() if isinstance(counts, str) else counts,
    }
