"""The toy set as a data set."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from centernet.datasets import open_source
from centernet.datasets.toy import shapes, write_toy
from centernet.datasets.toy.source import READINGS, part_for
from centernet.runtime.errors import UserError


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("data")
    write_toy(folder / "toy", parts=list(READINGS), counts={name: (40, 3) for name in READINGS})
    return folder


@pytest.mark.parametrize(
    ("wanted", "part"),
    [
        ({"boxes"}, "shapes"),
        ({"boxes", "extremes", "masks"}, "shapes"),
        ({"boxes", "keypoints"}, "figures"),
        ({"boxes", "cuboids"}, "cuboids"),
        ({"boxes", "identities"}, "motion"),
    ],
)
def test_a_task_gets_the_part_that_has_what_it_needs(wanted: set[str], part: str) -> None:
    assert part_for(wanted) == part


def test_no_part_has_everything() -> None:
    with pytest.raises(UserError, match="no part has cuboids and keypoints at once"):
        part_for({"cuboids", "keypoints"})


def test_shapes_are_read_with_their_own_classes(data: Path) -> None:
    source = open_source("toy", "val", data, wanted={"boxes"})
    assert len(source) == 3
    assert source.info.class_names == tuple(shapes.CLASSES)
    assert source.info.category_ids == (1, 3, 7, 8, 12)
    assert {"boxes", "masks", "extremes"} <= source.info.provides
    assert source.image(0).shape == (shapes.SIDE, shapes.SIDE, 3)


def test_figures_are_read_with_their_mirror_pairs(data: Path) -> None:
    source = open_source("toy", "train", data, wanted={"keypoints"})
    assert source.info.class_names == ("person",)
    assert len(source.info.joints) == 17
    assert source.info.flip_pairs == tuple((i, i + 1) for i in range(1, 17, 2))
    objects = [source.objects(index) for index in range(len(source))]
    assert sum(len(each) for each in objects) > 20
    for each in objects:
        if len(each):
            assert each.keypoints.shape[1:] == (17, 3)


def test_faces_are_read_by_name(data: Path) -> None:
    info = open_source("toy", "val", data, part="faces").info
    assert info.joints == ("left_eye", "right_eye", "nose", "left_mouth", "right_mouth")
    assert info.flip_pairs == ((0, 1), (3, 4))


@pytest.mark.parametrize("part", READINGS)
def test_mean_and_deviation_are_those_of_the_pictures(data: Path, part: str) -> None:
    source = open_source("toy", "train", data, part=part)
    colours = np.stack([source.image(i)[::4, ::4] for i in range(len(source))]) / 255
    np.testing.assert_allclose(colours.mean((0, 1, 2)), source.info.mean, atol=0.05)
    np.testing.assert_allclose(colours.std((0, 1, 2)), source.info.std, atol=0.03)


def test_test_is_val(data: Path) -> None:
    val, test = (open_source("toy", split, data) for split in ("val", "test"))
    assert [val.image_id(i) for i in range(3)] == [test.image_id(i) for i in range(3)]
