"""KITTI's evaluation of objects: 2D boxes, orientation, ground plane and 3D boxes.

The rules are those of the benchmark's development kit (Geiger, Lenz, Urtasun, "Are we ready for
autonomous driving? The KITTI vision benchmark suite", CVPR 2012), its oddities included, so that
numbers can be compared; average precision is taken over 11 recalls as it was until 2019, and over
40 (Simonelli et al., "Disentangling monocular 3D object detection", ICCV 2019) as it is since.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from centernet.datasets.evaluate.kitti_labels import Labels
from centernet.datasets.evaluate.kitti_matching import (
    STEPS,
    best_scores,
    count_at,
    near_pairs,
    sample_scores,
)
from centernet.datasets.evaluate.rotated_iou import intersections

Array = NDArray[Any]
METRICS = ("2D", "AOS", "BEV", "3D")
DIFFICULTIES = ("easy", "moderate", "hard")
# Overlap above which a detection is right: in the image, on the ground, in space.
OFFICIAL = {"Car": (0.7, 0.7, 0.7), "Pedestrian": (0.5, 0.5, 0.5), "Cyclist": (0.5, 0.5, 0.5)}
LOOSE = {"Car": (0.7, 0.5, 0.5), "Pedestrian": (0.5, 0.25, 0.25), "Cyclist": (0.5, 0.25, 0.25)}
# A detection on one of these is neither right nor wrong.
NEIGHBOURS = {"car": "van", "pedestrian": "person_sitting"}
# What still counts as easy, moderate, hard: height in pixels, occlusion, truncation.
MIN_HEIGHT = (40.0, 25.0, 25.0)
MAX_OCCLUSION = (0, 1, 2)
MAX_TRUNCATION = (0.15, 0.3, 0.5)
NO_ALPHA = -10.0
NO_PLACE = -1000.0


@dataclass(frozen=True)
class Table:
    """The outcome: curves per class and metric, and the average precisions they give.

    Attributes:
        curves: {(class, metric): (3, 41)} precision at recalls 0, 1/40 ... 1 for easy, moderate and
            hard; for AOS times the likeness of orientation. A class without any detection that has
            what the metric needs is absent, AOS also where a detection has no alpha (-10).
        overlaps: the least overlaps it was made with, {class: (2D, BEV, 3D)}.
        frames: how many were evaluated.
    """

    curves: Mapping[tuple[str, str], Array]
    overlaps: Mapping[str, tuple[float, float, float]]
    frames: int

    def ap(self, points: int = 40) -> dict[tuple[str, str], Array]:
        """{(class, metric): (3,)} average precision in percent over 40 or 11 recalls."""
        if points not in (11, 40):
            raise ValueError(f"average precision over 11 or 40 recalls, not {points}")
        taken = slice(1, None) if points == 40 else slice(0, None, 4)
        return {key: 100 * curve[:, taken].mean(axis=1) for key, curve in self.curves.items()}

    def __str__(self) -> str:
        lines = [
            f"KITTI, {self.frames} frames: average precision in %",
            f"{'':23}{'40 recalls':>27}{'11 recalls':>30}",
            f"{'class':11}{'metric':7}{'IoU':>5}" + 2 * f"{'easy':>9}{'moderate':>11}{'hard':>9} ",
        ]
        forty, eleven = self.ap(40), self.ap(11)
        for name, metric in self.curves:
            least = self.overlaps[name][_overlap_of(metric)]
            cells = [
                f"{a:9.2f}{b:11.2f}{c:9.2f} "
                for a, b, c in (forty[name, metric], eleven[name, metric])
            ]
            lines.append(f"{name:11}{metric:7}{least:5.2f}{''.join(cells)}")
        return "\n".join(line.rstrip() for line in lines)


def evaluate(
    ground_truth: Sequence[Labels],
    detections: Sequence[Labels],
    overlaps: Mapping[str, tuple[float, float, float]] = OFFICIAL,
    fill_recall: bool = False,
) -> Table:
    """Compare the detections of frames with their annotations.

    Args:
        ground_truth: one `Labels` a frame, as read; "DontCare" rows included.
        detections: one a frame, in the same order.
        overlaps: the classes to evaluate and their least overlaps (2D and AOS, BEV, 3D): OFFICIAL
            or LOOSE, which papers on monocular 3D detection also report.
        fill_recall: the development kit advances by one of its 41 recalls a true positive, so that
            fewer than 41 objects cannot reach 100 however good the detections are; with this a
            true positive fills every recall that it passes. Larger sets give the same either way.

    Raises:
        ValueError: the two have different numbers of frames.
    """
    if len(ground_truth) != len(detections):
        raise ValueError(
            f"{len(ground_truth)} annotated frames but {len(detections)} frames of detections"
        )
    truth, found = _Frames(ground_truth), _Frames(detections)
    pairs = near_pairs(
        truth.starts, found.starts, truth.boxes, found.boxes, truth.circles(), found.circles()
    )
    meeting = _Meeting(truth, found, pairs)
    with_alpha = bool((found.values[:, 2] != NO_ALPHA).all())
    curves: dict[tuple[str, str], Array] = {}
    for name, least in overlaps.items():
        own = found.named(name)
        for metric, measured in zip(("2D", "BEV", "3D"), found.usable(), strict=True):
            if not (own & measured).any():
                continue
            column = _overlap_of(metric)
            rows = [
                meeting.curve(name, level, column, least[column], fill_recall)
                for level in range(len(DIFFICULTIES))
            ]
            curves[name, metric] = np.stack([precision for precision, _ in rows])
            if metric == "2D" and with_alpha:
                curves[name, "AOS"] = np.stack([oriented for _, oriented in rows])
    return Table(curves, dict(overlaps), len(ground_truth))


def _overlap_of(metric: str) -> int:
    return {"2D": 0, "AOS": 0, "BEV": 1, "3D": 2}[metric]


class _Frames:
    """The objects of all frames in one row of arrays."""

    def __init__(self, frames: Sequence[Labels]) -> None:
        self.starts = np.cumsum([0, *map(len, frames)])
        self.values: Array = np.concatenate([np.zeros((0, 15)), *(f.values for f in frames)])
        self.names = np.array([name.lower() for frame in frames for name in frame.names], np.str_)
        self.boxes = np.ascontiguousarray(self.values[:, 3:7])
        self.heights = np.abs(self.boxes[:, 3] - self.boxes[:, 1])

    def named(self, name: str) -> Array:
        return self.names == name.lower()

    def circles(self) -> Array:
        """(N, 3) x, z and radius of the circle around the rectangle on the ground."""
        radius = np.hypot(self.values[:, 8], self.values[:, 9]) / 2
        flat = (self.values[:, 8] <= 0) | (self.values[:, 9] <= 0)
        return np.stack([self.values[:, 10], self.values[:, 12], np.where(flat, -1e9, radius)], 1)

    def rectangles(self) -> Array:
        """(N, 5) x, z, length, width, rotation_y."""
        return self.values[:, [10, 12, 9, 8, 13]]

    def usable(self) -> tuple[Array, Array, Array]:
        """Which objects have what the image, the ground and the space metric need; (N,) each."""
        _, width, length, x, y, z = self.values[:, 7:13].T
        ground = (x != NO_PLACE) & (z != NO_PLACE) & (width > 0) & (length > 0)
        space = ground & (y != NO_PLACE) & (self.values[:, 7] > 0)
        return self.boxes[:, 0] >= 0, ground, space


class _Meeting:
    """Annotations and detections that overlap, and by how much."""

    def __init__(self, truth: _Frames, found: _Frames, pairs: Array) -> None:
        self.truth, self.found = truth, found
        regions = truth.named("DontCare")[pairs[:, 0]]
        self.pairs = pairs[~regions]
        self.overlaps = _overlaps(truth, found, self.pairs)  # (P, 3)
        difference = truth.values[self.pairs[:, 0], 2] - found.values[self.pairs[:, 1], 2]
        self.likeness = (1 + np.cos(difference)) / 2
        self.covered = np.zeros(len(found.values))  # the largest share of each in one DontCare
        shared = _shared_in_image(truth, found, pairs[regions])
        boxes = found.boxes[pairs[regions, 1]]
        np.maximum.at(self.covered, pairs[regions, 1], shared / np.maximum(_areas(boxes), 1e-12))

    def curve(
        self, name: str, level: int, column: int, least: float, fill: bool
    ) -> tuple[Array, Array]:
        """Precision and orientation (41,) of one class at one difficulty by one overlap."""
        truth, found = self.truth, self.found
        own = truth.named(name)
        hard = (
            (truth.values[:, 1] > MAX_OCCLUSION[level])
            | (truth.values[:, 0] > MAX_TRUNCATION[level])
            | (truth.boxes[:, 3] - truth.boxes[:, 1] <= MIN_HEIGHT[level])
        )
        own_found = found.named(name)
        # As in the development kit, a small detection of whatever class may take an annotation.
        small = found.heights < MIN_HEIGHT[level]
        concerned = own | truth.named(NEIGHBOURS.get(name.lower(), name))
        chosen = (
            (self.overlaps[:, column] > least)
            & concerned[self.pairs[:, 0]]
            & (own_found | small)[self.pairs[:, 1]]
        )
        pairs, scores = self.pairs[chosen], found.values[:, 14].copy()
        ignored = ~own | hard
        hits = best_scores(pairs, scores, ignored, small, np.zeros(len(scores), np.bool_))
        objects = int((own & ~hard).sum())
        thresholds = sample_scores(np.sort(hits)[::-1].copy(), objects, fill)
        # DontCare regions lie in the image: they have no place on the ground or in space.
        stuff = self.covered > least if column == 0 else np.zeros(len(scores), np.bool_)
        counts = count_at(
            thresholds,
            pairs,
            self.overlaps[chosen, column],
            scores,
            ignored,
            small,
            self.likeness[chosen],
            stuff,
        )
        candidates = np.sort(scores[own_found & ~small & ~stuff])
        present = len(candidates) - np.searchsorted(candidates, thresholds, side="left")
        reported = counts[:, 0] + present - counts[:, 1]
        curves = np.zeros((2, STEPS))
        for curve, good in zip(curves, (counts[:, 0], counts[:, 2]), strict=True):
            np.divide(good, reported, out=curve[: len(good)], where=reported > 0)
            curve[:] = np.maximum.accumulate(curve[::-1])[::-1]
        return curves[0], curves[1]


def _areas(boxes: Array) -> Array:
    return (boxes[:, 2] - boxes[:, 0]) * (boxes[:, 3] - boxes[:, 1])


def _shared_in_image(truth: _Frames, found: _Frames, pairs: Array) -> Array:
    """(P,) area that the image boxes of pairs share, in square pixels."""
    a, b = truth.boxes[pairs[:, 0]], found.boxes[pairs[:, 1]]
    corner = np.maximum(a[:, :2], b[:, :2])
    size = np.maximum(np.minimum(a[:, 2:], b[:, 2:]) - corner, 0)
    return size[:, 0] * size[:, 1]


def _overlaps(truth: _Frames, found: _Frames, pairs: Array) -> Array:
    """(P, 3) intersection over union of pairs: in the image, on the ground, in space."""
    first, second = truth.values[pairs[:, 0]], found.values[pairs[:, 1]]
    shared = _shared_in_image(truth, found, pairs)
    image = _areas(first[:, 3:7]) + _areas(second[:, 3:7]) - shared
    base = intersections(truth.rectangles()[pairs[:, 0]], found.rectangles()[pairs[:, 1]])
    ground = first[:, 8] * first[:, 9] + second[:, 8] * second[:, 9] - base
    floor = np.minimum(first[:, 11], second[:, 11])  # y points down
    ceiling = np.maximum(first[:, 11] - first[:, 7], second[:, 11] - second[:, 7])
    volume = base * np.maximum(floor - ceiling, 0)
    space = np.prod(first[:, 7:10], axis=1) + np.prod(second[:, 7:10], axis=1) - volume
    result = np.zeros((len(pairs), 3))
    for column, (part, whole) in enumerate(((shared, image), (base, ground), (volume, space))):
        np.divide(part, whole, out=result[:, column], where=(part > 0) & (whole > 0))
    return result
