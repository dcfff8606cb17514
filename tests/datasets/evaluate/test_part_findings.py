"""Joints and depths of right detections are measured on what belongs together."""

from __future__ import annotations

import numpy as np
import pytest

from centernet.datasets.evaluate.findings import Findings
from centernet.datasets.evaluate.part_findings import DepthFindings, JointFindings
from centernet.structures.detections import Detections
from centernet.structures.objects import Cuboids, Objects


def test_joints() -> None:
    """Two objects of 10 x 10, found in the other order; one joint is 2 away, one not labelled."""
    boxes = np.array([[0, 0, 10, 10], [50, 50, 60, 60]], np.float32)
    joints = np.array([[[1, 1, 2], [5, 5, 2]], [[51, 51, 2], [55, 55, 0]]], np.float32)
    truth = Objects(boxes, np.zeros(2, np.int64), keypoints=joints)
    moved = joints[::-1].copy()
    moved[1, 1, 0] += 2
    found = Detections(boxes[::-1], [0.9, 0.8], [0, 0], ("a",), keypoints=moved)
    figures = JointFindings(["eye", "ear"])
    figures.add(truth, found, Findings(["a"], 0.3).add(0, truth, found))
    eye, ear = figures.as_rows()
    assert (eye["count"], eye["median"], eye["near"]) == (2, 0, 1)
    assert (ear["count"], ear["near"]) == (1, 0)
    assert ear["median"] == pytest.approx(0.2)
    assert JointFindings(["eye"]).as_rows() == []


def test_depths() -> None:
    """One of two near objects is found, 1.5 m off; the far one is missed."""
    boxes = np.array([[0, 0, 10, 10], [20, 0, 30, 10], [50, 50, 60, 60]], np.float32)

    def solid(depths: list[float]) -> Cuboids:
        n = len(depths)
        places = np.zeros((n, 3), np.float32)
        places[:, 2] = depths
        angle = np.zeros(n, np.float32)
        return Cuboids(np.ones((n, 3), np.float32), places, angle, angle, places[:, 2].copy())

    truth = Objects(boxes, np.zeros(3, np.int64), cuboids=solid([5, 8, 70]))
    found = Detections(boxes[1:2], [0.9], [0], ("a",), cuboids=solid([9.5]))
    figures = DepthFindings()
    figures.add(truth, found, Findings(["a"], 0.3).add(0, truth, found))
    assert figures.as_rows() == [
        {"range": "0 to 10 m", "objects": 2, "found": 0.5, "median": 1.5},
        {"range": "60 m and more", "objects": 1, "found": 0.0, "median": None},
    ]
