"""Boxes before a camera, against the recorded numbers of the original and against themselves."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from centernet.geometry3d import EDGES, corners, observation_angle, project, wrap
from tests.parity_cases import cases


@pytest.mark.parametrize("case", cases("ddd_utils/ddd_utils"))
def test_recorded_corners_and_projections(case: Any) -> None:
    given, expected = case.inputs, case.outputs
    points = corners(given["dim"], given["location"], given["rotation_y"])
    np.testing.assert_allclose(points, expected["box_3d"], atol=1e-4, rtol=1e-5)
    image = project(points, given["P"])
    np.testing.assert_allclose(image, expected["box_2d"], atol=1e-4, rtol=1e-4)


def test_edges_are_the_twelve_of_a_box() -> None:
    box = corners([1.0, 2.0, 4.0], [0, 0, 10], 0.7)
    lengths = sorted(np.linalg.norm(box[a] - box[b]) for a, b in EDGES)
    np.testing.assert_allclose(lengths, [1.0] * 4 + [2.0] * 4 + [4.0] * 4)


def test_boxes_stand_on_their_location_with_the_front_ahead() -> None:
    box = corners([1.5, 1.6, 4.0], [3, 1.65, 20], 0.0)
    np.testing.assert_allclose(box[:4].mean(0), [3, 1.65, 20])
    np.testing.assert_allclose(box[[0, 1, 4, 5]].mean(0), [5, 0.9, 20])


def test_observation_angle_is_in_range_and_follows_the_ray() -> None:
    locations = np.array([[10.0, 0, 10], [-10, 0, 10], [0, 0, 5]])
    np.testing.assert_allclose(
        observation_angle([np.pi, -np.pi, 1.0], locations), [0.75 * np.pi, -0.75 * np.pi, 1.0]
    )
    angles = np.linspace(-20, 20, 401)
    wrapped = wrap(angles)
    assert wrapped.min() >= -np.pi
    assert wrapped.max() < np.pi
    np.testing.assert_allclose(np.exp(1j * wrapped), np.exp(1j * angles), atol=1e-12)
