"""What became of every object and detection: right, wrong in which way, missed, and how sure.

A detection is *right* when it overlaps an object of its class that no better one has taken (IoU 0.5
and more), a *double* when that object was taken, of a wrong *class* when the object is of another,
out of *place* when it only touches one (IoU 0.1 and more), and *background* else. Regions to ignore
swallow detections. After Hoiem et al., "Diagnosing Error in Object Detectors", ECCV 2012.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from centernet.structures.objects import Objects

if TYPE_CHECKING:
    from centernet.structures.detections import Detections

KINDS = ("right", "double", "class", "place", "background")
RIGHT, DOUBLE, CLASS, PLACE, BACKGROUND = range(5)
IGNORED = -1
ENOUGH, NEAR = 0.5, 0.1  # IoU
LOWEST = 0.01  # detections that score less are not looked at
BINS = 10  # of scores

Array = NDArray[Any]


class Match(NamedTuple):
    """One image: `kind` (K,) of its detections, best score first, and their `order`.

    `partner` (K,) is the object that a detection overlaps most (-1: none near); `taken` (N,) the
    detection that is right about an object, -1 for one that is missed, -2 for a region to ignore.
    """

    order: Array
    kind: Array
    partner: Array
    taken: Array


def overlaps(a: Array, b: Array) -> Array:
    """(A, B) intersection over union of boxes x1 y1 x2 y2."""
    low = np.maximum(a[:, None, :2], b[None, :, :2])
    high = np.minimum(a[:, None, 2:], b[None, :, 2:])
    shared = np.clip(high - low, 0, None).prod(axis=2)
    areas = [np.clip(each[:, 2:] - each[:, :2], 0, None).prod(axis=1) for each in (a, b)]
    union = areas[0][:, None] + areas[1][None] - shared
    return np.divide(shared, union, out=np.zeros_like(shared), where=union > 0)


def match_image(truth: Objects, found: Detections) -> Match:
    """Pair the detections of an image with its objects, the best scores first."""
    order = np.argsort(-found.scores, kind="stable")
    order = order[found.scores[order] >= LOWEST]
    boxes = found.boxes[order].astype(np.float64)
    classes = found.classes[order]
    iou = overlaps(boxes, truth.boxes.astype(np.float64))
    ignore = truth.classes < 0
    if truth.crowd is not None:
        ignore = ignore | truth.crowd
    taken = np.where(ignore, -2, -1)
    kind = np.full(len(order), BACKGROUND)
    partner = np.full(len(order), -1)
    real = np.flatnonzero(~ignore)
    for row in range(len(order)):
        same = real[truth.classes[real] == classes[row]]
        near = same[iou[row, same] >= ENOUGH]
        free = near[taken[near] == -1]
        if free.size:
            partner[row] = free[iou[row, free].argmax()]
            kind[row], taken[partner[row]] = RIGHT, row
        elif near.size:
            kind[row], partner[row] = DOUBLE, near[iou[row, near].argmax()]
        elif _swallowed(boxes[row], truth.boxes[ignore]):
            kind[row] = IGNORED
        elif real.size:
            best = real[iou[row, real].argmax()]
            if iou[row, best] >= ENOUGH:
                kind[row], partner[row] = CLASS, best
            elif same.size and iou[row, same].max() >= NEAR:
                kind[row], partner[row] = PLACE, same[iou[row, same].argmax()]
    return Match(order, kind, partner, taken)


def _swallowed(box: Array, regions: Array) -> bool:
    """Whether half of `box` or more lies in a region to ignore."""
    if len(regions) == 0:
        return False
    low, high = np.maximum(box[:2], regions[:, :2]), np.minimum(box[2:], regions[:, 2:])
    shared = np.clip(high - low, 0, None).prod(axis=1)
    return bool(shared.max() >= ENOUGH * max((box[2:] - box[:2]).prod(), 1e-9))


@dataclass
class ImageFinding:
    """How an image fared among the detections above the threshold."""

    index: int
    right: int
    wrong: int
    missed: int

    @property
    def quality(self) -> float:
        """Right ones among all that are right, wrong or missed; 1 for an empty image left empty."""
        whole = self.right + self.wrong + self.missed
        return self.right / whole if whole else 1.0


class Findings:
    """Adds up the matches of all images; `threshold` is the score from which one is counted."""

    def __init__(self, class_names: Sequence[str], threshold: float) -> None:
        self.names, self.threshold = list(class_names), threshold
        size = len(self.names)
        self.confusion = np.zeros((size + 1, size + 1), np.int64)  # [true, found]; last: background
        self.kinds = np.zeros((size, len(KINDS)), np.int64)
        self.missed = np.zeros(
            (size, 3), np.int64
        )  # taken for another class, out of place, not seen
        self.objects = np.zeros(size, np.int64)
        self.images: list[ImageFinding] = []
        self._rows: list[Array] = []  # class, score, right

    def add(self, index: int, truth: Objects, found: Detections) -> Match:
        """Count image `index`; how its detections and objects belong together."""
        match = match_image(truth, found)
        scores, classes = found.scores[match.order], found.classes[match.order]
        seen = match.kind != IGNORED
        rows = np.stack([classes[seen], scores[seen], match.kind[seen] == RIGHT], axis=1)
        self._rows.append(rows.astype(np.float64))
        real = match.taken >= -1
        self.objects += np.bincount(truth.classes[real], minlength=len(self.names))
        strong = seen & (scores >= self.threshold)
        for row in np.flatnonzero(strong):
            self.kinds[classes[row], match.kind[row]] += 1
            if match.kind[row] in (RIGHT, CLASS):
                self.confusion[truth.classes[match.partner[row]], classes[row]] += 1
            else:
                self.confusion[-1, classes[row]] += 1
        missed = [int(n) for n in np.flatnonzero(real) if not self._taken(match, int(n), strong)]
        for number in missed:
            touching = match.kind[strong & (match.partner == number)]
            way = 0 if (touching == CLASS).any() else 1 if (touching == PLACE).any() else 2
            self.missed[truth.classes[number], way] += 1
            if way != 0:
                self.confusion[truth.classes[number], -1] += 1
        right = int((match.kind[strong] == RIGHT).sum())
        self.images.append(ImageFinding(index, right, int(strong.sum()) - right, len(missed)))
        return match

    @staticmethod
    def _taken(match: Match, number: int, strong: Array) -> bool:
        by = match.taken[number]
        return by >= 0 and bool(strong[by])

    def calibration(self) -> dict[str, list[float]]:
        """By tenths of the score: how many detections there are and which part of them is right."""
        rows = self._all()
        place = np.minimum((rows[:, 1] * BINS).astype(np.int64), BINS - 1)
        count = np.bincount(place, minlength=BINS)
        right = np.bincount(place, weights=rows[:, 2], minlength=BINS)
        part = np.divide(right, count, out=np.full(BINS, -1.0), where=count > 0)
        return {"count": count.tolist(), "right": part.round(4).tolist()}

    def best_thresholds(self) -> dict[str, dict[str, float]]:
        """{class: score, precision, recall, f1} at the score where the class has the highest F1."""
        rows, best = self._all(), {}
        for number, name in enumerate(self.names):
            own = rows[rows[:, 0] == number]
            own = own[np.argsort(-own[:, 1], kind="stable")]
            if len(own) == 0 or self.objects[number] == 0:
                continue
            hits = np.cumsum(own[:, 2])
            precision, recall = hits / np.arange(1, len(own) + 1), hits / self.objects[number]
            f1 = 2 * precision * recall / np.maximum(precision + recall, 1e-12)
            top = int(f1.argmax())
            figures = (own[top, 1], precision[top], recall[top], f1[top])
            keys = ("score", "precision", "recall", "f1")
            best[name] = {key: round(float(v), 4) for key, v in zip(keys, figures, strict=True)}
        return best

    def ranked(self, count: int) -> tuple[list[ImageFinding], list[ImageFinding]]:
        """The worst images, most mistakes first, and the best ones, most right objects first."""
        whole = [image for image in self.images if image.right + image.wrong + image.missed]
        faulty = [image for image in whole if image.wrong + image.missed]
        worst = sorted(faulty, key=lambda i: (i.quality, -i.missed - i.wrong, i.index))[:count]
        good = [image for image in whole if image.right and image not in worst]
        return worst, sorted(good, key=lambda i: (-i.quality, -i.right, i.index))[:count]

    def as_dict(self) -> dict[str, Any]:
        """Everything but the images, as plain values."""
        return {
            "threshold": self.threshold,
            "classes": self.names,
            "images": len(self.images),
            "objects": self.objects.tolist(),
            "confusion": self.confusion.tolist(),
            "kinds": self.kinds.tolist(),
            "missed": self.missed.tolist(),
            "calibration": self.calibration(),
            "best_thresholds": self.best_thresholds(),
        }

    def _all(self) -> Array:
        return np.concatenate([np.zeros((0, 3)), *self._rows])
