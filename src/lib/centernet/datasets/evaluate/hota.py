"""HOTA: how well objects are detected and how well they are associated, in one number.

Luiten et al., "HOTA: A Higher Order Metric for Evaluating Multi-Object Tracking", IJCV 2021. At
each of 19 overlaps HOTA is the geometric mean of DetA, the detection accuracy, and AssA, the mean
over true positives of how far the two identities go together.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from centernet.datasets.evaluate.box_pairs import EPSILON, Floats, Ints
from centernet.datasets.evaluate.overlaps import Overlaps, best_pairs

ALPHAS = np.arange(0.05, 0.99, 0.05)  # overlaps
_TINY = 1e-10


@dataclass(frozen=True)
class Hota:
    """Counts and sums at each overlap; those of several videos or classes add up."""

    hits: Floats  # (19,) true positives
    misses: Floats
    extras: Floats  # false positives
    likeness: Floats  # sum of IoU over the hits
    ass_a: Floats  # sums over the hits
    ass_re: Floats
    ass_pr: Floats

    @staticmethod
    def total(parts: Sequence[Hota]) -> Hota:
        """All hits counted alike."""
        names = Hota.__dataclass_fields__
        zero = np.zeros(len(ALPHAS))
        return Hota(*(sum((getattr(p, n) for p in parts), zero) for n in names))

    def fields(self) -> dict[str, Floats]:
        """Every figure by its usual name, (19,) each; those with (0) at the lowest overlap."""
        hits, least = self.hits, np.maximum(1, self.hits)
        det_a = hits / np.maximum(1, hits + self.misses + self.extras)
        det_re = hits / np.maximum(1, hits + self.misses)
        ass_a = self.ass_a / least
        hota = np.sqrt(det_a * ass_a)
        loc_a = np.maximum(_TINY, self.likeness) / np.maximum(_TINY, hits)
        return {
            "HOTA": hota,
            "DetA": det_a,
            "AssA": ass_a,
            "DetRe": det_re,
            "DetPr": hits / np.maximum(1, hits + self.extras),
            "AssRe": self.ass_re / least,
            "AssPr": self.ass_pr / least,
            "LocA": loc_a,
            "OWTA": np.sqrt(det_re * ass_a),
            "HOTA_TP": hits,
            "HOTA_FN": self.misses,
            "HOTA_FP": self.extras,
            "HOTA(0)": hota[0],
            "LocA(0)": loc_a[0],
            "HOTALocA(0)": hota[0] * loc_a[0],
        }


def hota(seen: Overlaps) -> Hota:
    """Of one video."""
    truths, founds = seen.identities
    of_truth = np.bincount(seen.truth, minlength=truths).astype(np.float64)
    of_found = np.bincount(seen.found, minlength=founds).astype(np.float64)
    key = seen.truth[seen.row] * max(founds, 1) + seen.found[seen.column]
    matches = _matches(seen, key, of_truth, of_found)

    keys, group = np.unique(key[matches], return_inverse=True)
    size_truth, size_found = of_truth[keys // max(founds, 1)], of_found[keys % max(founds, 1)]
    iou = seen.iou[matches]
    sums = np.zeros((5, len(ALPHAS)))
    for place, alpha in enumerate(ALPHAS):
        near = iou >= alpha - EPSILON
        together = np.bincount(group.reshape(-1)[near], minlength=len(keys)).astype(np.float64)
        sums[:, place] = (
            near.sum(),
            iou[near].sum(),
            (together**2 / np.maximum(1, size_truth + size_found - together)).sum(),
            (together**2 / np.maximum(1, size_truth)).sum(),
            (together**2 / np.maximum(1, size_found)).sum(),
        )
    hits = sums[0]
    return Hota(hits, len(seen.truth) - hits, len(seen.found) - hits, *sums[1:])


def _matches(seen: Overlaps, key: Ints, of_truth: Floats, of_found: Floats) -> Ints:
    """The pairs of the best assignment of each frame, by overlap and by how well the ids fit."""
    across_truth = np.bincount(seen.row, seen.iou, minlength=len(seen.truth))
    across_found = np.bincount(seen.column, seen.iou, minlength=len(seen.found))
    share = across_truth[seen.row] + across_found[seen.column] - seen.iou
    share = np.divide(seen.iou, share, out=np.zeros_like(share), where=share > EPSILON)
    keys, group = np.unique(key, return_inverse=True)
    together = np.bincount(group.reshape(-1), share, minlength=len(keys))
    founds = max(len(of_found), 1)
    alignment = together / (of_truth[keys // founds] + of_found[keys % founds] - together)
    score = alignment[group.reshape(-1)] * seen.iou
    chosen = [
        frame.pairs.start + best_pairs(frame, score[frame.pairs])
        for frame in seen
        if frame.pairs.stop > frame.pairs.start
    ]
    return np.concatenate([np.zeros(0, np.int64), *chosen])
