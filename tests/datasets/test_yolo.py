from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np
import pytest

from centernet.datasets import open_source
from centernet.datasets.yolo import open_yolo
from centernet.datasets.yolo_names import read_data_yaml
from centernet.runtime.errors import UserError
from tests.datasets.made_up import write_image
from tests.io.test_image import with_orientation

LAYOUTS = {
    "images, then part": ("images/{}/a.png", "labels/{}/a.txt"),
    "part, then images": ("{}/images/a.png", "{}/labels/a.txt"),
}


def write_folder(root: Path, layout: str = "images, then part", label: str = "") -> Path:
    image, text = LAYOUTS[layout]
    for part in ("train", "val"):
        write_image(root / image.format(part))
        (root / text.format(part)).parent.mkdir(parents=True, exist_ok=True)
        (root / text.format(part)).write_text(label or "1 0.5 0.5 0.2 0.5\n")
    return root


@pytest.mark.parametrize("layout", LAYOUTS)
def test_boxes_are_parts_of_the_picture(tmp_path: Path, layout: str) -> None:
    root = write_folder(tmp_path, layout)
    (root / "classes.txt").write_text("cat\ndog\n")
    for part in ("train", "val"):
        source = open_source("custom", part, root)
        assert source.info.class_names == ("cat", "dog")
        assert source.info.category_ids == (0, 1)
        objects = source.objects(0)
        np.testing.assert_allclose(objects.boxes, [[24, 10, 36, 30]], rtol=1e-6)
        assert objects.classes.tolist() == [1]
        assert source.info.provides == {"boxes"}


def test_roboflow_calls_it_valid(tmp_path: Path) -> None:
    root = write_folder(tmp_path, "part, then images")
    (root / "val").rename(root / "valid")
    (root / "data.yaml").write_text("train: ../train/images\nval: ../valid/images\nnames: [a, b]\n")
    source = open_source("custom", "val", root)
    assert source.path(0).parts[-3:] == ("valid", "images", "a.png")
    assert source.info.class_names == ("a", "b")


def test_lists_of_images(tmp_path: Path) -> None:
    for name in "ab":
        write_image(tmp_path / "images" / f"{name}.png")
    (tmp_path / "labels").mkdir()
    (tmp_path / "labels" / "a.txt").write_text("0 0.5 0.5 0.5 0.5")
    (tmp_path / "train.txt").write_text("images/a.png\n./images/b.png\n")
    source = open_yolo(tmp_path, "train")
    assert len(source) == 2
    assert [len(source.objects(n)) for n in range(2)] == [1, 0]  # no label file: no object
    with pytest.raises(UserError, match="without its val part"):
        open_yolo(tmp_path, "val")


def test_polygons_give_boxes_masks_and_extreme_points(tmp_path: Path) -> None:
    root = write_folder(tmp_path, label="0 0.5 0.25 0.75 0.5 0.5 0.75 0.25 0.5\n")
    source = open_yolo(root, "train")
    assert source.info.provides == {"boxes", "masks", "extremes"}
    objects = source.objects(0)
    np.testing.assert_allclose(objects.boxes, [[15, 10, 45, 30]])
    np.testing.assert_allclose(objects.extremes[0], [[30, 10], [15, 20], [30, 30], [45, 20]])


@pytest.mark.parametrize("shape", ["[2, 3]", "\n  - 2\n  - 3"])
def test_keypoints_after_a_box_are_no_polygon(tmp_path: Path, shape: str) -> None:
    root = write_folder(
        tmp_path, label="0 0.5 0.5 0.2 0.5 0.1 0.1 2 0.9 0.9 2\n0 0.5 0.5 0.1 0.1 9\n"
    )
    (root / "data.yaml").write_text(f"names: [a]\nkpt_shape: {shape}\n")
    source = open_yolo(root, "train")
    np.testing.assert_allclose(source.objects(0).boxes, [[24, 10, 36, 30]], rtol=1e-6)
    assert source.info.provides == {"boxes"}
    malformed, note = source.report.lines()
    assert "line 2 of a.txt" in malformed
    assert "keypoints of its labels are not read" in note


def test_a_malformed_shape_of_keypoints_is_named(tmp_path: Path) -> None:
    root = write_folder(tmp_path)
    (root / "data.yaml").write_text("names: [a]\nkpt_shape: many\n")
    with pytest.raises(UserError, match=r"data\.yaml: kpt_shape must be .*, not many"):
        open_yolo(root, "train")


def test_bad_lines_are_named(tmp_path: Path) -> None:
    lines = ["0 0.5 0.5 0.2 0.2", "0 0.5 0.5 0.2", "x 0.5 0.5 0.1 0.1", "7 0.5 0.5 0.1 0.1"]
    lines += ["", "0 0.5 0.5 0 0.1", "0 2 0.5 0.1 0.1", "0 nan 0.5 0.1 0.1"]
    root = write_folder(tmp_path, label="\n".join(lines))
    (root / "classes.txt").write_text("cat\ndog\n")
    source = open_yolo(root, "train")
    assert source.objects(0).ids.tolist() == [1]
    told = "\n".join(source.report.lines())
    for expected in (
        "annotation 2, 'images/train/a.png': line 2 of a.txt is neither",
        "annotation 3, 'images/train/a.png': line 3 of a.txt is neither",
        "annotation 4, 'images/train/a.png': class 7 of 2 (0 to 1)",
        "annotation 6, 'images/train/a.png': width 0",
        "annotation 7, 'images/train/a.png': box 117",
        "annotation 8, 'images/train/a.png': box nan",
    ):
        assert expected in told
    assert len(source.report.lines()) == 6
    with pytest.raises(UserError, match="line 2"):
        open_yolo(root, "train", strict=True)


def test_names_are_numbers_without_a_list_and_equal_in_both_parts(tmp_path: Path) -> None:
    root = write_folder(tmp_path)
    (root / "labels" / "val" / "a.txt").write_text("3 0.5 0.5 0.1 0.1")
    for part in ("train", "val"):
        assert open_yolo(root, part).info.class_names == ("0", "1", "2", "3")


def test_unreadable_pictures_are_left_out(tmp_path: Path) -> None:
    root = write_folder(tmp_path)
    (root / "images" / "train" / "b.png").write_text("no picture")
    source = open_yolo(root, "train")
    assert len(source) == 1
    assert "image 'images/train/b.png':" in source.report.lines()[0]


def test_a_label_that_is_no_text_leaves_its_picture_out(tmp_path: Path) -> None:
    root = write_folder(tmp_path)
    write_image(root / "images" / "train" / "b.png")
    (root / "labels" / "train" / "b.txt").write_bytes(b"\xff\xfe0\x00")
    source = open_yolo(root, "train")
    assert [source.path(n).name for n in range(len(source))] == ["a.png"]
    (told,) = source.report.lines()
    assert told.startswith(f"{root.name}: image 'images/train/b.png': {root}")
    assert "b.txt: not text in UTF-8" in told
    with pytest.raises(UserError, match=r"b\.txt: not text"):
        open_yolo(root, "train", strict=True)


def test_byte_order_marks_of_windows_belong_to_no_name(tmp_path: Path) -> None:
    root = write_folder(tmp_path, label="\ufeff1 0.5 0.5 0.2 0.5\n")
    (root / "classes.txt").write_text("\ufeffcat\ndog\n", encoding="utf-8")
    source = open_yolo(root, "train")
    assert source.info.class_names == ("cat", "dog")
    assert source.objects(0).classes.tolist() == [1]
    (root / "data.yaml").write_text("\ufeffnames: [a, b]\n", encoding="utf-8")
    assert open_yolo(root, "train").info.class_names == ("a", "b")


def test_names_in_another_encoding_are_an_error(tmp_path: Path) -> None:
    root = write_folder(tmp_path)
    (root / "data.yaml").write_bytes("names: [caf\xe9]\n".encode("latin-1"))
    with pytest.raises(UserError, match=r"data\.yaml: not text in UTF-8 .*; save it as UTF-8"):
        open_yolo(root, "train")


def test_turned_pictures_are_taken_upright(tmp_path: Path) -> None:
    root = write_folder(tmp_path, label="0 0.5 0.25 1 0.5")
    data = cv2.imencode(".jpg", np.zeros((40, 60, 3), np.uint8))[1].tobytes()
    (root / "images" / "train" / "a.png").unlink()
    (root / "images" / "train" / "a.jpg").write_bytes(with_orientation(data, 6))
    source = open_yolo(root, "train")
    assert source.image(0).shape == (60, 40, 3)
    np.testing.assert_allclose(source.objects(0).boxes, [[0, 0, 40, 30]])


@pytest.mark.parametrize(
    "text",
    [
        "names: [cat, 'big dog', \"a, b\"]",
        "names:\n  - cat\n  - big dog\n  - 'a, b'",
        "names:\n- cat\n- big dog   # comment\n- 'a, b'\nnc: 3",
        "names:\n  0: cat\n  1: big dog\n  2: a, b\n",
        "names: {0: cat, 1: big dog, 2: 'a, b'}",
        "names: [cat,\n  big dog,\n  'a, b']",
        "# names\npath: x\n\nnc: 3\nnames:\n  2: a, b\n  0: cat\n  1: big dog",
    ],
)
def test_names_in_every_way_of_writing(tmp_path: Path, text: str) -> None:
    (tmp_path / "data.yaml").write_text(text)
    assert read_data_yaml(tmp_path / "data.yaml")["names"] == ["cat", "big dog", "a, b"]


def test_paths_in_data_yaml(tmp_path: Path) -> None:
    text = "path: '../set'  # root\ntrain: images/train\nval: images/val\ntest:\nnames: [a]\n"
    (tmp_path / "data.yaml").write_text(text)
    found = read_data_yaml(tmp_path / "data.yaml")
    assert found == {"path": "../set", "train": "images/train", "val": "images/val", "names": ["a"]}


@pytest.mark.parametrize("text", ["names:\n  1: a\n  2: b", "names: {0: a, 2: b}"])
def test_gaps_in_the_names_are_an_error(tmp_path: Path, text: str) -> None:
    (tmp_path / "data.yaml").write_text(text)
    with pytest.raises(UserError, match="without gaps"):
        read_data_yaml(tmp_path / "data.yaml")
