"""Parts of a data set that do not list the same classes are matched by the classes' names."""

from __future__ import annotations

from pathlib import Path

import pytest

from centernet.datasets import open_source
from centernet.datasets.class_map import matched
from centernet.datasets.coco import open_coco
from centernet.datasets.inspect import compare
from centernet.runtime.errors import UserError
from tests.datasets.made_up import annotation, write_coco


def part(folder: Path, names: list[str], of: list[int]):
    categories = [{"id": 10 + n, "name": name} for n, name in enumerate(names)]
    rows = [annotation(n, category=10 + c, iscrowd=0) for n, c in enumerate(of, 1)]
    path = write_coco(folder / "part.json", rows, categories)
    return open_coco(path, folder, name="part")


def test_a_part_without_a_class_has_its_others_in_their_places(tmp_path: Path) -> None:
    train = part(tmp_path / "a", ["cat", "dog", "emu"], [0, 1, 2])
    val = part(tmp_path / "b", ["emu", "cat"], [0, 0, 1])
    lines = matched(val, train.info.class_names)
    assert val.info.class_names == ("cat", "dog", "emu")
    assert val.info.category_ids == (11, 12, 10)  # its own, and an unused one
    assert val.objects(0).classes.tolist() == [2, 2, 0]
    assert "part: without class dog" in lines
    compare(train, val)  # raises for classes that differ


def test_objects_of_a_class_that_is_not_learned_are_left_out_and_told(tmp_path: Path) -> None:
    val = part(tmp_path, ["cat", "zebra"], [0, 1, 1])
    assert matched(val, ("cat",))[-1] == (
        "part: class zebra is not learned: 2 objects of it are left out"
    )
    assert val.objects(0).classes.tolist() == [0]


def test_equal_or_foreign_classes_are_left_alone(tmp_path: Path) -> None:
    val = part(tmp_path, ["cat", "dog"], [0, 1])
    assert matched(val, ("cat", "dog")) == []
    assert matched(val, ("car", "bus")) == []
    assert val.info.class_names == ("cat", "dog")


def test_a_map_names_classes_that_one_part_may_lack(tmp_path: Path) -> None:
    one = write_coco(tmp_path / "t.json", [annotation(1)], [{"id": 1, "name": "cat"}])
    flags = {"train_json": one, "val_json": one, "class_map": "cat=pet,dog=pet"}
    with pytest.raises(UserError, match="no class 'dog'"):
        open_source("custom", "train", tmp_path, **flags)
    source = open_source("custom", "val", tmp_path, **flags)
    assert source.info.class_names == ("pet",)
    assert any("no class dog here" in line for line in source.read)
