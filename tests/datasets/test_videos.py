"""COCO files with videos, and CrowdHuman's still images with identities."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest

from centernet.datasets import open_source
from centernet.datasets.source import Source
from centernet.runtime.errors import UserError
from centernet.structures.detections import Detections


def _picture(path: Path) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    cv2.imwrite(str(path), np.zeros((60, 80, 3), np.uint8))


def _film(root: Path, **extra: Any) -> Source:
    """Two videos of three frames, listed backwards; an object of each class in each."""
    images, annotations = [], []
    for number in range(6, 0, -1):
        video, frame = (number - 1) // 3 + 1, (number - 1) % 3 + 1
        images.append({"id": number, "file_name": f"{number}.jpg", "height": 60, "width": 80})
        images[-1] |= {"video_id": video, "frame_id": frame}
        _picture(root / "images" / f"{number}.jpg")
        for kind in (1, 2):
            box = [10 * kind + frame, 5, 20, 30]
            row = {"id": len(annotations) + 1, "image_id": number, "category_id": kind}
            annotations.append(row | {"bbox": box, "area": 600, "iscrowd": 0, "track_id": kind})
    categories = [{"id": 1, "name": "cat"}, {"id": 2, "name": "dog"}]
    data = {"images": images, "annotations": annotations, "categories": categories} | extra
    (root / "film.json").write_text(json.dumps(data))
    return open_source("custom", "val", root, val_json=root / "film.json")


def _tracks(source: Source, swap: bool = False) -> dict[int | str, Detections]:
    found: dict[int | str, Detections] = {}
    for frames in source.sequences():
        for place, index in enumerate(frames):
            objects = source.objects(index)
            ids = np.array([8, 9]) + (10 if swap and place == 2 else 0)
            scores = np.full(len(objects), 0.9)
            found[source.image_id(index)] = Detections(
                objects.boxes, scores, objects.classes, identities=ids
            )
    return found


def test_frames_are_in_order_whatever_the_file_says(tmp_path: Path) -> None:
    source = _film(tmp_path)
    named = [[source.image_id(index) for index in frames] for frames in source.sequences()]
    assert sorted(named) == [[1, 2, 3], [4, 5, 6]]
    assert "identities" in source.info.provides


def test_tracks_are_measured_class_by_class(tmp_path: Path) -> None:
    source = _film(tmp_path)
    perfect = source.evaluate(_tracks(source), tmp_path)
    assert perfect.metrics["MOTA"] == perfect.metrics["HOTA"] == 1
    assert set(perfect.per_class) == {"cat", "dog"}
    swapped = source.evaluate(_tracks(source, swap=True), tmp_path)
    assert swapped.metrics["IDSW"] == 4
    assert swapped.metrics["MOTA"] == pytest.approx(1 - 4 / 12)
    assert swapped.per_class["cat"]["IDSW"] == 2


def test_without_frames_there_are_no_videos(tmp_path: Path) -> None:
    _picture(tmp_path / "images" / "1.jpg")
    images = [{"id": 1, "file_name": "1.jpg", "height": 60, "width": 80, "video_id": 1}]
    source = _film(tmp_path, images=images)
    assert source.sequences() == ()
    assert source.previous(0) is None


def _crowd(root: Path, lines: list[str]) -> Source:
    place = root / "crowdhuman"
    place.mkdir(exist_ok=True)
    (place / "annotation_train.odgt").write_text("\n".join(lines))
    _picture(place / "CrowdHuman_train" / "Images" / "a,1.jpg")
    return open_source("crowdhuman", "train", root)


def test_crowdhuman(tmp_path: Path) -> None:
    boxes = [
        {"tag": "person", "fbox": [1, 2, 30, 40], "vbox": [1, 2, 3, 4], "extra": {"box_id": 0}},
        {"tag": "person", "fbox": [5, 6, 30, 40], "extra": {"ignore": 1}},
        {"tag": "mask", "fbox": [40, 6, 20, 20], "extra": {"ignore": 1}},
        {"tag": "person", "fbox": "none"},
    ]
    source = _crowd(tmp_path, [json.dumps({"ID": "a,1", "gtboxes": boxes})])
    objects = source.objects(0)
    assert objects.classes.tolist() == [0, -1, -1]
    assert objects.boxes[0].tolist() == [1, 2, 31, 42]
    assert objects.identities is not None
    assert len(set(objects.identities.tolist())) == 3
    assert any("no box of 4 numbers" in line for line in source.report.lines())


@pytest.mark.parametrize(
    ("line", "fault"),
    [("{", "line 1: not json"), ('{"ID": 3, "gtboxes": []}', "line 1: no 'ID' with a list")],
)
def test_a_line_of_crowdhuman_that_is_wrong(tmp_path: Path, line: str, fault: str) -> None:
    with pytest.raises(UserError, match=fault):
        _crowd(tmp_path, [line])
