"""The 3D labels, the camera and the picture agree with each other."""

from __future__ import annotations

import numpy as np
import pytest

from centernet.datasets.toy import cuboids
from centernet.datasets.toy.kitti_files import calibration_text, label_row
from centernet.datasets.toy.livery import faces_of
from centernet.datasets.toy.relief import Relief
from centernet.datasets.toy.scene import generator
from centernet.geometry.cuboids import corners, project


@pytest.fixture(scope="module")
def streets() -> list[cuboids.Street]:
    return [cuboids.draw_cuboids(generator(0, "cuboids", "train", i)) for i in range(40)]


def test_projected_boxes_are_the_labelled_ones(streets: list[cuboids.Street]) -> None:
    limit = [cuboids.WIDTH - 1, cuboids.HEIGHT - 1] * 2
    for street in streets:
        for cuboid in street.cuboids:
            solid = corners(cuboid.dimensions, cuboid.location, cuboid.rotation_y)
            points = project(solid, street.calibration)
            box = np.concatenate([points.min(0), points.max(0)])
            np.testing.assert_allclose(np.clip(box, 0, limit), cuboid.box, atol=0.006)
            inside = np.prod(np.subtract(cuboid.box[2:], cuboid.box[:2]))
            whole = np.prod(box[2:] - box[:2])
            assert cuboid.truncated == pytest.approx(1 - inside / whole, abs=0.006)


def test_labels_are_consistent(streets: list[cuboids.Street]) -> None:
    found = [cuboid for street in streets for cuboid in street.cuboids]
    assert {cuboid.name for cuboid in found} == set(cuboids.CLASSES)
    assert {cuboid.occluded for cuboid in found} == {0, 1, 2, None}
    for cuboid in found:
        x, y, z = cuboid.location
        assert cuboids.DEPTH[0] - 0.01 <= z <= cuboids.DEPTH[1] + 0.01
        assert cuboids.CAMERA_HEIGHT[0] <= y <= cuboids.CAMERA_HEIGHT[1]
        turn = cuboid.alpha - (cuboid.rotation_y - np.arctan2(x, z))
        assert abs(np.angle(np.exp(1j * turn))) <= 0.0051
        assert 0 <= cuboid.truncated <= cuboids.TRUNCATION
        for number in (*cuboid.dimensions, *cuboid.location, cuboid.rotation_y):
            assert number == round(number, 2)


def test_a_lone_cuboid_is_painted_exactly_in_its_box(streets: list[cuboids.Street]) -> None:
    camera = streets[0].calibration
    for rotation in (-2.0, 0.0, 0.4, 1.57, 3.0):
        size, place = np.array([1.5, 1.6, 3.9]), np.array([1.0, 1.65, 12.0])
        cuboid = cuboids.label("Car", size, place, rotation, camera)
        relief = Relief(np.zeros((cuboids.HEIGHT, cuboids.WIDTH, 3), np.float32), camera)
        relief.add(faces_of("Car", corners(size, place, rotation), np.full(3, 255, np.float32)))
        rows, columns = np.nonzero(relief.owner == 0)
        painted = [columns.min(), rows.min(), columns.max(), rows.max()]
        np.testing.assert_allclose(painted, cuboid.box, atol=1.0)
        assert relief.visible(0) == 1.0
        assert (relief.image.max(2) > 0)[rows, columns].all()


def test_the_nearer_cuboid_hides_the_farther_whatever_the_order(
    streets: list[cuboids.Street],
) -> None:
    camera = streets[0].calibration
    size, paint = np.array([1.5, 1.6, 3.9]), np.full(3, 255, np.float32)
    near, far = (corners(size, [0.5, 1.65, z], 0.3) for z in (8.0, 16.0))
    owners = []
    for order in ((near, far), (far, near)):
        relief = Relief(np.zeros((cuboids.HEIGHT, cuboids.WIDTH, 3), np.float32), camera)
        for box in order:
            relief.add(faces_of("Car", box, paint))
        owners.append(relief.owner == (0 if order[0] is near else 1))
        hidden = relief.visible(1 if order[0] is near else 0)
        assert hidden < 0.5
    np.testing.assert_array_equal(*owners)


def test_faces_look_outwards_and_close_the_box() -> None:
    box = corners([1.5, 1.6, 3.9], [2.0, 1.65, 12.0], 0.6)
    faces = faces_of("Cyclist", box, np.full(3, 255, np.float32))
    centre = box.mean(0)
    for face in faces:
        middle = face.corner + (face.right + face.down) / 2
        assert face.normal @ (middle - centre) > 0
        assert abs(face.normal @ face.right) < 1e-9
        assert abs(face.normal @ face.down) < 1e-9
    np.testing.assert_allclose(sum(face.normal for face in faces), 0, atol=1e-9)


@pytest.mark.parametrize(
    ("visible", "level"), [(1.0, 0), (0.9, 0), (0.89, 1), (0.5, 1), (0.3, 2), (0.1, None)]
)
def test_levels_of_occlusion(visible: float, level: int | None) -> None:
    assert cuboids.occlusion(visible) == level


def test_label_rows_have_fifteen_fields(streets: list[cuboids.Street]) -> None:
    for street in streets:
        for cuboid in street.cuboids:
            fields = label_row(cuboid).split()
            assert len(fields) == 15
            numbers = [float(field) for field in fields[1:]]
            np.testing.assert_allclose(numbers[3:7], cuboid.box, atol=1e-9)
            if cuboid.occluded is None:
                assert fields[0] == "DontCare"
                assert numbers[7:] == [-1, -1, -1, -1000, -1000, -1000, -10]
            else:
                expected = (*cuboid.dimensions, *cuboid.location, cuboid.rotation_y)
                assert tuple(numbers[7:]) == expected


def test_calibration_file_gives_back_the_matrix(streets: list[cuboids.Street]) -> None:
    lines = dict(line.split(": ") for line in calibration_text(streets[0].calibration).splitlines())
    matrix = np.array(lines["P2"].split(), float).reshape(3, 4)
    np.testing.assert_array_equal(matrix, streets[0].calibration)
    assert [len(lines[key].split()) for key in ("P0", "R0_rect", "Tr_velo_to_cam")] == [12, 9, 12]
