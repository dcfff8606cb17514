"""A published set that is not on the disk: what is missing, and the command that fetches it."""

from __future__ import annotations

import json
import re
import shlex
from pathlib import Path

import pytest

from centernet import cli
from centernet.datasets import open_source
from centernet.datasets.owners import OWNERS
from centernet.runtime.errors import UserError

FILES = {
    "coco": ["coco/annotations/instances_val2017.json", "coco/val2017/a.jpg"],
    "coco_hp": ["coco/annotations/person_keypoints_val2017.json", "coco/images/val2017/a.jpg"],
    "pascal": [
        "voc/VOCdevkit/VOC2007/ImageSets/Main/test.txt",
        "voc/VOCdevkit/VOC2007/JPEGImages/a.jpg",
    ],
    "kitti": ["kitti/ImageSets_3dop/val.txt", "kitti/training/image_2/a.png"],
}


@pytest.mark.parametrize("name", FILES)
def test_each_missing_part_is_named_with_its_remedy(name: str, tmp_path: Path) -> None:
    data = tmp_path / "with a blank"
    for file in FILES[name]:
        with pytest.raises(UserError) as raised:
            open_source(name, "val", data)
        said = str(raised.value)
        assert said.startswith(f"--dataset {name}: no {data}")
        assert "--dataset toy" in said
        path = data / file
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(json.dumps({"images": []}) if path.suffix == ".json" else "")


@pytest.mark.parametrize("name", FILES)
def test_the_remedy_is_a_command(
    name: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(UserError) as raised:
        open_source(name, "val", tmp_path)
    found = re.search(r"fetch it with: centernet ([^;]+);", str(raised.value))
    assert found is not None
    words = shlex.split(found[1])
    assert cli.main([*words, "--check"]) == 2  # missing, as it says
    said = capsys.readouterr()
    folder = tmp_path / OWNERS[words[1]].folder
    assert said.out.startswith(f"{words[1]} in {folder}; ")
    assert said.err.startswith("centernet get_data: missing: ")
