"""WIDER FACE's measure: average precision on its easy, medium and hard faces.

The protocol of "WIDER FACE: A Face Detection Benchmark" (arXiv 1511.06523) as its evaluation
program counts: which faces are easy, medium or hard is a list of the data set's own; a detection of
a face that is not on the list is neither right nor wrong; a further detection of a face that was
found is a false one. Scores are stretched to [0, 1] over the whole set and cut at 1000 thresholds.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

THRESHOLDS = 1000
LEVELS = ("easy", "medium", "hard")


@dataclass(frozen=True)
class Curve:
    """Precision and recall at the 1000 thresholds, from the strictest on.

    Precision is NaN where no detection counts yet.
    """

    precision: NDArray[np.float64]  # (1000,)
    recall: NDArray[np.float64]  # (1000,)

    @property
    def ap(self) -> float:
        """The area under the curve, precision made monotone from the right."""
        recall = np.concatenate([[0.0], self.recall, [1.0]])
        precision = np.concatenate([[0.0], np.nan_to_num(self.precision), [0.0]])
        precision = np.maximum.accumulate(precision[::-1])[::-1]
        return float(np.sum(np.diff(recall) * precision[1:]))


def wider_curve(
    faces: Mapping[str, NDArray[np.floating]],
    found: Mapping[str, NDArray[np.floating]],
    counted: Mapping[str, Sequence[int] | NDArray[np.integer]],
    iou: float = 0.5,
) -> Curve:
    """The curve over the images of `faces`, all boxes in image pixels.

    `faces` are (N, 4) x, y, width, height; `found` (M, 5) with a score behind, in any order;
    `counted` the rows of `faces` that are on the list, from 0. An image that is absent from `found`
    has no detection, one absent from `counted` no face on the list.
    """
    scores = _stretched(found)
    right, shown = np.zeros(THRESHOLDS), np.zeros(THRESHOLDS)
    total = sum(len(counted.get(name, ())) for name in faces)
    for name, boxes in faces.items():
        rows = found.get(name)
        if rows is None or len(rows) == 0 or len(boxes) == 0:
            continue
        order = np.argsort(-scores[name], kind="stable")
        listed = np.zeros(len(boxes), bool)
        listed[np.asarray(counted.get(name, ()), np.int64)] = True
        hits, proposals = _matched(boxes, rows[order, :4], listed, iou)
        reached = _reached(scores[name][order])
        right += np.concatenate([[0], np.cumsum(hits)])[reached]
        shown += np.concatenate([[0], np.cumsum(proposals)])[reached]
    with np.errstate(invalid="ignore"):
        precision = right / shown
    return Curve(precision, right / total if total else np.zeros(THRESHOLDS))


def _stretched(found: Mapping[str, NDArray[np.floating]]) -> dict[str, NDArray[np.float64]]:
    """The scores of each image, stretched to [0, 1] over all of them."""
    each = [np.asarray(rows, np.float64)[:, 4] for rows in found.values() if len(rows)]
    low, high = (min(s.min() for s in each), max(s.max() for s in each)) if each else (0.0, 1.0)
    span = high - low or 1.0
    return {
        name: (np.asarray(rows, np.float64).reshape(-1, 5)[:, 4] - low) / span
        for name, rows in found.items()
    }


def _reached(scores: NDArray[np.float64]) -> NDArray[np.int64]:
    """(1000,): how many of the falling `scores` reach each threshold 1 - t / 1000, t from 1."""
    thresholds = 1 - np.arange(1, THRESHOLDS + 1) / THRESHOLDS
    return np.searchsorted(-scores, -thresholds, side="right")


def _matched(
    faces: NDArray[np.floating],
    boxes: NDArray[np.floating],
    listed: NDArray[np.bool_],
    iou: float,
) -> tuple[NDArray[np.bool_], NDArray[np.bool_]]:
    """(M,) each, of boxes by falling score: which found a listed face first, and which count.

    A box belongs to the face that it overlaps most; it does not count if that face is not listed.
    """
    overlaps = _overlaps(boxes, faces)
    best = overlaps.argmax(axis=1)
    meets = overlaps[np.arange(len(boxes)), best] >= iou
    meeting = np.flatnonzero(meets & listed[best])
    hits = np.zeros(len(boxes), bool)
    hits[meeting[np.unique(best[meeting], return_index=True)[1]]] = True
    return hits, ~(meets & ~listed[best])


def _overlaps(a: NDArray[np.floating], b: NDArray[np.floating]) -> NDArray[np.float64]:
    """(len(a), len(b)) intersection over union; a pixel more in width and height, as WIDER has."""
    a, b = (np.asarray(each, np.float64)[:, None, :] for each in (a, b))
    b = b.transpose(1, 0, 2)
    sides = [
        np.minimum(a[..., k] + a[..., k + 2], b[..., k] + b[..., k + 2])
        - np.maximum(a[..., k], b[..., k])
        + 1
        for k in (0, 1)
    ]
    common = np.maximum(sides[0], 0) * np.maximum(sides[1], 0)
    areas = [(each[..., 2] + 1) * (each[..., 3] + 1) for each in (a, b)]
    return common / (areas[0] + areas[1] - common)
