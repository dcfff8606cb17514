"""WIDER FACE: both forms of its lists, its levels of difficulty, its measure."""

from __future__ import annotations

import json
from pathlib import Path

import cv2
import numpy as np
import pytest

from centernet.datasets import open_source
from centernet.datasets.inspect import Report
from centernet.datasets.wider_table import read_faces
from centernet.datasets.widerface import LANDMARKS, open_widerface
from centernet.runtime.errors import UserError
from centernet.structures.detections import Detections
from tests import real_data
from tests.parity_cases import folder

OWNERS = """0--Parade/a.jpg
2
10 20 30 40 0 0 0 0 0 0
100 20 8 9 2 0 0 1 0 0
0--Parade/empty.jpg
0
0 0 0 0 0 0 0 0 0 0
1--Group/b.jpg
1
5 6 0 9 0 0 0 0 0 0
"""
MARKED = """# 0--Parade/a.jpg
10 20 30 40 15 30 0.0 25 30 0.0 20 40 1.0 15 50 0.0 25 50 0.0 0.9
60 20 30 40 -1 -1 -1 -1 -1 -1 -1 -1 -1 -1 -1 -1 -1 -1 -1 -1
# 1--Group/b.jpg
"""


def written(base: Path, text: str, owners: bool = True) -> Path:
    images = base / ("widerface/WIDER_val/images" if owners else "widerface/val/images")
    for name in ("0--Parade/a.jpg", "0--Parade/empty.jpg", "1--Group/b.jpg"):
        (images / name).parent.mkdir(parents=True, exist_ok=True)
        cv2.imwrite(str(images / name), np.full((100, 160, 3), 90, np.uint8))
    list_ = "wider_face_split/wider_face_val_bbx_gt.txt" if owners else "val/label.txt"
    path = base / "widerface" / list_
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)
    return base


def test_owners_list(tmp_path: Path) -> None:
    source = open_source("widerface", "val", written(tmp_path, OWNERS), log=lambda line: None)
    assert [source.image_id(i) for i in range(3)] == [
        "0--Parade/a.jpg",
        "0--Parade/empty.jpg",
        "1--Group/b.jpg",
    ]
    first, empty, last = (source.objects(i) for i in range(3))
    assert first.boxes.tolist() == [[10, 20, 40, 60], [100, 20, 108, 29]]
    assert first.classes.tolist() == [0, -1]  # the second is marked as invalid
    assert len(empty) == 0
    assert last.classes.tolist() == [-1]  # without area, but its row stays
    assert source.info.joints == ()


def test_marked_list_has_landmarks(tmp_path: Path) -> None:
    source = open_source("widerface", "val", written(tmp_path, MARKED, owners=False), log=print)
    objects = source.objects(0)
    assert source.info.joints == LANDMARKS
    assert source.info.flip_pairs == ((0, 1), (3, 4))
    assert objects.keypoints[0, :, 2].tolist() == [2] * 5
    assert objects.keypoints[0, 3].tolist() == [15, 50, 2]
    assert not objects.keypoints[1].any()
    assert len(source) == 2


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("", "names no image"),
        ("# a.jpg\n1 2 3 4 5 5 0\n1 2 3 4 5 5 0 5 5 0\n", "1 and 2 landmarks"),
    ],
)
def test_bad_lists(tmp_path: Path, text: str, words: str) -> None:
    (tmp_path / "list.txt").write_text(text)
    with pytest.raises(UserError, match=words):
        read_faces(tmp_path / "list.txt", Report("list"))


def test_bad_rows_are_named(tmp_path: Path) -> None:
    text = "a.jpg\n2\n1 2 3 4 0 0 0 0 0 0\nb.jpg\nmany\nc.jpg\n1\none two\n"
    (tmp_path / "list.txt").write_text(text + "d.jpg\n1\n1 2 3 4\n")
    report = Report("list")
    table = read_faces(tmp_path / "list.txt", report)
    assert table.image_ids == ["d.jpg"]
    said = "\n".join(report.lines())
    for words in ("'a.jpg': 1 of 2 faces", "'b.jpg': line 5 has no number", "'one two' is no row"):
        assert words in said


def levels(base: Path, lists: dict) -> None:
    (base / "widerface" / "wider_lists.json").write_text(json.dumps({"images": lists}))


def test_levels_and_measure(tmp_path: Path) -> None:
    written(tmp_path, OWNERS)
    levels(tmp_path, {"0--Parade/a.jpg": {"easy": [1], "medium": [1], "hard": [1, 2]}})
    source = open_widerface("val", tmp_path)
    box = np.array([[10, 20, 40, 60]], np.float32)
    found = Detections(box, np.array([0.9], np.float32), np.array([0]))
    metrics = source.evaluate({"0--Parade/a.jpg": found}, tmp_path / "out").metrics
    assert metrics["easy_AP"] == pytest.approx(1.0)
    assert metrics["AP"] == metrics["hard_AP"] == pytest.approx(0.5)
    assert set(metrics) == set(source.metric_names)
    lines = (tmp_path / "out/wider/0--Parade/a.txt").read_text().splitlines()
    assert lines[:2] == ["a", "1"]
    assert lines[2].split()[:4] == ["10.0000", "20.0000", "30.0000", "40.0000"]


def test_levels_of_other_faces_are_refused(tmp_path: Path) -> None:
    written(tmp_path, OWNERS)
    levels(tmp_path, {"0--Parade/a.jpg": {"easy": [], "medium": [], "hard": [7]}})
    with pytest.raises(UserError, match=r"lists face 7 of '0--Parade/a\.jpg', which has 2"):
        open_widerface("val", tmp_path)


def test_owners_matlab_lists(tmp_path: Path) -> None:
    savemat = pytest.importorskip("scipy.io").savemat
    written(tmp_path, OWNERS)

    def cells(values: list) -> np.ndarray:
        column = np.empty((len(values), 1), object)
        for row, value in enumerate(values):
            column[row, 0] = value
        return column

    for level, rows in (("easy", [1]), ("medium", [1, 2]), ("hard", [2])):
        content = {
            "event_list": cells(["0--Parade", "1--Group"]),
            "file_list": cells([cells(["a"]), cells(["b"])]),
            "gt_list": cells([cells([np.array([rows]).T]), cells([np.zeros((0, 1))])]),
        }
        savemat(tmp_path / "widerface" / f"wider_{level}_val.mat", content)
    source = open_widerface("val", tmp_path)
    assert source.levels["medium"]["0--Parade/a.jpg"].tolist() == [0, 1]
    assert source.levels["hard"]["0--Parade/a.jpg"].tolist() == [1]
    assert source.levels["hard"]["1--Group/b.jpg"].tolist() == []


def test_real_faces_fit_the_owners_lists(tmp_path: Path) -> None:
    base = real_data.folder("widerface_val")
    lists = folder() / "family" / "centerface" / "wider_lists.json"
    if not lists.is_file():
        pytest.skip(f"no {lists}")
    (tmp_path / "images").symlink_to(base / "images")
    (tmp_path / "label.txt").write_text((base / "label.txt").read_text())
    (tmp_path / "wider_lists.json").write_text(lists.read_text())
    source = open_widerface("val", tmp_path)
    assert [len(source), len(source.table.ids)] == [9, 473]
    for index in range(9):
        name, boxes = source.image_id(index), source.boxes(index)
        assert max(source.levels["hard"][name], default=0) < len(boxes)
    truth = {
        source.image_id(i): Detections(o.boxes, np.ones(len(o), np.float32), o.classes)
        for i, o in ((i, source.objects(i)) for i in range(9))
    }
    metrics = source.evaluate(truth, tmp_path / "out").metrics
    assert min(metrics.values()) == pytest.approx(1.0)
