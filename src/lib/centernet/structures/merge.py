"""Joining what one image's test scales found."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from centernet.external.nms import GAUSSIAN, soft_nms
from centernet.structures.detections import Detections

NMS_OVERLAP = 0.5


def merge_scales(parts: Sequence[Detections], *, nms: bool, limit: int = 100) -> Detections:
    """All rows of `parts`, best first: Gaussian soft-NMS in each class if `nms`, then the cut.

    The cut keeps every row that scores at least as much as the `limit`-th best, so ties may leave
    a few more. `limit` 0 or less cuts nothing.
    """
    merged = Detections.concatenate(parts)
    if nms:
        merged = soften(merged)
    if 0 < limit < len(merged):
        least = np.partition(merged.scores, len(merged) - limit)[len(merged) - limit]
        merged = merged.select(merged.scores >= least)
    if (merged.scores[1:] <= merged.scores[:-1]).all():
        return merged
    return merged.select(np.argsort(-merged.scores, kind="stable"))


def soften(found: Detections) -> Detections:
    """Gaussian soft-NMS within each class: rows that overlap better ones lose score or go.

    Rows come back class by class. A row whose score falls below 0.001 goes; the published detector
    left such rows in its results, as copies of others.
    """
    chosen, scores = [], []
    for index in np.unique(found.classes):
        rows = np.flatnonzero(found.classes == index)
        # The sixth column says which row it was: soft_nms moves rows as a whole.
        table = np.column_stack([found.boxes[rows], found.scores[rows], np.arange(len(rows))])
        table = np.ascontiguousarray(table, dtype=np.float32)
        kept = table[soft_nms(table, Nt=NMS_OVERLAP, method=GAUSSIAN)]
        chosen.append(rows[kept[:, 5].astype(np.int64)])
        scores.append(kept[:, 4])
    if not chosen:
        return found
    return replace(found.select(np.concatenate(chosen)), scores=np.concatenate(scores))
