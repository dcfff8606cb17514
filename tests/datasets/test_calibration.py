"""Camera matrices from files and from the command line."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from centernet.datasets.calibration import (
    assumed_calibration,
    parse_calibration,
    read_calibration,
)
from centernet.geometry.cuboids import project
from centernet.runtime.errors import UserError
from tests import real_data

GOOD = "P0: " + "1 " * 12 + "\nP2: 700 0 600 45 0 700 180 -0.3 0 0 1 0.005\nR0_rect: 1 0 0\n"


def written(folder: Path, text: str) -> Path:
    path = folder / "000007.txt"
    path.write_text(text)
    return path


def test_p2_is_read(tmp_path: Path) -> None:
    matrix = read_calibration(written(tmp_path, GOOD))
    assert matrix.dtype == np.float32
    np.testing.assert_allclose(
        matrix, [[700, 0, 600, 45], [0, 700, 180, -0.3], [0, 0, 1, 0.005]], rtol=1e-6
    )


def test_kittis_own_files() -> None:
    folder = real_data.folder("kitti") / "training" / "calib"
    matrices = [read_calibration(path) for path in sorted(folder.iterdir())]
    assert len(matrices) == 32
    assert all(700 < matrix[0, 0] < 725 for matrix in matrices)


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("", r"000007\.txt: no row 'P2: \.\.\.'"),
        ("P2 700 0 600\n", "no row 'P2"),
        ("P1: 1\nP2: 700 0 600 45 0 700 180\n", r"000007\.txt, row 2: P2 has 7 numbers; .* 12"),
        ("P2: 700 0 600 45 0 700 180 x 0 0 1 0\n", "row 1: P2 is not twelve numbers"),
        ("P2: 700 0 nan 45 0 700 180 0 0 0 1 0\n", "row 1: P2: not every number is finite"),
        ("P2: 0 0 600 45 0 700 180 0 0 0 1 0\n", "row 1: P2: focal lengths must be positive"),
    ],
)
def test_bad_files(tmp_path: Path, text: str, reason: str) -> None:
    with pytest.raises(UserError, match=reason) as raised:
        read_calibration(written(tmp_path, text))
    assert "\n" not in str(raised.value)


def test_missing_file(tmp_path: Path) -> None:
    with pytest.raises(UserError, match=r"000001\.txt: no such calibration file"):
        read_calibration(tmp_path / "000001.txt")


def test_what_a_user_may_name(tmp_path: Path) -> None:
    path = written(tmp_path, GOOD)
    assert np.array_equal(parse_calibration(str(path)), read_calibration(path))
    matrix = parse_calibration("800,810,320,240")
    assert matrix.tolist() == [[800, 0, 320, 0], [0, 810, 240, 0], [0, 0, 1, 0]]


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("800,800,320", "3 numbers; a camera is four"),
        ("800,800,a,240", "must be numbers"),
        ("-800,800,320,240", "must be positive"),
        ("nowhere.txt", "no such calibration file"),
    ],
)
def test_what_a_user_may_not_name(text: str, reason: str) -> None:
    with pytest.raises(UserError, match=reason):
        parse_calibration(text)


def test_an_assumed_camera_follows_the_size_of_the_image() -> None:
    small, large = assumed_calibration((375, 1242)), assumed_calibration((750, 2484))
    assert small[0, 0] == pytest.approx(721.5377)
    points = np.array([[1.0, 0.5, 9.0], [-4.0, 1.0, 30.0]])
    np.testing.assert_allclose(2 * project(points, small), project(points, large), rtol=1e-5)
