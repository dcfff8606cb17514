"""The toy set on disk: in the formats of the real sets, once, whole or not at all."""

from __future__ import annotations

import configparser
import json
import os
from pathlib import Path

import cv2
import numpy as np
import pytest
from pycocotools.coco import COCO

from centernet.datasets import open_source
from centernet.datasets.toy import PARTS, ensure_toy, write_toy, writer
from centernet.datasets.toy.motion import FRAMES
from centernet.runtime.errors import UserError

FEW = {name: (3, 2) for name in PARTS} | {"motion": (1, 1)}
TITLES = {"shapes": "instances", "figures": "person_keypoints", "faces": "face_keypoints"}


@pytest.fixture(scope="module")
def root(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_toy(tmp_path_factory.mktemp("data") / "toy", counts=FEW)


def contents(folder: Path) -> dict[str, bytes]:
    files = (path for path in sorted(folder.rglob("*")) if path.is_file())
    return {str(path.relative_to(folder)): path.read_bytes() for path in files}


def test_a_second_writing_gives_equal_bytes(root: Path, tmp_path: Path) -> None:
    again = write_toy(tmp_path / "toy", counts=FEW)
    assert contents(again) == contents(root)


@pytest.mark.parametrize("part", TITLES)
def test_coco_parts_are_exact(root: Path, part: str) -> None:
    folder, seen = root / part, set()
    for split, count in zip(("train", "val"), FEW[part], strict=True):
        coco = COCO(folder / "annotations" / f"{TITLES[part]}_{split}.json")
        assert len(coco.imgs) == count
        assert not seen & set(coco.imgs)
        seen |= set(coco.imgs)
        for facts in coco.imgs.values():
            image = cv2.imread(str(folder / split / facts["file_name"]))
            assert image.shape == (facts["height"], facts["width"], 3)
        for row in coco.anns.values():
            mask = coco.annToMask(row).astype(bool)
            ys, xs = np.nonzero(mask)
            x, y, width, height = row["bbox"]
            assert (xs.min(), ys.min()) == (x, y)
            assert (xs.max() + 1, ys.max() + 1) == (x + width, y + height)
            assert row["area"] == mask.sum()
            assert row["iscrowd"] == 0
            for u, v, visible in np.reshape(row.get("keypoints", []), (-1, 3)):
                if visible == 2:
                    assert mask[round(v), round(u)]


def test_extreme_points_lie_on_the_rims_of_the_masks(root: Path) -> None:
    source = open_source("toy", "train", root.parent, wanted={"boxes", "extremes"})
    coco = COCO(root / "shapes" / "annotations" / "instances_train.json")
    checked = 0
    for index in range(len(source)):
        objects = source.objects(index)
        for number, points, box in zip(objects.ids, objects.extremes, objects.boxes, strict=True):
            mask = coco.annToMask(coco.anns[int(number)])
            top, left, bottom, right = points
            assert [left[0], top[1], right[0], bottom[1]] == box.tolist()
            # Flat or broken rims count with their middle, which may lie off the mask by the
            # two per cent within which a rim counts as flat.
            slack = int(np.ceil(0.02 * max(box[2:] - box[:2]))) + 1
            for x, y in points:
                near = mask[max(int(y) - slack, 0) : int(y) + slack]
                assert near[:, max(int(x) - slack, 0) : int(x) + slack].any()
                checked += 1
    assert checked > 0


def test_kitti_part_has_the_layout_of_kitti(root: Path) -> None:
    folder = root / "cuboids"
    lists = [(folder / "ImageSets" / f"{s}.txt").read_text().split() for s in ("train", "val")]
    assert lists == [["000000", "000001", "000002"], ["000003", "000004"]]
    for name in lists[0] + lists[1]:
        image = cv2.imread(str(folder / "training" / "image_2" / f"{name}.png"))
        assert image.shape == (256, 768, 3)
        for row in (folder / "training" / "label_2" / f"{name}.txt").read_text().splitlines():
            assert len(row.split()) == 15
        assert "P2: " in (folder / "training" / "calib" / f"{name}.txt").read_text()


def test_mot_part_has_the_layout_of_motchallenge(root: Path) -> None:
    folder = root / "motion" / "train" / "toy-train-01"
    facts = configparser.ConfigParser()
    facts.read(folder / "seqinfo.ini")
    assert facts.getint("Sequence", "seqLength") == FRAMES == len(list(folder.glob("img1/*.jpg")))
    image = cv2.imread(str(folder / "img1" / "000001.jpg"))
    size = facts.getint("Sequence", "imHeight"), facts.getint("Sequence", "imWidth")
    assert image.shape[:2] == size
    rows = [line.split(",") for line in (folder / "gt" / "gt.txt").read_text().splitlines()]
    assert {len(row) for row in rows} == {9}
    assert {int(row[0]) for row in rows} <= set(range(1, FRAMES + 1))


def test_what_is_there_is_left_alone(root: Path, capsys: pytest.CaptureFixture[str]) -> None:
    stamp = root / "shapes" / writer.STAMP
    before = os.stat(stamp).st_mtime_ns
    write_toy(root, counts=FEW)
    assert ensure_toy(root, "shapes") == root / "shapes"
    assert os.stat(stamp).st_mtime_ns == before
    said = capsys.readouterr()
    assert said.out == said.err == ""


def small(folder: Path, seed: int = 0) -> dict[str, bytes]:
    write_toy(folder, seed, ["shapes"], FEW)
    return contents(folder / "shapes")


def test_another_version_seed_or_a_missing_file_is_drawn_anew(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    first = small(tmp_path)
    (tmp_path / "shapes" / "train" / "000002.jpg").unlink()
    assert small(tmp_path) == first
    assert small(tmp_path, seed=1)["train/000001.jpg"] != first["train/000001.jpg"]
    assert small(tmp_path) == first
    monkeypatch.setattr(writer, "VERSION", writer.VERSION + 1)
    assert writer.read_stamp(tmp_path / "shapes") is None
    assert json.loads(small(tmp_path)[writer.STAMP])["version"] == writer.VERSION
    assert os.listdir(tmp_path) == ["shapes"]


def test_a_writing_cut_short_leaves_what_was_there(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    first = small(tmp_path)

    def fail(*_: object) -> None:
        raise OSError("disk full")

    monkeypatch.setattr("centernet.datasets.toy.coco_files.write_jpeg", fail)
    with pytest.raises(OSError, match="disk full"):
        small(tmp_path, seed=1)
    assert contents(tmp_path / "shapes") == first
    assert os.listdir(tmp_path) == ["shapes"]


def test_a_process_that_was_quicker_wins(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Another process puts the same drawings there just before ours are moved."""
    drawn = small(tmp_path / "other")
    move = os.replace

    def late(source: Path, target: Path) -> None:
        if source.suffix == ".new" and not target.exists():
            move(tmp_path / "other" / "shapes", target)
        move(source, target)

    monkeypatch.setattr(writer.os, "replace", late)
    assert small(tmp_path / "mine") == drawn
    assert os.listdir(tmp_path / "mine") == ["shapes"]


def test_what_killed_processes_left_is_swept_up(tmp_path: Path) -> None:
    old, busy = (tmp_path / f".shapes.{number}.new" for number in (1, 2))
    for folder in (old, busy):
        folder.mkdir()
    os.utime(old, (0, 0))
    small(tmp_path)
    assert sorted(os.listdir(tmp_path)) == [busy.name, "shapes"]


def test_folders_of_others_are_refused_and_kept(tmp_path: Path) -> None:
    mine = tmp_path / "shapes" / "holiday.jpg"
    mine.parent.mkdir()
    mine.write_bytes(b"sunset")
    with pytest.raises(UserError, match=r"shapes: not a drawn toy set .* move this folder away"):
        ensure_toy(tmp_path, "shapes")
    assert mine.read_bytes() == b"sunset"


def test_unknown_part_is_one_line(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="no part 'cats'; there are shapes, figures"):
        write_toy(tmp_path, parts=["cats"])
