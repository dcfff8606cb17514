from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from centernet.datasets import open_source
from centernet.datasets.coco import open_coco
from centernet.datasets.inspect import Report, compare
from centernet.runtime.errors import UserError
from tests.datasets.made_up import annotation, image_entry, write_coco

NAN, INF = float("nan"), float("inf")
JOINTED = {"id": 1, "name": "thing", "keypoints": ["a", "b"]}

# fault, what is wrong with annotation 17 of a.png, and how the message ends
FAULTS: list[Any] = [
    ("width", {"box": (5, 6, -3, 10)}, "width -3"),
    ("no width", {"box": (5, 6, 0, 10)}, "width 0"),
    ("no height", {"box": (5, 6, 4, 0)}, "height 0"),
    ("nan", {"box": (5, NAN, 4, 5)}, "box 5 nan 4 5"),
    ("inf", {"box": (5, 6, INF, 5)}, "box 5 6 inf 5"),
    ("right of it", {"box": (60, 6, 4, 5)}, "box 60 6 4 5 is outside the 60 x 40 image"),
    ("below it", {"box": (5, 40, 4, 5)}, "box 5 40 4 5 is outside the 60 x 40 image"),
    ("left of it", {"box": (-9, 6, 4, 5)}, "box -9 6 4 5 is outside the 60 x 40 image"),
    ("above it", {"box": (5, -9, 4, 9)}, "box 5 -9 4 9 is outside the 60 x 40 image"),
    ("three numbers", {"bbox": [1, 2, 3]}, "no box of 4 numbers"),
    ("words", {"bbox": ["a", 2, 3, 4]}, "no box of 4 numbers"),
    ("no box", {"bbox": None}, "no box of 4 numbers"),
    ("category", {"category": 9}, "category_id 9 is not in 'categories'"),
    ("list as category", {"category": [1]}, r"category_id [1] is not in 'categories'"),
    ("keypoints", {"keypoints": [1, 2, 2]}, "3 keypoint numbers, 6 wanted (2 joints)"),
    ("keypoint as a word", {"keypoints": "nose"}, "no keypoints, 6 wanted (2 joints)"),
    ("null keypoint", {"keypoints": [1, 2, 2, None, 4, 2]}, "keypoint not finite"),
    ("nan keypoint", {"keypoints": [1, 2, 2, NAN, 4, 2]}, "keypoint not finite"),
]


@pytest.mark.parametrize(("change", "end"), [f[1:] for f in FAULTS], ids=[f[0] for f in FAULTS])
def test_a_bad_object_is_dropped_by_name_or_stops(
    tmp_path: Path, change: dict[str, Any], end: str
) -> None:
    good = annotation(16, keypoints=[1, 2, 2, 3, 4, 2])
    bad = annotation(17, **{"keypoints": [1, 2, 2, 3, 4, 2], **change})
    path = write_coco(tmp_path / "train.json", [good, bad], [JOINTED], [image_entry(1, "a.png")])
    source = open_coco(path, tmp_path)
    assert source.objects(0).ids.tolist() == [16]
    assert source.report.lines() == [
        f"train.json: annotation 17, 'a.png': {end}, dropped (--strict to stop)"
    ]
    with pytest.raises(UserError) as stop:
        open_coco(path, tmp_path, strict=True)
    assert str(stop.value).startswith(f"train.json: annotation 17, 'a.png': {end} (without")


def test_boxes_that_reach_outside_are_kept(tmp_path: Path) -> None:
    boxes = [(-5, -5, 10, 10), (55, 35, 10, 10), (-5, -5, 100, 100), (59.5, 0, 9, 9)]
    path = write_coco(tmp_path / "t.json", [annotation(n, box=b) for n, b in enumerate(boxes)])
    assert len(open_coco(path, tmp_path, strict=True).objects(0)) == 4


def test_annotation_without_image(tmp_path: Path) -> None:
    path = write_coco(tmp_path / "t.json", [annotation(1), annotation(2, image=99)])
    source = open_coco(path, tmp_path)
    assert source.report.lines() == [
        "t.json: annotation 2: image_id 99 is not in 'images', dropped (--strict to stop)"
    ]


def test_missing_image_takes_its_objects_along(tmp_path: Path) -> None:
    path = write_coco(tmp_path / "t.json", [annotation(1), annotation(2, 2), annotation(3, 2)])
    (tmp_path / "2.png").unlink()
    source = open_coco(path, tmp_path)
    assert len(source) == 1
    assert source.objects(0).ids.tolist() == [1]
    (line,) = source.report.lines()
    assert line.startswith("t.json: image '2.png': no such file in")
    assert "(2 objects go with it)" in line
    with pytest.raises(UserError, match=r"image '2\.png': no such file"):
        open_coco(path, tmp_path, strict=True)


def test_no_image_at_all_names_the_folder(tmp_path: Path) -> None:
    path = write_coco(tmp_path / "t.json", [annotation(1)])
    with pytest.raises(UserError, match=r"none of its 2 images is in .*other.*--image_dir"):
        open_coco(path, tmp_path / "other")


def test_images_in_folders_of_their_own(tmp_path: Path) -> None:
    images = [image_entry(1, "left/1.png"), image_entry(2, "right/2.png")]
    path = write_coco(tmp_path / "t.json", [annotation(1)], images=images)
    (tmp_path / "right" / "2.png").unlink()
    assert len(open_coco(path, tmp_path)) == 1


def test_repeated_image_id(tmp_path: Path) -> None:
    images = [image_entry(1, "a.png"), image_entry(1, "b.png")]
    source = open_coco(write_coco(tmp_path / "t.json", [annotation(1)], images=images), tmp_path)
    assert len(source) == 1
    assert source.report.lines() == [
        "t.json: image 'b.png': image id 1 is already that of 'a.png', dropped (--strict to stop)"
    ]


def test_image_entry_without_name(tmp_path: Path) -> None:
    path = write_coco(tmp_path / "t.json", [annotation(1)])
    data = json.loads(path.read_text())
    data["images"].append({"id": 3})
    path.write_text(json.dumps(data))
    source = open_coco(path, tmp_path)
    assert len(source) == 2
    assert "image 3 of the list: image without 'id' or 'file_name'" in source.report.lines()[0]


def test_ten_faults_are_told_and_the_rest_counted(tmp_path: Path) -> None:
    bad = [annotation(n, box=(1, 1, 0, 5)) for n in range(20)]
    bad += [annotation(n, category=9) for n in range(20, 25)]
    source = open_coco(write_coco(tmp_path / "t.json", [*bad, annotation(30)]), tmp_path)
    lines = source.report.lines()
    assert len(lines) == 11
    assert (
        lines[-1] == "t.json: ... and 15 more; dropped in all: 20 without area, 5 unknown category"
    )
    assert len(source.objects(0)) == 1


def test_faults_are_told_when_a_source_is_opened(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    write_coco(tmp_path / "t.json", [annotation(17, box=(5, 6, -3, 10))])
    told: list[str] = []
    open_source("custom", "train", tmp_path, train_json=tmp_path / "t.json", log=told.append)
    expected = "t.json: annotation 17, '1.png': width -3, dropped (--strict to stop)"
    assert told == [expected]
    assert capsys.readouterr().err == ""
    open_source("custom", "train", tmp_path, train_json=tmp_path / "t.json")
    assert capsys.readouterr().err == expected + "\n"


def test_report_keeps_notes_apart() -> None:
    report = Report("x")
    report.notes.append("a remark")
    assert report.lines() == ["a remark"]


def pair(tmp_path: Path, **val: Any) -> tuple[Any, Any]:
    train = write_coco(tmp_path / "train" / "train.json", [annotation(1)])
    val.setdefault("annotations", [annotation(1)])
    other = write_coco(tmp_path / "val" / "val.json", **val)
    return open_coco(train, train.parent), open_coco(other, other.parent)


def test_training_and_validation_that_fit(tmp_path: Path) -> None:
    assert compare(*pair(tmp_path)) == []


def test_validation_on_training_images_is_said(tmp_path: Path) -> None:
    train, _ = pair(tmp_path)
    assert compare(train, train) == [
        "all of the 2 validation images are training images too: AP flatters"
    ]


def test_validation_without_objects_is_said(tmp_path: Path) -> None:
    assert "no object" in compare(*pair(tmp_path, annotations=[]))[0]
    train, empty = pair(tmp_path, annotations=[], images=[])
    assert len(empty) == 0
    assert "no image" in compare(train, empty)[0]


def test_training_without_objects_is_said(tmp_path: Path) -> None:
    """As when the labels lie where no one looks for them."""
    train, empty = pair(tmp_path, annotations=[])
    assert compare(empty, train) == ["the training part has no object: nothing will be learned"]


def test_classes_that_differ_are_an_error(tmp_path: Path) -> None:
    other = [{"id": 1, "name": "thing"}, {"id": 2, "name": "more"}]
    with pytest.raises(UserError, match="only in validation: more"):
        compare(*pair(tmp_path, categories=other))
