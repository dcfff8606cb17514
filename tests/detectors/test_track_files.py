"""The files of tracks, beside those recorded of CenterTrack."""

from __future__ import annotations

import json
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from centernet.detectors.track_files import FORMATS, TrackFiles
from centernet.structures.detections import Detections
from centernet.structures.objects import Cuboids
from tests.parity_cases import folder

NAMES = ("Pedestrian", "Car", "Cyclist")


@cache
def _recorded(kind: str) -> Any:
    path = folder() / "tracking/centertrack/writers.json"
    if not path.is_file():
        pytest.skip(f"{path} is absent")
    return json.loads(path.read_text())[kind]


def _detections(rows: list[dict[str, Any]]) -> Detections:
    """Those that are active: what is only remembered is not written."""
    rows = [row for row in rows if row["active"] > 0]
    if not rows:
        return Detections.empty(NAMES, identities=np.zeros(0, np.int64))
    solid = None
    if "dim" in rows[0]:
        values = ([row[key] for row in rows] for key in ("dim", "loc", "rot_y", "alpha", "dep"))
        dim, loc, rot, alpha, depth = (np.array(v, np.float32) for v in values)
        solid = Cuboids(dim, loc, rot, alpha, depth[:, 0])
    return Detections(
        [row["bbox"] for row in rows],
        [row["score"] for row in rows],
        [row["class"] - 1 for row in rows],
        NAMES,
        cuboids=solid,
        identities=np.array([row["tracking_id"] for row in rows]),
    )


def _write(tmp_path: Path, kind: str, form: str) -> dict[str, list[list[str]]]:
    """The lines of every video, as words."""
    recorded, lines = _recorded(kind), {}
    for video in recorded["videos"]:
        name = video["file_name"]
        with TrackFiles(tmp_path, name, (form,)) as files:
            for image in recorded["images"]:
                if image["video_id"] == video["id"]:
                    rows = recorded["results"].get(str(image["id"]), [])
                    files.add(image["file_name"], _detections(rows))
        text = files.paths[0].read_text()
        lines[f"{name}.txt"] = [line.replace(",", " ").split() for line in text.splitlines()]
    return lines


def test_mot_has_the_recorded_boxes(tmp_path: Path) -> None:
    ours = _write(tmp_path, "mot", "mot")
    for name, text in _recorded("mot")["files"].items():
        recorded = [line.split(",") for line in text.splitlines()]
        frames_and_boxes = sorted((row[0], *row[2:6]) for row in recorded)
        assert sorted((row[0], *row[2:6]) for row in ours[name]) == frames_and_boxes
        # The original numbers the identities of a video from 1 in their order.
        numbers = sorted({int(row[1]) for row in ours[name]})
        renamed = sorted((row[0], numbers.index(int(row[1])) + 1) for row in ours[name])
        assert renamed == sorted((row[0], int(row[1])) for row in recorded)


@pytest.mark.parametrize("kind", ["kitti_tracking_2d", "kitti_tracking_3d"])
def test_kitti_has_the_recorded_fields_as_real_numbers(tmp_path: Path, kind: str) -> None:
    ours = _write(tmp_path, kind, "kitti")
    for name, text in _recorded(kind)["files"].items():
        recorded = [line.split() for line in text.splitlines()]
        written = ours[name]
        known = {tuple(row[:3]) + tuple(np.round(np.array(row[6:10], float), 2)) for row in written}
        of_frame = {tuple(row[:3]) + tuple(np.array(row[6:10], float)): row for row in recorded}
        assert known <= set(of_frame)  # the original writes what is only remembered as well
        for row in written:
            twin = of_frame[tuple(row[:3]) + tuple(np.round(np.array(row[6:10], float), 2))]
            if kind.endswith("3d"):  # it cuts them to whole numbers
                cut = np.trunc(np.array(row[5:6] + row[10:17], float))
                np.testing.assert_array_equal(cut, np.array(twin[5:6] + twin[10:17], float))
            else:
                assert [float(v) for v in row[10:17]] == [float(v) for v in twin[10:17]]
            assert abs(float(row[17]) - float(twin[17])) <= 0.0051


def test_coco_with_videos(tmp_path: Path) -> None:
    found = Detections(
        [[1, 2, 11, 22]], [0.5], [1], NAMES, identities=np.array([7]), image_size=(40, 60)
    )
    with TrackFiles(tmp_path, "film", ("coco",)) as files:
        files.add("film_000000.jpg", found)
        files.add("film_000001.jpg", found.select([]))
        files.add("film_000002.jpg", found)
    data = json.loads(files.paths[0].read_text())
    assert [image["frame_id"] for image in data["images"]] == [1, 2, 3]
    assert data["images"][0]["height"] == 40
    assert [each["track_id"] for each in data["annotations"]] == [7, 7]
    assert [each["image_id"] for each in data["annotations"]] == [1, 3]
    assert data["annotations"][0]["bbox"] == [1, 2, 10, 20]
    assert [each["name"] for each in data["categories"]] == list(NAMES)
    assert data["videos"] == [{"id": 1, "file_name": "film"}]


def test_a_video_without_objects_has_its_files(tmp_path: Path) -> None:
    with TrackFiles(tmp_path, "film", FORMATS) as files:
        files.add("a.jpg", Detections.empty(NAMES))
    assert [path.name for path in files.paths] == [
        "film_mot.txt",
        "film_kitti.txt",
        "film_coco.json",
    ]
    assert json.loads(files.paths[2].read_text())["annotations"] == []


def test_what_was_tracked_until_an_interruption_is_kept(tmp_path: Path) -> None:
    found = Detections([[1, 2, 11, 22]], [0.5], [0], NAMES, identities=np.array([1]))
    files = TrackFiles(tmp_path, "film", ("mot", "coco"))
    files.add("a.jpg", found)
    files.__exit__(KeyboardInterrupt, KeyboardInterrupt(), None)
    assert files.paths[0].read_text().startswith("1,1,1.00,2.00")
    assert len(json.loads(files.paths[1].read_text())["annotations"]) == 1
