"""CLEAR MOT (MOTA, MOTP, identity switches, ...) and the identity measures (IDF1, ...).

Bernardin and Stiefelhagen, "Evaluating Multiple Object Tracking Performance: The CLEAR MOT
Metrics", EURASIP JIVP 2008; Ristani et al., "Performance Measures and a Data Set for Multi-Target,
Multi-Camera Tracking", ECCV Workshops 2016.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from scipy.optimize import linear_sum_assignment

from centernet.datasets.evaluate.box_pairs import EPSILON
from centernet.datasets.evaluate.overlaps import Overlaps, best_pairs

OVERLAP = 0.5  # that makes a match
MOSTLY_TRACKED, MOSTLY_LOST = 0.8, 0.2  # shares of an object's frames
_STAY = 1000  # worth of a pair that was matched in the frame before


@dataclass(frozen=True)
class Clear:
    """Counts; those of several videos or classes add up."""

    hits: float = 0
    misses: float = 0
    extras: float = 0
    switches: float = 0
    likeness: float = 0  # sum of IoU over the hits
    mostly_tracked: float = 0
    partly_tracked: float = 0
    mostly_lost: float = 0
    fragments: float = 0
    frames: float = 0

    @staticmethod
    def total(parts: Sequence[Clear]) -> Clear:
        """All of them together."""
        names = Clear.__dataclass_fields__
        return Clear(*(sum(getattr(part, name) for part in parts) for name in names))

    def fields(self) -> dict[str, float]:
        """Every figure by its usual name; shares are in [0, 1]."""
        objects, tracks = max(1, self.hits + self.misses), self.mostly_tracked
        tracks = max(1, tracks + self.partly_tracked + self.mostly_lost)
        softened = math.log10(self.switches) if self.switches > 0 else self.switches
        return {
            "MOTA": (self.hits - self.extras - self.switches) / objects,
            "MOTP": self.likeness / max(1, self.hits),
            "MODA": (self.hits - self.extras) / objects,
            "CLR_Re": self.hits / objects,
            "CLR_Pr": self.hits / max(1, self.hits + self.extras),
            "MTR": self.mostly_tracked / tracks,
            "PTR": self.partly_tracked / tracks,
            "MLR": self.mostly_lost / tracks,
            "sMOTA": (self.likeness - self.extras - self.switches) / objects,
            "CLR_F1": self.hits / max(1, self.hits + 0.5 * self.misses + 0.5 * self.extras),
            "FP_per_frame": self.extras / max(1, self.frames),
            "MOTAL": (self.hits - self.extras - softened) / objects,
            "MOTP_sum": self.likeness,
            "CLR_TP": self.hits,
            "CLR_FN": self.misses,
            "CLR_FP": self.extras,
            "IDSW": self.switches,
            "MT": self.mostly_tracked,
            "PT": self.partly_tracked,
            "ML": self.mostly_lost,
            "Frag": self.fragments,
            "CLR_Frames": self.frames,
        }


@dataclass(frozen=True)
class Identity:
    """Boxes whose identities agree under the best mapping of whole tracks."""

    hits: float = 0
    misses: float = 0
    extras: float = 0

    @staticmethod
    def total(parts: Sequence[Identity]) -> Identity:
        """All of them together."""
        names = Identity.__dataclass_fields__
        return Identity(*(sum(getattr(part, name) for part in parts) for name in names))

    def fields(self) -> dict[str, float]:
        """Every figure by its usual name; shares are in [0, 1]."""
        return {
            "IDF1": self.hits / max(1, self.hits + 0.5 * self.misses + 0.5 * self.extras),
            "IDR": self.hits / max(1, self.hits + self.misses),
            "IDP": self.hits / max(1, self.hits + self.extras),
            "IDTP": self.hits,
            "IDFN": self.misses,
            "IDFP": self.extras,
        }


def clear(seen: Overlaps) -> Clear:
    """Of one video."""
    truths, _ = seen.identities
    present = np.bincount(seen.truth, minlength=truths)
    ever = np.full(truths, -1)  # the track that each object had last
    before = np.full(truths, -1)  # and in the frame before
    tracked, begun = np.zeros(truths, np.int64), np.zeros(truths, np.int64)
    hits, switches, likeness = 0, 0, 0.0
    near = seen.from_overlap(OVERLAP - EPSILON)
    truths_of, founds_of = near.truth[near.row], near.found[near.column]
    for frame in near:
        # Where one side is empty the frame passes without a trace, as in the reference.
        if not frame.truths or not frame.founds:
            continue
        truth, found = truths_of[frame.pairs], founds_of[frame.pairs]
        score = near.iou[frame.pairs]
        chosen = best_pairs(frame, score + _STAY * (before[truth] == found))
        truth, found = truth[chosen], found[chosen]
        switches += int(((ever[truth] >= 0) & (ever[truth] != found)).sum())
        tracked[truth] += 1
        begun[truth] += before[truth] < 0
        ever[truth] = found
        before[:] = -1
        before[truth] = found
        hits += len(chosen)
        likeness += float(score[chosen].sum())
    share = tracked[present > 0] / present[present > 0]
    mostly = int((share > MOSTLY_TRACKED).sum())
    partly = int((share >= MOSTLY_LOST).sum()) - mostly
    return Clear(
        hits=hits,
        misses=len(seen.truth) - hits,
        extras=len(seen.found) - hits,
        switches=switches,
        likeness=likeness,
        mostly_tracked=mostly,
        partly_tracked=partly,
        mostly_lost=truths - mostly - partly,
        fragments=int((begun[begun > 0] - 1).sum()),
        frames=seen.frames if len(seen.truth) and len(seen.found) else 0,  # as the reference
    )


def identity(seen: Overlaps) -> Identity:
    """Of one video: the mapping of objects to tracks with the most matched boxes."""
    together = np.zeros(seen.identities)
    near = seen.iou >= OVERLAP
    np.add.at(together, (seen.truth[seen.row[near]], seen.found[seen.column[near]]), 1)
    hits = float(together[linear_sum_assignment(together, maximize=True)].sum())
    return Identity(hits, len(seen.truth) - hits, len(seen.found) - hits)
