"""Joining scales: soft-NMS by class with everything that belongs to a box, and the cut."""

from __future__ import annotations

from itertools import pairwise

import numpy as np
import pytest

from centernet.structures.detections import Detections
from centernet.structures.merge import merge_scales, soften

NAMES = ("a", "b")


def crowd(count: int = 60) -> Detections:
    rng = np.random.default_rng(4)
    corners = rng.uniform(0, 25, (count, 2))
    boxes = np.concatenate([corners, corners + rng.uniform(30, 60, (count, 2))], axis=1)
    tags = np.arange(count, dtype=np.float32)
    return Detections(
        boxes,
        rng.uniform(0, 1, count),
        rng.integers(0, 2, count),
        NAMES,
        keypoints=np.repeat(tags[:, None, None], 3, axis=2),
        identities=np.arange(count),
    )


def gaussian_soft_nms(found: Detections) -> dict[int, float]:
    """{row: new score} of one class, straight from the paper, in float64."""
    rows = list(range(len(found)))
    boxes = found.boxes.astype(np.float64)
    scores = found.scores.astype(np.float64)
    kept: dict[int, float] = {}
    while rows:
        best = max(rows, key=lambda row: scores[row])
        rows.remove(best)
        kept[best] = scores[best]
        for row in rows:
            low, high = np.maximum(boxes[best], boxes[row]), np.minimum(boxes[best], boxes[row])
            inner = (high[2:] - low[:2] + 1).clip(0).prod()
            areas = [(boxes[r, 2:] - boxes[r, :2] + 1).prod() for r in (best, row)]
            scores[row] *= np.exp(-((inner / (sum(areas) - inner)) ** 2) / 0.5)
        rows = [row for row in rows if scores[row] >= 0.001]
    return kept


def test_soften_is_the_paper_by_class_and_moves_whole_rows() -> None:
    found = crowd()
    softened = soften(found)
    for index in range(2):
        given = found.select(found.classes == index)
        ours = softened.select(softened.classes == index)
        expected = {
            int(given.identities[row]): score for row, score in gaussian_soft_nms(given).items()
        }
        assert expected.keys() == set(ours.identities.tolist())
        assert len(expected) < len(given)  # some went
        for row, identity in enumerate(ours.identities):
            assert ours.scores[row] == pytest.approx(expected[identity], rel=1e-4)
            assert ours.keypoints[row, 0, 0] == identity
            assert np.array_equal(ours.boxes[row], found.boxes[identity])


def test_given_rows_are_not_changed() -> None:
    found = crowd()
    boxes, scores = found.boxes.copy(), found.scores.copy()
    soften(found)
    assert np.array_equal(found.boxes, boxes)
    assert np.array_equal(found.scores, scores)


def test_merge_sorts_and_cuts_but_keeps_ties() -> None:
    scores = [0.1, 0.9, 0.5, 0.5, 0.5, 0.3]
    found = Detections(np.zeros((6, 4)), scores, np.zeros(6), NAMES, identities=np.arange(6))
    merged = merge_scales([found], nms=False, limit=3)
    assert merged.scores == pytest.approx([0.9, 0.5, 0.5, 0.5])
    assert merged.identities.tolist() == [1, 2, 3, 4]
    assert len(merge_scales([found], nms=False, limit=6)) == 6
    assert len(merge_scales([found], nms=False, limit=0)) == 6


def test_scales_are_joined() -> None:
    found = crowd()
    halves = [found.select(slice(0, 25)), found.select(slice(25, 60))]
    merged = merge_scales(halves, nms=True, limit=100)
    alone = merge_scales([found], nms=True, limit=100)
    assert np.array_equal(merged.identities, alone.identities)
    assert all(a >= b for a, b in pairwise(merged.scores))


def test_nothing_found() -> None:
    empty = Detections.empty(NAMES)
    assert len(merge_scales([empty, empty], nms=True)) == 0
