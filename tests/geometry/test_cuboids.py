"""Boxes before a camera, against the recorded numbers of the original and against themselves."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from centernet.geometry.cuboids import (
    EDGES,
    corners,
    observation_angle,
    project,
    rotation_from,
    unproject,
    wrap,
)
from tests.parity_cases import cases


@pytest.mark.parametrize("case", cases("ddd_utils/ddd_utils"))
def test_recorded_corners_and_projections(case: Any) -> None:
    given, expected = case.inputs, case.outputs
    points = corners(given["dim"], given["location"], given["rotation_y"])
    np.testing.assert_allclose(points, expected["box_3d"], atol=1e-4, rtol=1e-5)
    image = project(points, given["P"])
    np.testing.assert_allclose(image, expected["box_2d"], atol=1e-4, rtol=1e-4)


@pytest.mark.parametrize("case", cases("ddd_utils/ddd_utils"))
def test_recorded_angles_and_places(case: Any) -> None:
    given, expected = case.inputs, case.outputs
    places = unproject(given["center"], given["depth"], given["P"])
    np.testing.assert_allclose(places, expected["unproject"], atol=1e-4, rtol=1e-5)
    rotations = rotation_from(given["alpha"], given["x"], given["P"])
    np.testing.assert_allclose(wrap(rotations - expected["alpha2rot_y"]), 0, atol=1e-4)


def test_unprojecting_undoes_projecting() -> None:
    rng = np.random.default_rng(5)
    camera = np.array([[720.0, 0, 610, 45], [0, 720, 173, 0.2], [0, 0, 1, 0.003]])
    points = rng.uniform([-10, -2, 3], [10, 2, 60], (50, 3))
    depths = points[:, 2] + camera[2, 3]
    np.testing.assert_allclose(unproject(project(points, camera), depths, camera), points)


def test_rotation_undoes_the_observation_angle() -> None:
    """Where the camera stands in the origin of the frame."""
    rng = np.random.default_rng(6)
    camera = np.array([[500.0, 0, 320, 0], [0, 500, 240, 0], [0, 0, 1, 0]])
    places = rng.uniform([-10, 1, 3], [10, 2, 60], (50, 3))
    rotations = rng.uniform(-3, 3, 50)
    alphas = observation_angle(rotations, places)
    x = project(places, camera)[:, 0]
    np.testing.assert_allclose(rotation_from(alphas, x, camera), rotations)


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
