from __future__ import annotations

import copy
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given

from centernet.datasets.coco import open_coco
from centernet.runtime.errors import UserError
from tests.attack.mutate import TRIED, json_attacks, written
from tests.datasets.made_up import annotation, image_entry, write_coco

CUBOID = {"alpha": 0.1, "depth": 9.0, "dim": [1.5, 1.6, 4.0], "location": [1.0, 2.0, 9.0],
          "rotation_y": 0.2, "track_id": 5}  # fmt: skip
CAMERA = [[700.0, 0, 30, 1], [0, 700, 20, 2], [0, 0, 1, 0.1]]
RUNS = {"size": [40, 60], "counts": [124, 6, 2270]}
DOCUMENT: dict[str, Any] = {
    "images": [{**image_entry(1), "calib": CAMERA}, image_entry(2)],
    "annotations": [
        annotation(1, keypoints=[1, 2, 2, 3, 4, 1], segmentation=[[10.0, 5, 20, 15, 10, 25]],
                   **CUBOID),
        annotation(2, 2, extreme_points=[7, 1, 2, 3, 8, 9, 12, 4], **CUBOID),
        annotation(3, segmentation=RUNS, iscrowd=1),
    ],
    "categories": [
        {"id": 1, "name": "thing", "keypoints": ["a", "b"], "skeleton": [[1, 2]],
         "sigmas": [0.1, 0.2], "flip_pairs": [["a", "b"]], "supercategory": "none"},
    ],
}  # fmt: skip
ALL = frozenset({"boxes", "keypoints", "extremes", "masks", "cuboids", "identities"})


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    root = tmp_path_factory.mktemp("coco")
    write_coco(root / "whole.json")
    return root


def in_one_line(error: UserError, path: Path) -> str:
    """The message, which is a line that begins with the file."""
    assert "\n" not in str(error)
    assert str(error).startswith((path.name, str(path)))
    return str(error)


def read(folder: Path, data: bytes) -> str:
    """What the door says of a file: nothing that is not in words may come through."""
    path = folder / "t.json"
    path.write_bytes(data)
    try:
        source = open_coco(path, folder, wanted=ALL)
    except UserError as error:
        return in_one_line(error, path)
    for index in range(len(source)):
        objects = source.objects(index)
        assert objects.boxes.dtype == "float32"
        assert (objects.boxes[:, 2:] > objects.boxes[:, :2]).all()
    return "\n".join(source.report.lines())


@TRIED
@given(data=json_attacks(copy.deepcopy(DOCUMENT)))
def test_no_coco_file_ends_in_a_traceback(folder: Path, data: bytes) -> None:
    assert len(read(folder, data)) < 20_000


def test_cut_at_every_byte(folder: Path) -> None:
    whole = written(DOCUMENT).encode()
    for end in range(0, len(whole), 7):
        assert "damaged" in read(folder, whole[:end]) or "no 'images'" in read(folder, whole[:end])


@pytest.mark.parametrize(
    ("change", "told"),
    [
        ({"iscrowd": "0"}, "t.json: 'iscrowd' in 'annotations' read as meant: 1: '0'"),
        ({"iscrowd": "False"}, "t.json: 'iscrowd' in 'annotations' read as meant: 1: 'False'"),
        ({"id": 2**70}, "t.json: 1 annotation ids are no whole numbers of 64 bits: they are called"
                        " by their places in the list"),
        ({"bbox": "[5, 6, 20, 10]"}, "t.json: 'bbox' in 'annotations' read as meant: 1:"
                                     " '[5, 6, 20, 10]'"),
        ({"image_id": "1"}, "t.json: 'image_id' in 'annotations' read as meant: 1: '1'"),
        ({"image_id": 1.0}, "t.json: 'image_id' in 'annotations' read as meant: 1: 1.0"),
        ({"area": -5}, "t.json: areas that are not above 0 or too large or small: that of the box"
                       " is taken: 1: annotation 1, '1.png'"),
    ],
)  # fmt: skip
def test_what_is_plainly_meant_is_taken_and_told(
    tmp_path: Path, change: dict[str, Any], told: str
) -> None:
    path = write_coco(tmp_path / "t.json", [annotation(1) | change])
    source = open_coco(path, tmp_path)
    assert source.report.lines() == [told]
    objects = source.objects(0)
    assert objects.boxes.tolist() == [[5, 6, 25, 16]]
    assert not objects.crowd.any()
    assert source.table.areas.tolist() == [200]


def test_what_is_not_is_named(tmp_path: Path) -> None:
    rows = [annotation(1) | {"iscrowd": "perhaps"}, annotation(2)]
    source = open_coco(write_coco(tmp_path / "t.json", rows), tmp_path)
    assert source.report.lines() == [
        "t.json: annotation 1, '1.png': 'iscrowd' is 'perhaps', not 0 or 1, dropped"
        " (--strict to stop)"
    ]
    assert source.objects(0).ids.tolist() == [2]


def test_sizes_of_any_spelling_guard_the_boxes(tmp_path: Path) -> None:
    for size in (60.0, "60", "60.0"):
        images = [image_entry(1) | {"width": size}]
        source = open_coco(
            write_coco(tmp_path / "t.json", [annotation(1)], images=images), tmp_path
        )
        assert source.table.sizes.tolist() == [[40, 60]]
