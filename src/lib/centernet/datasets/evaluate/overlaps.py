"""Truth and tracks of one video, and the overlaps of their boxes frame by frame.

The measures of tracking (`hota`, `clear`, `identity`) all read an `Overlaps`.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import linear_sum_assignment

from centernet.datasets.evaluate.box_pairs import Floats, Ints, pairs


@dataclass(frozen=True)
class Rows:
    """N boxes of one video, sorted by frame."""

    frame: Ints  # (N,) from 0
    identity: Ints  # (N,)
    boxes: Floats  # (N, 4) x1 y1 x2 y2

    @classmethod
    def of(cls, frame: NDArray[Any], identity: NDArray[Any], boxes: NDArray[Any]) -> Rows:
        """Sorted by frame, otherwise in the order given."""
        order = np.argsort(frame, kind="stable")
        return cls(
            np.asarray(frame, np.int64)[order],
            np.asarray(identity, np.int64)[order],
            np.asarray(boxes, np.float64).reshape(-1, 4)[order],
        )

    def __len__(self) -> int:
        return len(self.frame)

    def select(self, index: Any) -> Rows:
        """The rows of `index` (mask or ascending integers)."""
        return Rows(self.frame[index], self.identity[index], self.boxes[index])

    def starts(self, frames: int) -> Ints:
        """(frames + 1,): where the rows of each frame begin."""
        return np.searchsorted(self.frame, np.arange(frames + 1))


class Frame(NamedTuple):
    """The pairs of one frame: their place among all pairs, and rows within the frame."""

    number: int
    truths: int
    founds: int
    pairs: slice
    row: Ints
    column: Ints


@dataclass(frozen=True)
class Overlaps:
    """All pairs of a true and a found box of one frame that overlap."""

    frames: int
    truth: Ints  # (G,) identities from 0, without gaps
    found: Ints  # (D,)
    truth_starts: Ints  # (frames + 1,)
    found_starts: Ints
    row: Ints  # (P,) of the truth
    column: Ints  # (P,) of the found
    iou: Floats  # (P,) above 0
    starts: Ints  # (frames + 1,) of the pairs

    def __iter__(self) -> Iterator[Frame]:
        rows = self.row - np.repeat(self.truth_starts[:-1], np.diff(self.starts))
        columns = self.column - np.repeat(self.found_starts[:-1], np.diff(self.starts))
        edges = zip(
            self.starts[:-1].tolist(),
            self.starts[1:].tolist(),
            np.diff(self.truth_starts).tolist(),
            np.diff(self.found_starts).tolist(),
            strict=True,
        )
        for number, (first, last, truths, founds) in enumerate(edges):
            pairs = slice(first, last)
            yield Frame(number, truths, founds, pairs, rows[pairs], columns[pairs])

    def from_overlap(self, least: float) -> Overlaps:
        """Only the pairs whose IoU is at least `least`."""
        keep = self.iou >= least
        starts = np.concatenate([[0], np.cumsum(keep)])[self.starts]
        return replace(
            self, row=self.row[keep], column=self.column[keep], iou=self.iou[keep], starts=starts
        )

    @property
    def identities(self) -> tuple[int, int]:
        """How many there are: of the truth, of the found."""
        return _count(self.truth), _count(self.found)


def overlaps(truth: Rows, found: Rows, frames: int) -> Overlaps:
    """Of the boxes of frames 0 to `frames` - 1."""
    truth_starts, found_starts = truth.starts(frames), found.starts(frames)
    return Overlaps(
        frames,
        _dense_ids(truth.identity),
        _dense_ids(found.identity),
        truth_starts,
        found_starts,
        *pairs(truth.boxes, truth_starts, found.boxes, found_starts),
    )


def best_pairs(frame: Frame, score: Floats) -> Ints:
    """Places among the frame's pairs of the assignment with the largest sum of `score` (> 0)."""
    if not len(score):
        return np.zeros(0, np.int64)
    if _all_different(frame.row) and _all_different(frame.column):
        return np.flatnonzero(score > 0)
    dense = np.zeros((frame.truths, frame.founds))
    place = np.full((frame.truths, frame.founds), -1)
    dense[frame.row, frame.column] = score
    place[frame.row, frame.column] = np.arange(len(score))
    chosen = place[linear_sum_assignment(dense, maximize=True)]
    chosen = chosen[chosen >= 0]
    return chosen[score[chosen] > 0]


def _all_different(values: Ints) -> bool:
    return len(set(values.tolist())) == len(values)


def _dense_ids(identity: Ints) -> Ints:
    return np.unique(identity, return_inverse=True)[1].reshape(-1).astype(np.int64)


def _count(dense: Ints) -> int:
    return int(dense.max()) + 1 if len(dense) else 0
