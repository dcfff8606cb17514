"""Pascal VOC's average precision.

Everingham et al., "The Pascal Visual Object Classes (VOC) Challenge", IJCV 2010, section 4.2: a
detection is compared with the ground truth that it overlaps most; the first one above the overlap
is right, later ones are wrong, and one that falls to a difficult object counts neither way. Until
2009 AP is the mean of the precision at eleven recalls, from 2010 the area below the curve. Corners
are pixel indices, so a box from 1 to 3 is 3 pixels wide.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from centernet.datasets.evaluate.evaluation import Evaluation
from centernet.datasets.table import Table
from centernet.io.files import write_text

if TYPE_CHECKING:
    from centernet.structures.detections import Detections

RESULTS = "results.json"
VOC_METRICS = ("VOC07", "VOC12")


@dataclass(frozen=True)
class Boxes:
    """Boxes of one class over all images: ground truth with a flag, or detections with a score."""

    image: NDArray[np.int64]  # (N,)
    corners: NDArray[np.float64]  # (N, 4) x1 y1 x2 y2, pixel indices, both ends within
    flag: NDArray[np.bool_] | None = None  # (N,) difficult
    score: NDArray[np.float64] | None = None  # (N,)


def average_precision(
    truth: Boxes,
    found: Boxes,
    *,
    overlap: float = 0.5,
    eleven_points: bool = False,
    use_difficult: bool = False,
) -> float:
    """AP of one class in [0, 1]; NaN when it has no (countable) ground truth.

    A detection is right when its overlap is greater than `overlap`. `use_difficult` counts
    difficult objects as ordinary ones.
    """
    assert truth.flag is not None
    assert found.score is not None
    difficult = np.zeros_like(truth.flag) if use_difficult else truth.flag
    positives = int((~difficult).sum())
    if positives == 0:
        return float("nan")
    order = np.argsort(-found.score, kind="stable")
    match = best_matches(truth, found, overlap)[order]
    matched = match >= 0
    ignored = matched & difficult[match]
    first = np.zeros(len(match), bool)
    first[np.unique(match, return_index=True)[1]] = True
    right = matched & ~ignored & first
    hits, misses = np.cumsum(right), np.cumsum(~right & ~ignored)
    recall = hits / positives
    precision = hits / np.maximum(hits + misses, np.finfo(np.float64).eps)
    return _eleven_points(recall, precision) if eleven_points else _area(recall, precision)


def best_matches(truth: Boxes, found: Boxes, overlap: float) -> NDArray[np.int64]:
    """(D,): for each detection the row of `truth` that it overlaps most, -1 if not enough."""
    match = np.full(len(found.image), -1, np.int64)
    by_image = np.argsort(truth.image, kind="stable")
    sorted_images = truth.image[by_image]
    detections = np.argsort(found.image, kind="stable")
    images, starts = np.unique(found.image[detections], return_index=True)
    for image, rows in zip(images, np.split(detections, starts[1:]), strict=False):
        first, last = np.searchsorted(sorted_images, [image, image + 1])
        candidates = by_image[first:last]
        if len(candidates) == 0:
            continue
        overlaps = _overlaps(found.corners[rows], truth.corners[candidates])
        best = overlaps.argmax(axis=1)
        enough = overlaps[np.arange(len(rows)), best] > overlap
        match[rows] = np.where(enough, candidates[best], -1)
    return match


def evaluate_voc(
    truth: Table,
    class_names: Sequence[str],
    results: Mapping[Any, Detections],
    overlap: float = 0.5,
) -> Evaluation:
    """Both APs: "VOC07" and "VOC12" of each class and their means, -1 without ground truth.

    As the challenge's result files have it, a detection's corners are moved by one to count from
    1 and rounded to one decimal, its score to three.
    """
    found = [results.get(image_id) for image_id in truth.image_ids]
    table = []
    for place in range(len(class_names)):
        ours, theirs = _truth_of(truth, place), _found_of(found, place)
        table.append(
            [
                average_precision(ours, theirs, overlap=overlap, eleven_points=eleven)
                for eleven in (True, False)
            ]
        )
    values = np.array(table, np.float64).reshape(-1, 2)
    known = ~np.isnan(values[:, 0])
    means = values[known].mean(axis=0) if known.any() else np.array([-1.0, -1.0])
    width = max(map(len, (*class_names, "mean")))
    lines = [f" Pascal VOC, IoU {overlap:g}: {'':<{max(width - 22, 0)}} VOC07  VOC12"]
    for name, row in (*zip(class_names, values, strict=True), ("mean", means)):
        shown = "  ".join("   - " if np.isnan(v) else f"{v:5.3f}" for v in row)
        lines.append(f" {name:<{max(width, 22)}} {shown}")
    values[~known] = -1
    return Evaluation(
        metrics=dict(zip(VOC_METRICS, map(float, means), strict=True)),
        per_class={
            name: dict(zip(VOC_METRICS, map(float, row), strict=True))
            for name, row in zip(class_names, values, strict=True)
        },
        table="\n".join(lines),
    )


def write_voc_results(
    folder: Path, results: Mapping[Any, Detections], image_ids: Sequence[Any], num_classes: int
) -> Path:
    """Write `results.json`: [class][image] rows x1 y1 x2 y2 score; class 0 is the background."""
    rows: list[list[list[list[float]]]] = [[[] for _ in image_ids] for _ in range(num_classes + 1)]
    for place, image_id in enumerate(image_ids):
        if image_id not in results:
            continue
        found = results[image_id]
        scored = np.concatenate([found.boxes, found.scores[:, None]], axis=1).tolist()
        for category, row in zip(found.classes.tolist(), scored, strict=True):
            rows[category + 1][place].append(row)
    return write_text(folder / RESULTS, json.dumps(rows) + "\n")


def _truth_of(truth: Table, place: int) -> Boxes:
    rows = truth.classes == place
    corners = truth.boxes[rows].copy()
    corners[:, 2:] += corners[:, :2]
    corners[:, :2] += 1  # from 1, both ends within: the numbers of the xml
    return Boxes(truth.image[rows], corners, flag=truth.crowd[rows])


def _found_of(found: Sequence[Detections | None], place: int) -> Boxes:
    images, corners, scores = [], [], []
    for image, detections in enumerate(found):
        if detections is None:
            continue
        rows = detections.classes == place
        images.append(np.full(int(rows.sum()), image))
        corners.append(detections.boxes[rows])
        scores.append(detections.scores[rows])
    if not images:
        return Boxes(np.zeros(0, np.int64), np.zeros((0, 4)), score=np.zeros(0))
    return Boxes(
        np.concatenate(images),
        _decimals(np.concatenate(corners).astype(np.float64) + 1, 1),
        score=_decimals(np.concatenate(scores), 3),
    )


def _decimals(values: NDArray[Any], digits: int) -> NDArray[np.float64]:
    """What is left of `values` after printing them with `digits` decimals."""
    if values.size == 0:
        return values.astype(np.float64)
    return np.char.mod(f"%.{digits}f", values).astype(np.float64)


def _overlaps(a: NDArray[np.float64], b: NDArray[np.float64]) -> NDArray[np.float64]:
    """(A, B) intersection over union, both ends of a box counted within."""
    low = np.maximum(a[:, None, :2], b[None, :, :2])
    high = np.minimum(a[:, None, 2:], b[None, :, 2:])
    common = np.maximum(high - low + 1, 0).prod(axis=2)
    area_a, area_b = ((box[:, 2:] - box[:, :2] + 1).prod(axis=1) for box in (a, b))
    return common / (area_a[:, None] + area_b[None, :] - common)


def _eleven_points(recall: NDArray[np.float64], precision: NDArray[np.float64]) -> float:
    levels = np.arange(0.0, 1.1, 0.1)
    return float(np.mean([precision[recall >= level].max(initial=0.0) for level in levels]))


def _area(recall: NDArray[np.float64], precision: NDArray[np.float64]) -> float:
    recall = np.concatenate([[0.0], recall, [1.0]])
    precision = np.concatenate([[0.0], precision, [0.0]])
    envelope = np.maximum.accumulate(precision[::-1])[::-1]
    return float((np.diff(recall) * envelope[1:]).sum())
