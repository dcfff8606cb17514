from __future__ import annotations

from pathlib import Path

import pytest

from centernet.datasets import SOURCES, open_source
from centernet.runtime.errors import UserError
from tests.datasets.made_up import annotation, write_coco, write_voc
from tests.real_data import folder


def test_json_files_with_an_image_folder(tmp_path: Path) -> None:
    flags = {}
    for part in ("train", "val", "test"):
        path = tmp_path / "notes" / f"{part}.json"
        write_coco(path, [annotation(1)], folder=tmp_path / "pictures")
        flags[f"{part}_json"] = path
    flags["image_dir"] = tmp_path / "pictures"
    for part in ("train", "val", "test"):
        source = open_source("custom", part, tmp_path, **flags)
        assert len(source) == 2
        assert source.path(0) == tmp_path / "pictures" / "1.png"


@pytest.mark.parametrize(
    "images", [".", "images", "train", "images/train", "../images", "../train2017", "../train"]
)
def test_images_are_found_beside_the_file(tmp_path: Path, images: str) -> None:
    path = tmp_path / "annotations" / "instances_train2017.json"
    write_coco(path, [annotation(1)], folder=path.parent / images)
    assert open_source("custom", "train", tmp_path, train_json=path).path(0).is_file()


def test_one_image_folder_with_a_folder_for_each_part(tmp_path: Path) -> None:
    flags = {}
    for part in ("train", "val"):
        path = tmp_path / f"{part}.json"
        write_coco(path, [annotation(1)], folder=tmp_path / "pictures" / part)
        flags[f"{part}_json"] = path
    val = open_source("custom", "val", tmp_path, image_dir=tmp_path / "pictures", **flags)
    assert val.path(0) == tmp_path / "pictures" / "val" / "1.png"


def test_the_other_file_is_asked_for(tmp_path: Path) -> None:
    path = write_coco(tmp_path / "t.json", [annotation(1)])
    with pytest.raises(UserError, match="--val_json is needed for the val part"):
        open_source("custom", "val", tmp_path, train_json=path)


def test_coco_layout_is_known_by_its_annotations(tmp_path: Path) -> None:
    for part in ("train", "val"):
        path = tmp_path / "annotations" / f"instances_{part}.json"
        write_coco(path, [annotation(1)], folder=tmp_path / part)
    assert open_source("custom", "val", tmp_path).path(0) == tmp_path / "val" / "1.png"
    write_coco(tmp_path / "annotations" / "other_val.json", folder=tmp_path / "val")
    assert open_source("custom", "val", tmp_path).info.name == "instances_val"
    (tmp_path / "annotations" / "instances_val.json").rename(tmp_path / "annotations/more_val.json")
    with pytest.raises(UserError, match=r"which one\? more_val\.json, other_val\.json"):
        open_source("custom", "val", tmp_path)


def test_voc_layout_under_any_of_three_names(tmp_path: Path) -> None:
    write_voc(tmp_path / "custom", {"train": ["a"]}, {"a": [("red", (5, 5, 9, 9))]})
    assert len(open_source("custom", "train", tmp_path)) == 1
    assert len(open_source("custom", "train", tmp_path / "custom")) == 1
    assert len(open_source("custom", "train", "nowhere", image_dir=tmp_path / "custom")) == 1


def test_wrong_folder_says_what_was_looked_for(tmp_path: Path) -> None:
    with pytest.raises(
        UserError, match=r"no data set; looked for annotations/\*\.json.*JPEGImages"
    ):
        open_source("custom", "train", tmp_path)
    with pytest.raises(UserError, match=r"--image_dir .*none: no such folder"):
        open_source("custom", "train", tmp_path, image_dir=tmp_path / "none")


def test_unknown_names_list_the_choices(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="unknown --dataset 'cocoo'; choose from coco, coco_hp"):
        open_source("cocoo", "train", tmp_path)
    with pytest.raises(UserError, match="unknown part 'training'"):
        open_source("coco", "training", tmp_path)
    assert {"coco", "coco_hp", "pascal", "custom"} <= set(SOURCES)


def test_flags_without_meaning_are_refused_and_unset_ones_ignored(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="--train_json means nothing to --dataset coco"):
        open_source("coco", "train", tmp_path, train_json="x.json")
    with pytest.raises(UserError, match=r"no .*instances_train2017"):
        open_source("coco", "train", tmp_path, train_json=None, image_dir="")


def test_coco_mini_by_its_folder() -> None:
    root = folder("coco_mini")
    plain = open_source("custom", "val", root)
    assert plain.info.num_classes == 80
    jointed = open_source("custom", "val", root, wanted={"boxes", "keypoints"})
    assert jointed.info.class_names == ("person",)
    assert jointed.objects(3).keypoints is not None
