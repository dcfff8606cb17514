"""Overlap of turned rectangles: known figures, OpenCV's, and what must hold for any."""

from __future__ import annotations

import cv2
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from centernet.datasets.evaluate.rotated_iou import intersections

UNIT = [0.0, 0.0, 1.0, 1.0, 0.0]
rectangles = st.tuples(
    st.floats(-3, 3), st.floats(-3, 3), st.floats(0.1, 5), st.floats(0.1, 5), st.floats(-7, 7)
)


def shared(first, second) -> float:
    return float(intersections(np.array([first]), np.array([second]))[0])


@pytest.mark.parametrize(
    ("second", "area"),
    [
        (UNIT, 1),
        ([0, 0, 1, 1, np.pi / 2], 1),
        ([0, 0, 1, 1, np.pi / 4], 2 * (np.sqrt(2) - 1)),  # a regular octagon
        ([0.5, 0.25, 1, 1, 0], 0.375),
        ([1, 0, 1, 1, 0], 0),  # side by side
        ([0, 0, 0.2, 0.5, 1.1], 0.1),  # inside
        ([0, 0, 8, 9, 0.3], 1),  # around
        ([0.5, 0.5, 1, 1, np.pi / 4], 0.25),  # its corner region is a quarter of itself
        ([0, 0, -1, 1, 0], 0),
        ([0, 0, 1, 0, 0], 0),
    ],
)
def test_known_areas(second, area):
    assert shared(UNIT, second) == pytest.approx(area, abs=1e-12)


def test_length_lies_along_x_and_turns_towards_the_camera():
    """A car turned by +90 degrees about the downward y axis points to -z."""
    car = [0, 0, 4, 1, np.pi / 2]
    assert shared(car, [0, -1.5, 0.5, 0.5, 0]) == pytest.approx(0.25)
    assert shared(car, [1.5, 0, 0.5, 0.5, 0]) == 0
    ahead = [2 * np.cos(0.5), -2 * np.sin(0.5), 0.1, 0.1, 0.5]
    assert shared([0, 0, 4, 1, 0.5], ahead) == pytest.approx(0.005)


def corners(rectangle: np.ndarray) -> np.ndarray:
    """(4, 2) float32, written out: rotation_y turns x towards -z."""
    x, z, length, width, turn = rectangle
    along = np.array([np.cos(turn), -np.sin(turn)]) * length / 2
    across = np.array([np.sin(turn), np.cos(turn)]) * width / 2
    middle = np.array([x, z])
    signs = [(1, 1), (1, -1), (-1, -1), (-1, 1)]
    return np.array([middle + a * along + b * across for a, b in signs], np.float32)


def test_opencv_agrees():
    random = np.random.default_rng(0)
    first, second = (
        np.concatenate(
            [
                random.uniform(-2, 2, (300, 2)),
                random.uniform(0.5, 4, (300, 2)),
                random.uniform(-4, 4, (300, 1)),
            ],
            axis=1,
        )
        for _ in range(2)
    )
    areas = intersections(first, second)
    met = 0
    for a, b, area in zip(first, second, areas, strict=True):
        expected, _ = cv2.intersectConvexConvex(corners(a), corners(b))
        assert area == pytest.approx(expected, abs=1e-5)
        met += expected > 0
    assert 100 < met < 300


@settings(max_examples=200, deadline=None)
@given(rectangles, rectangles, st.floats(-5, 5))
def test_what_holds_for_any(first, second, turn):
    area = shared(first, second)
    assert shared(second, first) == pytest.approx(area, abs=1e-9)
    assert 0 <= area <= min(first[2] * first[3], second[2] * second[3]) + 1e-9
    assert shared(first, first) == pytest.approx(first[2] * first[3], rel=1e-9)

    def turned(rectangle):
        x, z, length, width, angle = rectangle
        cosine, sine = np.cos(turn), np.sin(turn)
        return [cosine * x + sine * z, -sine * x + cosine * z, length, width, angle + turn]

    assert shared(turned(first), turned(second)) == pytest.approx(area, abs=1e-9)


def rotated_iou(first: np.ndarray, second: np.ndarray) -> np.ndarray:
    """Intersection over union (N, M) of every rectangle of `first` (N, 5) with all of `second`."""
    first, second = np.reshape(first, (-1, 5)), np.reshape(second, (-1, 5))
    count, other = len(first), len(second)
    shared = intersections(np.repeat(first, other, axis=0), np.tile(second, (count, 1)))
    shared = shared.reshape(count, other)
    areas = [np.prod(np.maximum(boxes[:, 2:4], 0), axis=1) for boxes in (first, second)]
    union = areas[0][:, None] + areas[1] - shared
    return np.divide(shared, union, out=np.zeros_like(shared), where=union > 0)


def test_matrix_of_all_with_all():
    boxes = np.array([UNIT, [0.5, 0, 1, 1, 0], [9, 9, 1, 1, 0]])
    expected = [[1, 1 / 3, 0], [1 / 3, 1, 0], [0, 0, 1]]
    np.testing.assert_allclose(rotated_iou(boxes, boxes), expected, atol=1e-12)
    assert rotated_iou(np.zeros((0, 5)), boxes).shape == (0, 3)
    with pytest.raises(ValueError, match="paired"):
        intersections(boxes, boxes[:2])
