from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given

from centernet.datasets.calibration import read_calibration
from centernet.datasets.kitti import open_kitti_list
from centernet.datasets.pascal import open_voc_folder
from centernet.datasets.published import KITTI
from centernet.datasets.source import Source
from centernet.datasets.yolo import open_yolo
from centernet.runtime.errors import UserError
from tests.attack.mutate import TRIED, text_attacks
from tests.datasets.made_up import write_image, write_voc

LABELS = "0 0.5 0.5 0.2 0.2\n1 0.5 0.25 0.75 0.5 0.5 0.75 0.25 0.5\n\n1 .1 .1 .1 .1\n"
POSES = "0 0.5 0.5 0.2 0.5 0.5 0.4 2 0.5 0.6 2\n"
YAML = (
    "path: .\ntrain: images/train\nval: [images/val]\nnc: 2\nnames:\n  0: cat\n  1: 'big dog'\n"
    "kpt_shape: [2, 3]\nflip_idx: [1, 0]\n"
)
ROWS = (
    "Car 0.00 0 1.85 10.00 8.00 30.00 20.00 1.57 1.73 4.15 -2.70 1.74 13.22 1.62\n"
    "Van 0.00 1 -1.5 1.00 8.00 30.00 20.00 2.57 1.73 4.15 -2.70 1.74 20.00 1.62\n"
    "DontCare -1 -1 -10 503.89 169.71 590.61 190.13 -1 -1 -1 -1000 -1000 -1000 -10\n"
)
CAMERA = "P2: 700 0 30 45 0 700 20 -0.3 0 0 1 0.004\nP3: 1 0 0 0 0 1 0 0 0 0 1 0\n"
XML = (
    "<annotation><size><width>60</width><height>40</height><depth>3</depth></size>"
    "<object><name>cell</name><difficult>0</difficult><bndbox><xmin>5</xmin><ymin>5</ymin>"
    "<xmax>20</xmax><ymax>30</ymax></bndbox></object></annotation>"
)


def looked_through(source: Source) -> None:
    for index in range(len(source)):
        objects = source.objects(index)
        assert (objects.boxes[:, 2:] > objects.boxes[:, :2]).all()


def told(error: UserError) -> None:
    assert "\n" not in str(error), str(error)
    assert len(str(error)) < 2000


@pytest.fixture(scope="module")
def yolo(tmp_path_factory: pytest.TempPathFactory) -> Path:
    root = tmp_path_factory.mktemp("yolo")
    for part in ("train", "val"):
        write_image(root / "images" / part / "a.png")
        (root / "labels" / part).mkdir(parents=True)
        (root / "labels" / part / "a.txt").write_text(LABELS)
    return root


@TRIED
@given(data=text_attacks(LABELS + POSES))
def test_no_label_of_yolo_ends_in_a_traceback(yolo: Path, data: bytes) -> None:
    (yolo / "data.yaml").unlink(missing_ok=True)
    (yolo / "labels" / "train" / "a.txt").write_bytes(data)
    try:
        looked_through(open_yolo(yolo, "train"))
    except UserError as error:
        told(error)


@TRIED
@given(data=text_attacks(YAML, " \n:,[]"))
def test_no_yaml_ends_in_a_traceback(yolo: Path, data: bytes) -> None:
    (yolo / "labels" / "train" / "a.txt").write_text(POSES)
    (yolo / "data.yaml").write_bytes(data)
    try:
        looked_through(open_yolo(yolo, "train", wanted={"boxes", "keypoints"}))
    except UserError as error:
        told(error)


@pytest.mark.parametrize(
    "text",
    [
        "a: &a [x, x]\nb: &b [*a, *a]\nnames: [*b, *b]\n",
        "names: " + "[" * 10_000 + "]" * 10_000,
        "names: *a\n",
        "names: {" + "a: {" * 3000 + "}" * 3001,
        "- a\n- b\n",
        "names: [a, a]\n",
        "nc: many\nnames: [a]\n",
        "train: {a: b}\nnames: [a, b]\n",
        "train: no/such/folder\nnames: [a, b]\n",
    ],
)
def test_statements_that_cannot_be_followed_are_refused(yolo: Path, text: str) -> None:
    (yolo / "data.yaml").write_text(text)
    with pytest.raises(UserError) as error:
        open_yolo(yolo, "train")
    told(error.value)


@pytest.fixture(scope="module")
def kitti(tmp_path_factory: pytest.TempPathFactory) -> Path:
    root = tmp_path_factory.mktemp("kitti")
    write_image(root / "training" / "image_2" / "000007.png")
    for folder in ("label_2", "calib"):
        (root / "training" / folder).mkdir()
    (root / "list.txt").write_text("000007\n")
    return root


def open_frames(kitti: Path) -> None:
    try:
        looked_through(open_kitti_list(kitti, kitti / "list.txt", KITTI))
    except UserError as error:
        told(error)


@TRIED
@given(data=text_attacks(ROWS))
def test_no_label_of_kitti_ends_in_a_traceback(kitti: Path, data: bytes) -> None:
    (kitti / "training" / "calib" / "000007.txt").write_text(CAMERA)
    (kitti / "training" / "label_2" / "000007.txt").write_bytes(data)
    open_frames(kitti)


@TRIED
@given(data=text_attacks(CAMERA))
def test_no_camera_of_kitti_ends_in_a_traceback(kitti: Path, data: bytes) -> None:
    path = kitti / "training" / "calib" / "000007.txt"
    path.write_bytes(data)
    (kitti / "training" / "label_2" / "000007.txt").write_text(ROWS)
    open_frames(kitti)
    try:
        read_calibration(path)
    except UserError as error:
        told(error)


@TRIED
@given(data=text_attacks("000007\n000008\n", "\n"))
def test_no_list_of_kitti_ends_in_a_traceback(kitti: Path, data: bytes) -> None:
    (kitti / "broken.txt").write_bytes(data)
    try:
        open_kitti_list(kitti, kitti / "broken.txt", KITTI)
    except UserError as error:
        told(error)


@pytest.fixture(scope="module")
def voc(tmp_path_factory: pytest.TempPathFactory) -> Path:
    root = tmp_path_factory.mktemp("voc") / "cells"
    return write_voc(root, {"train": ["a", "b"]}, {"b": [("cell", (5, 5, 9, 9))]})


@TRIED
@given(data=text_attacks(XML, "<>"))
def test_no_xml_ends_in_a_traceback(voc: Path, data: bytes) -> None:
    (voc / "Annotations" / "a.xml").write_bytes(data)
    try:
        looked_through(open_voc_folder(voc, "train"))
    except UserError as error:
        told(error)


@pytest.mark.parametrize(
    "text",
    [
        "<a>" * 10_000,
        "<a>" * 10_000 + "</a>" * 10_000,
        "<!DOCTYPE a [<!ENTITY b 'bb'>" + "".join(
            f"<!ENTITY b{n} '&b{n - 1 if n else ''};&b{n - 1 if n else ''};'>" for n in range(40)
        ) + "]><annotation><object><name>&b39;</name></object></annotation>",
        "<!DOCTYPE a [<!ENTITY b SYSTEM 'file:///etc/passwd'>]><annotation>&b;</annotation>",
        "<?xml version='1.0' encoding='nonsense'?><annotation/>",
        "<?xml version='1.0' encoding='utf-16'?><annotation/>",
    ],
)  # fmt: skip
def test_xml_that_is_an_attack(voc: Path, text: str) -> None:
    (voc / "Annotations" / "a.xml").write_text(text)
    source = open_voc_folder(voc, "train")
    looked_through(source)
    assert len("\n".join(source.report.lines())) < 4000


@TRIED
@given(data=text_attacks("a\nb 1\nJPEGImages/b.jpg\n"))
def test_no_list_of_voc_ends_in_a_traceback(voc: Path, data: bytes) -> None:
    (voc / "Annotations" / "a.xml").write_text(XML)
    (voc / "ImageSets" / "Main" / "val.txt").write_bytes(data)
    try:
        looked_through(open_voc_folder(voc, "val"))
    except UserError as error:
        told(error)
