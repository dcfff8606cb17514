"""What was read is told; what is plainly meant is taken; what cannot be is told and not taught."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from centernet.datasets import open_source
from centernet.datasets.coco import open_coco
from centernet.datasets.kitti import open_kitti_list
from centernet.datasets.published import KITTI
from centernet.datasets.skeleton import flip_pairs
from centernet.datasets.yolo import open_yolo
from centernet.runtime.errors import UserError
from tests.datasets.made_up import annotation, image_entry, write_coco, write_image, write_voc

JOINTED = {"id": 1, "name": "thing", "keypoints": ["left", "right"]}
CAR = "Car 0.00 0 1.85 10.00 8.00 30.00 20.00 1.57 1.73 4.15 -2.70 1.74 13.22 1.62"


def test_a_part_is_told_in_a_line(tmp_path: Path) -> None:
    categories = [{"id": 1, "name": "disc"}, {"id": 2, "name": "ring"}]
    rows = [annotation(1), annotation(2), annotation(3, iscrowd=1)]
    source = open_coco(write_coco(tmp_path / "t.json", rows, categories), tmp_path, name="t")
    assert source.read == [
        "t: 2 images, 3 objects of 1 class (disc 3); at most 3 on an image; 1 image without"
        " objects; class without object: ring; 1 regions to ignore"
    ]


@pytest.mark.parametrize(
    "names",
    [
        ("lefteye", "righteye"), ("frontLeftPaw", "frontRightPaw"), ("Left_eye", "right_eye"),
        ("LFPaw", "RFPaw"), ("wheel_FL", "wheel_FR"), ("auge_links", "auge_rechts"),
        ("ojo_izq", "ojo_der"), ("eyeLeft", "eyeRight"), ("mano destra", "mano sinistra"),
    ],
)  # fmt: skip
def test_sides_in_any_spelling(names: tuple[str, str]) -> None:
    assert flip_pairs(("nose", *names)) == ((1, 2),)


def test_initials_are_sides_where_more_than_one_pair_has_them() -> None:
    assert flip_pairs(("lsho", "rsho", "lelb", "relb")) == ((0, 1), (2, 3))
    assert flip_pairs(("lamp", "ramp")) == ()


@pytest.mark.parametrize(
    ("stated", "pairs"),
    [
        ({"flip_pairs": [["a", "c"]]}, ((0, 2),)),
        ({"flip_pairs": [[1, 3]]}, ((0, 2),)),
        ({"flip_pairs": []}, ()),
        ({"flip_idx": [2, 1, 0]}, ((0, 2),)),
    ],
)
def test_sides_that_a_category_states(tmp_path: Path, stated: dict, pairs: tuple) -> None:
    category = {"id": 1, "name": "thing", "keypoints": ["a", "b", "c"]} | stated
    rows = [annotation(1, keypoints=[10, 10, 2] * 3)]
    source = open_coco(write_coco(tmp_path / "t.json", rows, [category]), tmp_path)
    assert source.info.flip_pairs == pairs
    wrong = category | {"flip_pairs": [["a", "z"]], "flip_idx": None}
    with pytest.raises(UserError, match=r"\['a', 'z'\] in 'flip_pairs' is not a pair"):
        open_coco(write_coco(tmp_path / "u.json", rows, [wrong]), tmp_path)


def test_joints_as_fractions_are_laid_over_the_image(tmp_path: Path) -> None:
    rows = [annotation(1, box=(0, 0, 60, 40), keypoints=[0.5, 0.25, 2, 1, 1, 2])]
    source = open_coco(write_coco(tmp_path / "t.json", rows, [JOINTED]), tmp_path)
    np.testing.assert_allclose(source.objects(0).keypoints[0, :, :2], [[30, 10], [60, 40]])
    assert "all 2 labelled joints lie within 0 and 1" in source.report.lines()[0]


def test_joints_outside_their_image_are_not_taught(tmp_path: Path) -> None:
    rows = [annotation(1, keypoints=[10, 10, 2, 500, 10, 2])]
    source = open_coco(write_coco(tmp_path / "t.json", rows, [JOINTED]), tmp_path)
    assert source.objects(0).keypoints[0, :, 2].tolist() == [2, 0]
    assert "of 2 labelled joints those outside their images" in source.report.lines()[0]


def test_names_are_matched_by_the_ends_of_their_paths(tmp_path: Path) -> None:
    names = ["a\\b\\1.png", "/home/me/set/c/2.png", "https://host/x/d%20e/3.png?size=1", "gone.png"]
    for name in ("b/1.png", "c/2.png", "d e/3.png", "d e/2.png"):
        write_image(tmp_path / name)
    images = [image_entry(n, name) for n, name in enumerate(names, 1)]
    data = {"images": images, "annotations": [], "categories": [{"id": 1, "name": "a"}]}
    (tmp_path / "t.json").write_text(json.dumps(data))
    source = open_coco(tmp_path / "t.json", tmp_path)
    found = [source.path(n).relative_to(tmp_path).as_posix() for n in range(len(source))]
    assert found == ["b/1.png", "c/2.png", "d e/3.png"]
    assert "gone.png" in source.report.lines()[0]
    assert "file names matched by the ends of their paths: 3" in source.report.lines()[1]


def test_roboflow(tmp_path: Path) -> None:
    root = {"id": 0, "name": "things", "supercategory": "none"}
    own = {"id": 1, "name": "disc", "supercategory": "things"}
    for part in ("train", "valid"):
        write_coco(tmp_path / part / "_annotations.coco.json", [annotation(1)], [root, own])
    for part in ("train", "val"):
        source = open_source("custom", part, tmp_path)
        assert source.info.class_names == ("disc",)
        assert len(source) == 2
    with pytest.raises(UserError, match="no test part"):
        open_source("custom", "test", tmp_path)


def test_cvat(tmp_path: Path) -> None:
    for part in ("Train", "Validation"):
        path = tmp_path / "annotations" / f"instances_{part}.json"
        write_coco(path, [annotation(1)], folder=tmp_path / "images" / part)
    for part in ("train", "val"):
        assert len(open_source("custom", part, tmp_path)) == 2


def test_kaggle(tmp_path: Path) -> None:
    write_voc(tmp_path / "x", {"train": ["a", "b"]}, {"a": [("red", (5, 5, 9, 9))]})
    (tmp_path / "x" / "JPEGImages").rename(tmp_path / "images")
    (tmp_path / "x" / "Annotations").rename(tmp_path / "annotations")
    source = open_source("custom", "train", "nowhere", image_dir=tmp_path)
    assert [len(source.objects(n)) for n in range(2)] == [1, 0]
    with pytest.raises(UserError, match="no val part; put its images into"):
        open_source("custom", "val", "nowhere", image_dir=tmp_path)


def test_lists_of_voc_with_suffix_and_second_column(tmp_path: Path) -> None:
    root = write_voc(tmp_path / "c", {"train": ["a", "b"]}, {"a": [("red", (5, 5, 9, 9))]})
    lines = "a.jpg\nb  1\nJPEGImages/a.jpg\n"
    (root / "ImageSets" / "Main" / "train.txt").write_text(lines)
    source = open_source("custom", "train", root)
    assert [source.image_id(n) for n in range(len(source))] == ["a", "b"]


def test_every_folder_that_data_yaml_states_is_read(tmp_path: Path) -> None:
    for part in "ab":
        write_image(tmp_path / "images" / part / f"{part}.png")
    (tmp_path / "labels").mkdir()
    (tmp_path / "data.yaml").write_text("names: [x]\ntrain:\n- images/a\n- images/b\n")
    assert len(open_yolo(tmp_path, "train")) == 2
    (tmp_path / "data.yaml").write_text("names: [x]\ntrain: [images/a, images/c]\n")
    with pytest.raises(UserError, match="states train: images/c, which is not there"):
        open_yolo(tmp_path, "train")


def test_labels_are_found_in_other_spellings(tmp_path: Path) -> None:
    images = tmp_path / "images" / "train"
    for name in ("d\u00e9j\u00e0 1.png", "b.png", "c.png"):
        write_image(images / name)
    copies = images / ".ipynb_checkpoints"
    write_image(copies / "b-checkpoint.png")
    labels = tmp_path / "labels" / "train"
    labels.mkdir(parents=True)
    row = "0.0 0.5,0.5 0.2 0.2\n"
    (labels / "d%C3%A9j%C3%A0%201.txt").write_text(row)
    (labels / "b.TXT").write_text(row)
    (images / "c.txt").write_text(row)
    (labels / "alone.txt").write_text(row)
    source = open_yolo(tmp_path, "train")
    assert len(source) == 3
    assert [len(source.objects(n)) for n in range(3)] == [1, 1, 1]
    assert source.info.class_names == ("0",)
    told = "\n".join(source.report.lines())
    assert "label files without an image of theirs in this part: 1: labels/train/alone.txt" in told
    assert "found by another spelling of the name: 1: 'd%C3%A9j%C3%A0%201.txt'" in told


def test_what_is_no_image_is_counted(tmp_path: Path) -> None:
    for name in ("a.png", "b.jpg"):
        write_image(tmp_path / "images" / "train" / name)
    (tmp_path / "images/train/b.jpg").rename(tmp_path / "images/train/b.jfif")
    (tmp_path / "images/train/c.heic").write_bytes(b"1")
    (tmp_path / "labels" / "train").mkdir(parents=True)
    (tmp_path / "labels" / "train" / "a.txt").write_text("0 0.5 0.5 0.2 0.2\n")
    source = open_yolo(tmp_path, "train")
    assert len(source) == 2
    assert f"{tmp_path.name}: 1 file passed over (.heic 1)" in source.read
    assert f"{tmp_path.name}: 1 images without a label file: no object" in source.read


def test_a_dense_image_has_a_row_for_each_object(tmp_path: Path) -> None:
    rows = [annotation(n) for n in range(200)]
    path = write_coco(tmp_path / "t.json", rows)
    source = open_source("custom", "train", tmp_path, train_json=path)
    assert source.info.max_objects == 200
    assert open_coco(path, tmp_path).info.max_objects == 128  # published sets keep theirs


def frame(root: Path, rows: str) -> Path:
    write_image(root / "training" / "image_2" / "000007.png")
    for folder, text in (("label_2", rows), ("calib", "P2: 700 0 30 0 0 700 20 0 0 0 1 0\n")):
        (root / "training" / folder).mkdir(exist_ok=True)
        (root / "training" / folder / "000007.txt").write_text(text)
    (root / "list.txt").write_text("\ufeff000007\n000007\n")
    return root / "list.txt"


@pytest.mark.parametrize(
    ("row", "classes", "told"),
    [
        (CAR.lower(), [1], "types read as meant: 1: car in 000007.txt is Car"),
        (CAR.replace("Car", "Tractor"), [-99], "(Pedestrian, Car, Cyclist) are background: 1"),
        (CAR.replace("10.00 8.00 30.00 20.00", "30 20 10 8"), [1], "corners swapped"),
        (CAR.replace("10.00 8.00", "5010 5008").replace("30.00 20.00", "5030 5020"), [],
         "is outside the 60 x 40 image"),
        (CAR.replace("1.57 1.73 4.15", "-1 -1 -1"), [-3], "are regions to ignore"),
        (CAR.replace("13.22", "-13"), [-3], "are regions to ignore"),
    ],
)  # fmt: skip
def test_labels_of_kitti_that_cannot_be_meant(
    tmp_path: Path, row: str, classes: list[int], told: str
) -> None:
    source = open_kitti_list(tmp_path, frame(tmp_path, row + "\n"), KITTI)
    assert len(source) == 1
    assert source.objects(0).classes.tolist() == classes
    lines = "\n".join(source.report.lines())
    assert told in lines
    assert "frames listed twice, taken once: 1: 000007" in lines


@pytest.mark.parametrize(
    ("change", "told", "classes"),
    [
        ({"dim": None}, "", [-2, 0]),
        ({"dim": [-1, -1, -1]}, "a size that is not above 0", [-2, 0]),
        ({"dim": {"h": 1.5, "w": 1.6, "l": 4}}, "", [0, 0]),
        ({"depth": -1000}, "a depth that is not before the camera", [-2, 0]),
        ({"alpha": None}, "'alpha' is absent and taken from the location: 1", [0, 0]),
        ({"rotation_y": 180.0, "alpha": 170.0}, "taken for degrees", [0, 0]),
    ],
)
def test_cuboids_of_ones_own_json(
    tmp_path: Path, change: dict, told: str, classes: list[int]
) -> None:
    whole = {"dim": [1.5, 1.6, 4], "location": [1, 2, 9], "depth": 9, "alpha": 0.1,
             "rotation_y": 0.2}  # fmt: skip
    images = [image_entry(1) | {"calib": [[700, 0, 30], [0, 700, 20], [0, 0, 1]]}]
    rows = [annotation(1, **(whole | change)), annotation(2, **whole)]
    path = write_coco(tmp_path / "t.json", rows, images=images)
    source = open_coco(path, tmp_path, wanted={"boxes", "cuboids"})
    objects = source.objects(0)
    assert objects.classes.tolist() == classes
    assert np.isfinite(objects.cuboids.alphas[objects.classes >= 0]).all()
    assert objects.calibration.shape == (3, 4)
    assert told in "\n".join(source.report.lines())


@pytest.mark.parametrize("calib", [None, "text", [1, 2], [[0] * 4] * 3, {"a": 1}, [["x"] * 4] * 3])
def test_a_camera_that_is_none_is_told(tmp_path: Path, calib: object) -> None:
    images = [image_entry(1) | {"calib": calib}]
    path = write_coco(tmp_path / "t.json", [annotation(1)], images=images)
    source = open_coco(path, tmp_path)
    assert source.table.objects(0).calibration is None
    assert "'calib'" in "\n".join(source.report.lines())


@pytest.mark.parametrize(
    ("boxes", "flag"),
    [
        ([(30, 20, 55, 35), (5, 6, 50, 38), (40, 10, 60, 30)], "xyxy"),
        ([(0.1, 0.2, 0.3, 0.2), (0.5, 0.5, 0.4, 0.2), (0.2, 0.2, 0.1, 0.1)], "xywhn"),
        ([(0.5, 0.5, 0.9, 0.9), (0.1, 0.5, 0.9, 0.9), (0.2, 0.2, 0.8, 0.9)], "xyxyn"),
    ],
)
def test_another_format_of_boxes_is_named_with_its_flag(
    tmp_path: Path, boxes: list, flag: str
) -> None:
    rows = [annotation(n, box=box) | {"area": None} for n, box in enumerate(boxes)]
    path = write_coco(tmp_path / "t.json", rows)
    assert f"--box_format {flag}?" in "\n".join(open_coco(path, tmp_path).report.lines())
    source = open_source("custom", "train", tmp_path, train_json=path, box_format=flag)
    assert source.report.lines() == []
    x1, y1, x2, y2 = source.objects(0).boxes[0]
    assert 0 <= x1 < x2 <= 60
    assert 0 <= y1 < y2 <= 40


def test_right_boxes_are_not_doubted(tmp_path: Path) -> None:
    rows = [annotation(n, box=(5 * n, 2, 20, 30)) for n in range(8)]
    assert open_coco(write_coco(tmp_path / "t.json", rows), tmp_path).report.lines() == []


def test_classes_are_renamed_merged_and_dropped(tmp_path: Path) -> None:
    categories = [{"id": n, "name": name} for n, name in enumerate(("cat", "dog", "car"), 5)]
    rows = [annotation(n, category=5 + n % 3) for n in range(6)]
    path = write_coco(tmp_path / "t.json", rows, categories)
    source = open_source(
        "custom", "train", tmp_path, train_json=path, class_map="dog=pet,cat=pet,car="
    )
    assert source.info.class_names == ("pet",)
    assert source.info.category_ids == (5,)
    assert source.objects(0).classes.tolist() == [0] * 4
    assert "3 classes became 1, 2 objects dropped" in source.read[-1]
    for wrong in ("bird=x", "cat", "cat=,dog=,car="):
        with pytest.raises(UserError, match="--class_map"):
            open_source("custom", "train", tmp_path, train_json=path, class_map=wrong)


def test_labelme(tmp_path: Path) -> None:
    shapes = [
        {"label": "a", "points": [[5, 6], [25, 16]], "shape_type": "rectangle"},
        {"label": "b", "points": [[30, 20], [40, 20]], "shape_type": "circle"},
        {"label": "b", "points": [[3, 2]], "shape_type": "point"},
    ]
    for part in ("train", "val"):
        for name in "xy":
            write_image(tmp_path / part / f"{name}.png")
        text = json.dumps({"shapes": shapes, "imagePath": "..\\pictures\\x.png", "imageData": "AA"})
        (tmp_path / part / "x.json").write_text(text)
    for part in ("train", "val"):
        source = open_source("custom", part, "nowhere", image_dir=tmp_path)
        assert source.info.class_names == ("a", "b")
        assert source.objects(0).boxes.tolist() == [[5, 6, 25, 16], [20, 10, 40, 30]]
        assert len(source.objects(1)) == 0
        assert "shapes without area" in source.report.lines()[0]


def test_xml_of_cvat(tmp_path: Path) -> None:
    text = (
        "<annotations><meta><task><labels><label><name>a</name></label><label><name>b</name>"
        "</label></labels></task></meta><image name='x.png' width='60' height='40'>"
        "<box label='b' xtl='5' ytl='6' xbr='25' ybr='16'/><box label='b' xtl='5' ytl='6'/>"
        "<polygon label='a' points='30,10;40,20;20,30'/><points label='a' points='1,2'/></image>"
        "</annotations>"
    )
    write_image(tmp_path / "images" / "x.png")
    (tmp_path / "annotations.xml").write_text(text)
    source = open_source("custom", "train", "nowhere", image_dir=tmp_path)
    assert source.info.class_names == ("a", "b")
    assert source.objects(0).boxes.tolist() == [[5, 6, 25, 16], [20, 10, 40, 30]]
    assert source.objects(0).classes.tolist() == [1, 0]
    told = "\n".join(source.report.lines())
    assert "its <box> lacks numbers" in told
    assert "<points> is not read" in told


def test_csv_of_open_images(tmp_path: Path) -> None:
    header = "ImageID,Source,LabelName,Confidence,XMin,XMax,YMin,YMax,IsOccluded,IsGroupOf\n"
    for part, name in (("train", "train"), ("validation", "validation")):
        write_image(tmp_path / part / "00a.png")
        text = f"{header}00a,x,/m/1,1,0.25,0.5,0.25,0.75,0,0\n00a,x,/m/2,1,a,1,0,1,0,1\n00b\n"
        (tmp_path / f"{name}-annotations-bbox.csv").write_text(text)
    (tmp_path / "class-descriptions-boxable.csv").write_text("/m/1,Cat\n/m/2,Dog\n")
    for part in ("train", "val"):
        source = open_source("custom", part, "nowhere", image_dir=tmp_path)
        assert source.info.class_names == ("Cat", "Dog")
        assert source.objects(0).boxes.tolist() == [[15, 10, 30, 30]]
        assert "row 3 of" in source.report.lines()[0]
        assert "row 4 of" in source.report.lines()[1]
