from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pycocotools import mask as coco_mask

from centernet.datasets.extremes import extreme_points


def test_diamond() -> None:
    found = extreme_points([[10, 0, 20, 15, 12, 40, 3, 20]])
    np.testing.assert_array_equal(found, [[10, 0], [3, 20], [12, 40], [20, 15]])


def test_flat_sides_count_with_their_middle_wherever_the_polygon_starts() -> None:
    square = np.array([[2, 3], [12, 3], [12, 9], [2, 9]], float)
    for turn in range(4):
        for ring in (np.roll(square, turn, axis=0), np.roll(square, turn, axis=0)[::-1]):
            found = extreme_points([ring.ravel().tolist()])
            np.testing.assert_array_equal(found, [[7, 3], [2, 6], [7, 9], [12, 6]])


def test_nearly_flat_within_two_percent_of_the_height() -> None:
    nearly = [0, 1, 50, 0, 100, 1, 50, 100]  # the corners lie 1 % lower than the tip
    np.testing.assert_array_equal(extreme_points([nearly])[0], [50, 0])
    lopsided = [0, 30, 50, 0, 100, 1, 50, 100]
    np.testing.assert_array_equal(extreme_points([lopsided])[0], [75, 0])
    too_low = [0, 30, 50, 0, 100, 3, 50, 100]
    np.testing.assert_array_equal(extreme_points([too_low])[0], [50, 0])


def test_the_stretch_does_not_leap_to_another_part() -> None:
    left, right = [0, 0, 10, 20, 0, 40], [90, 0.1, 100, 20, 90, 40]
    found = extreme_points([left, right])
    np.testing.assert_allclose(found, [[0, 0], [0, 20], [0, 40], [100, 20]])


def test_nothing_is_none() -> None:
    assert extreme_points([]) is None
    assert extreme_points([[1, 2, 3, 4]]) is None
    empty = coco_mask.encode(np.asfortranarray(np.zeros((5, 5), np.uint8)))
    assert extreme_points(empty) is None


@pytest.mark.parametrize("holes", [False, True])
def test_pixels_of_a_rectangle(holes: bool) -> None:
    mask = np.zeros((30, 40), np.uint8)
    mask[5:17, 8:31] = 1
    if holes:
        mask[8:12, 12:20] = 0
    found = extreme_points(coco_mask.encode(np.asfortranarray(mask)))
    np.testing.assert_array_equal(found, [[19.5, 5], [8, 11], [19.5, 17], [31, 11]])


@settings(max_examples=60, deadline=None)
@given(st.integers(0, 2**32 - 1))
def test_pixels_agree_with_the_box_of_the_mask(seed: int) -> None:
    rng = np.random.default_rng(seed)
    mask = (rng.random((12, 17)) > 0.8).astype(np.uint8)
    runs = coco_mask.encode(np.asfortranarray(mask))
    found = extreme_points(runs)
    if not mask.any():
        assert found is None
        return
    x, y, width, height = coco_mask.toBbox(runs)
    assert found[0, 1] == y
    assert found[1, 0] == x
    assert found[2, 1] == y + height
    assert found[3, 0] == x + width
    assert (found[:, 0] >= x).all()
    assert (found[:, 0] <= x + width).all()
    assert (found[:, 1] >= y).all()
    assert (found[:, 1] <= y + height).all()


@settings(max_examples=60, deadline=None)
@given(st.integers(0, 2**32 - 1), st.integers(3, 20))
def test_polygons_give_the_extremes_of_their_vertices(seed: int, corners: int) -> None:
    points = np.random.default_rng(seed).uniform(-5, 200, (corners, 2))
    found = extreme_points([points.ravel().tolist()])
    (left, top), (right, bottom) = points.min(axis=0), points.max(axis=0)
    np.testing.assert_allclose(found[[0, 2], 1], [top, bottom], rtol=1e-6)
    np.testing.assert_allclose(found[[1, 3], 0], [left, right], rtol=1e-6)
