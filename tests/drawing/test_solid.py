"""3D drawing: corners, projection, edges behind the camera, the view from above."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from centernet.drawing.palette import colour
from centernet.drawing.solid import birds_eye, cuboid_corners, draw_cuboids
from centernet.geometry.cuboids import project
from centernet.structures.objects import Cuboids
from tests.parity_cases import cases

CAMERA = np.array([[700.0, 0, 300, 0], [0, 700.0, 100, 0], [0, 0, 1, 0]])


def cuboids(*rows: tuple[float, ...]) -> Cuboids:
    """Rows of h w l x y z rotation_y."""
    table = np.array(rows, np.float32)
    return Cuboids(table[:, :3], table[:, 3:6], table[:, 6], table[:, 6], table[:, 5])


@pytest.mark.parametrize("case", cases("ddd_utils/ddd_utils"))
def test_corners_and_projection_as_recorded(case: Any) -> None:
    given = case.inputs
    made = Cuboids(
        given["dim"], given["location"], given["rotation_y"], given["alpha"], given["depth"]
    )
    corners = cuboid_corners(made)
    np.testing.assert_allclose(corners, case.outputs["box_3d"], atol=1e-4, rtol=1e-5)
    pixels = project(corners, given["P"])
    np.testing.assert_allclose(pixels, case.outputs["project_3d_bbox"], atol=1e-2, rtol=1e-4)


def test_corners_stand_on_the_location() -> None:
    corners = cuboid_corners(cuboids((1.5, 2.0, 4.0, 10.0, 1.0, 20.0, 0.0)))[0]
    assert corners.min(axis=0).tolist() == [8.0, -0.5, 19.0]
    assert corners.max(axis=0).tolist() == [12.0, 1.0, 21.0]
    assert corners[:4, 1].tolist() == [1.0] * 4
    assert corners[:2, 0].tolist() == [12.0] * 2  # rotation 0 looks along x


def test_edges_are_drawn_where_they_project() -> None:
    image = np.full((200, 600, 3), 127, np.uint8)
    solid = cuboids((1.5, 2.0, 4.0, 0.0, 1.0, 20.0, 0.3))
    picture = draw_cuboids(image, solid, CAMERA, [colour(0)])
    pixels = project(cuboid_corners(solid), CAMERA)[0]
    y, x = np.nonzero((picture != image).any(axis=2))
    assert x.min() == pytest.approx(pixels[:, 0].min(), abs=4)
    assert x.max() == pytest.approx(pixels[:, 0].max(), abs=4)
    assert y.min() == pytest.approx(pixels[:, 1].min(), abs=4)
    assert y.max() == pytest.approx(pixels[:, 1].max(), abs=4)


def test_edges_behind_the_camera_are_cut() -> None:
    image = np.full((200, 600, 3), 127, np.uint8)
    behind = cuboids((1.5, 2.0, 4.0, 0.0, 1.0, -20.0, 0.0))
    assert np.array_equal(draw_cuboids(image, behind, CAMERA, [colour(0)]), image)
    beside = cuboids((1.5, 2.0, 8.0, 2.0, 1.0, 2.0, 1.57))  # reaches through the camera plane
    picture = draw_cuboids(image, beside, CAMERA, [colour(0)])
    assert not np.array_equal(picture, image)
    assert np.array_equal(picture[:, :250], image[:, :250])  # nothing on the wrong side


def test_birds_eye_shows_the_place() -> None:
    empty = birds_eye(cuboids((1.0, 2.0, 4.0, 0, 1, 1e6, 0)), [colour(0)], size=600, reach=60)
    picture = birds_eye(cuboids((1.5, 2.0, 4.0, 10, 1, 30, 0)), [colour(0)], size=600, reach=60)
    y, x = np.nonzero((picture != empty).any(axis=2))
    # 10 pixels a metre: x 8 .. 12 and z 29 .. 31
    assert (x.min(), x.max()) == pytest.approx((380, 420), abs=3)
    assert (y.min(), y.max()) == pytest.approx((290, 310), abs=3)
