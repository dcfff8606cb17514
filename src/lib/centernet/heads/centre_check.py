"""Boxes made of two corners, and the check that something of their class is in their middle.

Duan et al., "CenterNet: Keypoint Triplets for Object Detection", ICCV 2019.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from centernet.structures.detections import Detections

SMALL_AREA = 150.0**2  # image pixels; up to here the middle is a third of the sides, then a fifth


def before_the_check(pairs: Detections, centres: NDArray[np.float32], zoom: float) -> Detections:
    """The `pairs` of corners of one test scale and the centres (M, 4) x y class score seen there.

    Centres are rows too, boxes without extent. Columns: `corner_scores` (N, 2), which `pairs` have
    already, `centre` (N,), whether a row is one, and `zoom` (N,), the test scale.
    """
    points, nothing = centres[:, :2], np.zeros((len(centres), 2), np.float32)
    count = len(pairs) + len(centres)
    return Detections(
        boxes=np.concatenate([pairs.boxes, np.column_stack([points, points])]),
        scores=np.concatenate([pairs.scores, centres[:, 3]]),
        classes=np.concatenate([pairs.classes, centres[:, 2].astype(np.int64)]),
        class_names=pairs.class_names,
        columns={
            "corner_scores": np.concatenate([pairs.columns["corner_scores"], nothing]),
            "centre": np.arange(count) >= len(pairs),
            "zoom": np.full(count, zoom),
        },
    )


def nearest_to_one(parts: Sequence[Detections]) -> NDArray[np.float32]:
    """The centres (M, 4) x y class score of the part whose test scale is the nearest to 1."""
    seen = [part.select(part.columns["centre"]) for part in parts]
    seen = [each for each in seen if len(each)]
    if not seen:
        return np.zeros((0, 4), np.float32)
    best = min(seen, key=lambda each: abs(math.log(each.columns["zoom"][0])))
    return np.column_stack([best.boxes[:, :2], best.classes, best.scores]).astype(np.float32)


def centre_scores(
    boxes: NDArray[np.float32], classes: NDArray[np.int64], centres: NDArray[np.float32]
) -> NDArray[np.float32]:
    """The score (N,) of the centre in the middle of each box (N, 4); -1 where there is none.

    Of several centres (M, 4) of the box's class the first counts: they come best first.
    """
    sides = boxes[:, 2:] - boxes[:, :2]
    parts = np.where(sides.prod(axis=1) <= SMALL_AREA, 3.0, 5.0)[:, None]
    margin = sides * (parts - 1) / (2 * parts)
    low, high = boxes[:, :2] + margin, boxes[:, 2:] - margin  # (N, 2)
    places = centres[:, None, :2]
    inside = ((places > low) & (places < high)).all(axis=2)
    inside &= centres[:, None, 2] == classes
    scores = np.full(len(boxes), -1, np.float32)
    if len(centres):
        found = inside.any(axis=0)
        scores[found] = centres[inside.argmax(axis=0)[found], 3]
    return scores
