"""What becomes of each detection and object."""

from __future__ import annotations

import numpy as np
import pytest

from centernet.datasets.evaluate.findings import (
    BACKGROUND,
    CLASS,
    DOUBLE,
    IGNORED,
    PLACE,
    RIGHT,
    Findings,
    match_image,
    overlaps,
)
from centernet.structures.detections import Detections
from centernet.structures.objects import Objects

A, B = [0, 0, 10, 10], [100, 100, 120, 120]
NEAR_A = [4, 4, 14, 14]  # IoU 0.22 with A


def truth(boxes: list, classes: list[int], crowd: list[bool] | None = None) -> Objects:
    marks = None if crowd is None else np.array(crowd)
    boxes = np.array(boxes, np.float32).reshape(-1, 4)
    return Objects(boxes, np.array(classes, np.int64), crowd=marks)


def found(*rows: tuple[list[int], float, int]) -> Detections:
    boxes = np.array([row[0] for row in rows], np.float32).reshape(-1, 4)
    return Detections(boxes, [row[1] for row in rows], [row[2] for row in rows], ("a", "b"))


def test_overlaps() -> None:
    a, b = np.array([A, [0, 0, 0, 0]], float), np.array([[0, 0, 10, 5], B, [0, 0, 0, 0]], float)
    np.testing.assert_allclose(overlaps(a, b), [[0.5, 0, 0], [0, 0, 0]])


def test_each_kind() -> None:
    objects = truth([A, B], [0, 1])
    apart = [50, 0, 60, 9]
    rows = ((A, 0.5, 0), (A, 0.9, 0), (B, 0.8, 0), (NEAR_A, 0.7, 0), (apart, 0.6, 1))
    match = match_image(objects, found(*rows))
    assert match.order.tolist() == [1, 2, 3, 4, 0]
    assert match.kind.tolist() == [RIGHT, CLASS, PLACE, BACKGROUND, DOUBLE]
    assert match.partner.tolist() == [0, 1, 0, -1, 0]
    assert match.taken.tolist() == [0, -1]


def test_the_better_score_takes_the_object() -> None:
    close = [0, 0, 10, 9]
    match = match_image(truth([A], [0]), found((A, 0.5, 0), (close, 0.6, 0)))
    assert match.order.tolist() == [1, 0]
    assert match.kind.tolist() == [RIGHT, DOUBLE]


def test_regions_swallow() -> None:
    objects = truth([[0, 0, 50, 50], B], [0, -1], crowd=[True, False])
    match = match_image(objects, found((A, 0.9, 0), (B, 0.9, 1), ([200, 0, 210, 9], 0.9, 0)))
    assert sorted(match.kind.tolist()) == [IGNORED, IGNORED, BACKGROUND]
    assert match.taken.tolist() == [-2, -2]


def test_nothing_found_and_nothing_there() -> None:
    assert match_image(truth([], []), found()).kind.tolist() == []
    assert match_image(truth([], []), found((A, 0.9, 0))).kind.tolist() == [BACKGROUND]
    assert match_image(truth([A], [0]), found()).taken.tolist() == [-1]


@pytest.fixture
def findings() -> Findings:
    findings = Findings(("a", "b"), threshold=0.5)
    findings.add(0, truth([A, B], [0, 1]), found((A, 0.9, 0), (B, 0.8, 0), (A, 0.75, 0)))
    findings.add(1, truth([A], [0]), found((A, 0.4, 0), (NEAR_A, 0.6, 0)))
    findings.add(2, truth([B], [1]), found((B, 0.95, 1)))
    findings.add(3, truth([], []), found())
    return findings


def test_sums(findings: Findings) -> None:
    assert findings.objects.tolist() == [2, 2]
    #                                      a  b  background
    assert findings.confusion.tolist() == [[1, 0, 1], [1, 1, 0], [2, 0, 0]]
    #                                  right double class place background
    assert findings.kinds.tolist() == [[1, 1, 1, 1, 0], [1, 0, 0, 0, 0]]
    #                                  class place unseen
    assert findings.missed.tolist() == [[0, 1, 0], [1, 0, 0]]
    assert [(i.right, i.wrong, i.missed) for i in findings.images] == [
        (1, 2, 1), (0, 1, 1), (1, 0, 0), (0, 0, 0),
    ]  # fmt: skip


def test_scores_against_truth(findings: Findings) -> None:
    calibration = findings.calibration()
    assert sum(calibration["count"]) == 6
    assert calibration["right"][9] == 1  # 0.9 and 0.95
    assert calibration["right"][7] == 0
    assert calibration["right"][0] == -1  # no detection
    best = findings.best_thresholds()
    # Of class a: 0.9 right, 0.8, 0.75 and 0.6 wrong, 0.4 right; two objects.
    assert best["a"] == {
        "score": 0.9,
        "precision": 1.0,
        "recall": 0.5,
        "f1": pytest.approx(2 / 3, abs=1e-4),
    }
    assert best["b"]["recall"] == 0.5


def test_ranks(findings: Findings) -> None:
    worst, best = findings.ranked(2)
    assert [image.index for image in worst] == [1, 0]
    assert [image.index for image in best] == [2]
