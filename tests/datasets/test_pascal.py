from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from centernet.datasets import open_source
from centernet.datasets.pascal import open_voc_folder
from centernet.datasets.published import VOC_CLASSES
from centernet.runtime.errors import UserError
from centernet.structures.detections import Detections
from tests.datasets.made_up import write_voc
from tests.real_data import folder


def devkit(root: Path) -> Path:
    write_voc(
        root / "VOC2007",
        {"trainval": ["000001"], "test": ["000002", "000003"]},
        {
            "000001": [("car", (1, 1, 10, 20))],
            "000002": [("cat", (5, 6, 14, 25)), ("dog", (20, 5, 40, 30))],
        },
        difficult=["dog"],
    )
    write_voc(root / "VOC2012", {"trainval": ["2008_000001"]}, {})
    return root


@pytest.mark.parametrize("inner", ["voc/VOCdevkit", "voc", "pascal/VOCdevkit", "VOCdevkit", ""])
def test_devkit_folders_wherever_they_were_unpacked(tmp_path: Path, inner: str) -> None:
    devkit(tmp_path / inner)
    train = open_source("pascal", "train", tmp_path)
    assert [train.image_id(n) for n in range(len(train))] == ["000001", "2008_000001"]
    assert all(train.path(n).is_file() for n in range(2))
    assert train.image(1).shape == (40, 60, 3)
    assert len(open_source("pascal", "val", tmp_path)) == 2


def test_facts_of_the_published_models(tmp_path: Path) -> None:
    info = open_source("pascal", "test", devkit(tmp_path)).info
    assert info.class_names == VOC_CLASSES
    assert len(VOC_CLASSES) == 20
    assert info.category_ids == tuple(range(1, 21))
    assert info.resolution == (384, 384)
    assert info.max_objects == 50
    assert info.mean == (0.485, 0.456, 0.406)
    assert info.std == (0.229, 0.224, 0.225)


def test_corners_count_from_one_and_lie_within(tmp_path: Path) -> None:
    source = open_source("pascal", "val", devkit(tmp_path))
    objects = source.objects(0)
    np.testing.assert_array_equal(objects.boxes, [[4, 5, 14, 25], [19, 4, 40, 30]])
    assert [VOC_CLASSES[c] for c in objects.classes] == ["cat", "dog"]
    assert objects.crowd.tolist() == [False, True]  # difficult
    assert len(source.objects(1)) == 0


def test_evaluation_gives_both_measures(tmp_path: Path) -> None:
    source = open_source("pascal", "val", devkit(tmp_path))
    cat = VOC_CLASSES.index("cat")
    # A difficult dog that is not found costs nothing.
    found = {"000002": Detections([[4, 5, 14, 25]], [0.8], [cat])}
    evaluation = source.evaluate(found, tmp_path / "out")
    metrics = evaluation.metrics
    assert next(iter(metrics)) == "AP"
    assert list(metrics) == list(source.metric_names)
    assert [metrics[name] for name in ("AP", "VOC07", "VOC12")] == [pytest.approx(1)] * 3
    assert "Pascal VOC, IoU 0.5" in evaluation.table
    assert set(evaluation.per_class["cat"]) == {"AP", "AP50", "VOC07", "VOC12"}
    rows = json.loads((tmp_path / "out" / "results.json").read_text())
    assert len(rows) == 21
    assert rows[cat + 1][0] == [[4, 5, 14, 25, pytest.approx(0.8)]]


def test_absent_devkit_says_where_and_what_else(tmp_path: Path) -> None:
    with pytest.raises(UserError, match=r"VOC2007.*trainval\.txt.*--data_dir.*--dataset toy"):
        open_source("pascal", "train", tmp_path)


def test_bad_objects_and_files_are_named(tmp_path: Path) -> None:
    root = write_voc(
        tmp_path / "cells",
        {"train": ["a", "b", "c", "d"]},
        {
            "a": [("cell", (5, 5, 5, 9)), ("cell", (5, 5, 9, 9)), ("cell", ("x", 1, 2, 3))],
            "b": [("cell", (70, 5, 80, 9))],
        },
    )
    (root / "Annotations" / "c.xml").write_text("<annotation>")
    (root / "Annotations" / "d.xml").unlink()
    source = open_voc_folder(root, "train")
    assert [source.image_id(n) for n in range(len(source))] == ["a", "b"]
    assert source.objects(0).ids.tolist() == [2]
    lines = source.report.lines()
    assert lines[0] == "cells: annotation 1, 'a.jpg': width 0, dropped (--strict to stop)"
    assert "annotation 3, 'a.jpg': its bndbox lacks" in lines[1]
    assert "image 'c': c.xml: no element found" in lines[2]
    assert "image 'd': no " in lines[3]
    assert "annotation 1, 'JPEGImages/b.jpg': box 69 4 11 5 is outside the 60 x 40" in lines[4]
    assert len(lines) == 5
    with pytest.raises(UserError, match="annotation 1"):
        open_voc_folder(root, "train", strict=True)


def test_classes_are_those_of_all_parts(tmp_path: Path) -> None:
    root = write_voc(
        tmp_path / "cells",
        {"train": ["a"], "val": ["b"]},
        {"a": [("red", (5, 5, 9, 9))], "b": [("blue", (5, 5, 9, 9))]},
    )
    for part in ("train", "val"):
        assert open_voc_folder(root, part).info.class_names == ("blue", "red")


def test_images_of_any_suffix_whatever_the_xml_says(tmp_path: Path) -> None:
    root = write_voc(tmp_path / "cells", {"train": ["a"]}, {"a": [("red", (5, 5, 9, 9))]})
    (root / "JPEGImages" / "a.jpg").rename(root / "JPEGImages" / "a.JPEG")
    assert open_voc_folder(root, "train").path(0).name == "a.JPEG"


def test_missing_part_says_what_to_write(tmp_path: Path) -> None:
    root = write_voc(tmp_path / "cells", {"train": ["a"]}, {"a": [("red", (5, 5, 9, 9))]})
    with pytest.raises(UserError, match=r"without its val part.*Main/val\.txt"):
        open_voc_folder(root, "val")


def test_blood_cells_lose_two_boxes_by_name() -> None:
    root = folder("bccd")
    train, val = (open_source("custom", part, root) for part in ("train", "val"))
    assert train.info.class_names == ("Platelets", "RBC", "WBC")
    assert (len(train), len(val)) == (205, 87)
    counts = [sum(len(s.objects(n)) for n in range(len(s))) for s in (train, val)]
    assert sum(counts) == 3943 - 2
    lines = train.report.lines() + val.report.lines()
    assert sorted(line.split("'")[1] for line in lines) == [
        "BloodImage_00338.jpg",
        "BloodImage_00343.jpg",
    ]
    assert all("width 0, dropped" in line or "height 0, dropped" in line for line in lines)


def test_raccoons_with_grey_pictures() -> None:
    root = folder("raccoon")
    train, val = (open_source("custom", part, root) for part in ("train", "val"))
    assert (len(train), len(val)) == (128, 32)
    total = 0
    for source in (train, val):
        assert source.info.class_names == ("raccoon",)
        for n in range(len(source)):
            image, objects = source.image(n), source.objects(n)
            total += len(objects)
            assert image.shape[2] == 3
            assert (objects.boxes[:, 2:] <= image.shape[1::-1]).all()
    assert total == 172


def test_a_list_from_windows(tmp_path: Path) -> None:
    write_voc(tmp_path, {"train": ["000001"]}, {"000001": [("car", (1, 1, 10, 20))]})
    path = tmp_path / "ImageSets" / "Main" / "train.txt"
    path.write_bytes(b"\xef\xbb\xbf000001\r\n")
    assert open_voc_folder(tmp_path, "train").image_id(0) == "000001"
    path.write_bytes(b"\xff\xfe0\x00")
    with pytest.raises(UserError, match=r"train\.txt: not text in UTF-8"):
        open_voc_folder(tmp_path, "train")
