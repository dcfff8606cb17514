"""MOTChallenge folders: what is learned, halves, faults, and the measure of a source."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from centernet.datasets import open_source
from centernet.datasets.mot import MOT, MotSource, open_mot_folder
from centernet.datasets.toy.mot_files import write_mot
from centernet.datasets.toy.motion import draw_motion
from centernet.runtime.errors import UserError
from centernet.structures.detections import Detections
from tests.parity_cases import cases
from tests.real_data import folder

HALF = {"train": None, "test": None, "train_half": True, "val_half": False}


@pytest.fixture(scope="module")
def films(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Two short films in the folders of MOTChallenge."""
    place = tmp_path_factory.mktemp("films")
    drawn = [draw_motion(np.random.default_rng(seed))[:6] for seed in range(2)]
    write_mot(place, "train", drawn)
    return place / "train"


@pytest.mark.parametrize(
    "case",
    cases("tracking/centertrack/converters", where=lambda case: case.name.startswith("mot")),
)
def test_what_is_learned_is_the_recorded_conversion(case: Any) -> None:
    part = case.name.split(".")[1]
    source = open_mot_folder(folder(case.params["source"]) / "train", MOT, half=HALF[part])
    assert [str(file) for file in source.table.files] == case.params["file_names"]
    frames = case.outputs["images"][:, 1]
    np.testing.assert_array_equal(source.table.videos.frame, frames)
    if part == "test":
        return  # read from the training folder there, without annotations
    _, category, image, _ = case.outputs["anns"].T
    order = np.argsort(image, kind="stable")
    first = case.outputs["images"][0, 0]
    np.testing.assert_array_equal(source.table.image, (image - first)[order])
    np.testing.assert_array_equal(source.table.classes == 0, category[order] == 1)
    np.testing.assert_allclose(source.table.boxes, case.outputs["bbox"][order], atol=1e-4)


def _perfect(source: MotSource) -> dict[int | str, Detections]:
    found: dict[int | str, Detections] = {}
    for index in range(len(source)):
        objects = source.objects(index)
        count = len(objects)
        found[source.image_id(index)] = Detections(
            objects.boxes, np.full(count, 0.9), np.zeros(count), identities=objects.identities
        )
    return found


def test_films_are_read_exactly_and_measured(films: Path, tmp_path: Path) -> None:
    source = open_mot_folder(films, MOT, origin=1)
    assert [len(frames) for frames in source.sequences()] == [6, 6]
    result = source.evaluate(_perfect(source), tmp_path)
    assert result.metrics["MOTA"] > 0.9  # what is hardly seen is not learned, but counts
    assert result.metrics["IDSW"] == 0
    assert sorted(path.stem for path in (tmp_path / "results_mot").iterdir()) == [
        video.name for video in source.videos
    ]
    assert set(result.per_class) == {video.name for video in source.videos}
    rows = json.loads((tmp_path / source.results_name).read_text())
    assert {row["image_id"] for row in rows} == set(range(1, 13))


def test_detections_without_identities_are_measured_by_ap(films: Path, tmp_path: Path) -> None:
    source = open_mot_folder(films, MOT, origin=1)
    plain = {
        key: Detections(found.boxes, found.scores, found.classes)
        for key, found in _perfect(source).items()
    }
    assert source.evaluate(plain, tmp_path).metrics["AP"] > 0.99


def test_the_frame_before(films: Path) -> None:
    source = open_mot_folder(films, MOT)
    assert [source.previous(index) for index in range(len(source))] == [
        *(0, 0, 1, 2, 3, 4),
        *(6, 6, 7, 8, 9, 10),
    ]
    rng = np.random.default_rng(0)
    near = {source.previous(7, rng, within=3) for _ in range(200)}
    assert near == {6, 7, 8, 9}
    assert {source.previous(7, rng, within=1) for _ in range(20)} == {7}


def test_identities_are_unique_over_videos(films: Path) -> None:
    source = open_mot_folder(films, MOT)
    assert source.table.identities is not None
    one, two = (
        set(source.table.identities[np.isin(source.table.image, frames)].tolist())
        for frames in source.sequences()
    )
    assert not one & two


def _copy(films: Path, tmp_path: Path) -> Path:
    shutil.copytree(films, tmp_path / "train")
    return tmp_path / "train" / "toy-train-01"


def test_a_length_that_is_not_there_is_told(films: Path, tmp_path: Path) -> None:
    video = _copy(films, tmp_path)
    (video / "img1" / "000003.jpg").unlink()
    lines = open_mot_folder(tmp_path / "train", MOT).report.lines()
    assert any("says 6 frames, 5 are there" in line for line in lines)
    assert any("1 frames are missing between its first and last" in line for line in lines)
    assert any("are in frames without image" in line for line in lines)


@pytest.mark.parametrize(
    ("text", "fault"),
    [
        ("1,-1,2,3,4,5,1,1,1\n", "every identity is -1"),
        ("1,1,2,3\n", "4 numbers a line, at least 7 are needed"),
    ],
)
def test_truth_that_cannot_be_used(films: Path, tmp_path: Path, text: str, fault: str) -> None:
    (_copy(films, tmp_path) / "gt" / "gt.txt").write_text(text)
    with pytest.raises(UserError, match=fault):
        open_mot_folder(tmp_path / "train", MOT)


def test_versions(films: Path, tmp_path: Path) -> None:
    shutil.copytree(films, tmp_path / "mot17" / "train")
    lengths = {
        (split, version): len(open_source("mot", split, tmp_path, dataset_version=version))
        for split in ("train", "val")
        for version in ("", "17half", "17trainval")
    }
    assert lengths == {
        ("train", ""): 8,
        ("train", "17half"): 8,
        ("train", "17trainval"): 12,
        ("val", ""): 4,
        ("val", "17half"): 4,
        ("val", "17trainval"): 4,
    }
    with pytest.raises(UserError, match="--dataset_version best"):
        open_source("mot", "train", tmp_path, dataset_version="best")
    with pytest.raises(UserError, match="mot20"):
        open_source("mot", "train", tmp_path, dataset_version="20half")


def test_public_detections(films: Path) -> None:
    video = open_mot_folder(folder("mot17_mini") / "train", MOT).videos[0]
    public = video.public()
    assert public.shape[1] == 7
    assert set(public[:, 0].tolist()) <= set(range(1, 9))
