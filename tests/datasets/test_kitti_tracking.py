"""KITTI's tracking benchmark: the recorded conversion, and the rules of its measure."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest

from centernet.datasets import open_source
from centernet.datasets.evaluate.kitti_tracks import countable_kitti, read_kitti_tracks
from centernet.datasets.evaluate.tracking import Scores
from centernet.runtime.errors import UserError
from centernet.structures.detections import Detections
from tests.parity_cases import cases, recipe

PARTS = {"train": ("train", "train"), "train_half": ("train", ""), "val_half": ("val", "")}
# Their ids to ours: pedestrian, car, cyclist, van, truck, sitting, tram, misc, DontCare.
CLASSES = {1: 0, 2: 1, 3: 2, 4: -3, 5: -3, 6: -2, 7: -99, 8: -99, 9: -1}


@pytest.fixture
def whole() -> Any:
    """The recorded case that has the texts of all sequences."""
    found = cases("tracking/centertrack/converters", where=lambda case: case.name == "kitti.train")
    if not found or found[0].values[0] is None:
        pytest.skip("no recorded texts of KITTI tracking")
    return found[0].values[0]


def _write(root: Path, whole: Any) -> Path:
    place = root / "kitti_tracking" / "training"
    for name in ("label_02", "calib"):
        (place / name).mkdir(parents=True)
    for name, text in whole.params["labels"].items():
        (place / "label_02" / f"{name}.txt").write_text(text)
        (place / "calib" / f"{name}.txt").write_text(whole.params["calibs"][name])
    for file in whole.params["file_names"]:
        path = place / "image_02" / file
        path.parent.mkdir(parents=True, exist_ok=True)
        cv2.imwrite(str(path), np.zeros((30, 100, 3), np.uint8))
    return place


@pytest.mark.parametrize(
    "case",
    cases("tracking/centertrack/converters", where=lambda case: case.name.startswith("kitti")),
)
def test_what_is_learned_is_the_recorded_conversion(case: Any, whole: Any, tmp_path: Path) -> None:
    assert recipe() is not None
    _write(tmp_path, whole)
    split, version = PARTS[case.name.split(".")[1]]
    source = open_source("kitti_tracking", split, tmp_path, dataset_version=version)
    files = [str(Path(file).relative_to("image_02")) for file in source.table.files]
    assert files == case.params["file_names"]
    np.testing.assert_array_equal(source.table.videos.frame, case.outputs["images"][:, 1])
    _, category, image, _ = case.outputs["anns"].T
    order = np.argsort(image, kind="stable")
    ours = source.table
    wanted = {key: case.outputs[key][order] for key in ("bbox", "dim", "location", "alpha")}
    np.testing.assert_array_equal(ours.image + case.outputs["images"][0, 0], image[order])
    np.testing.assert_array_equal(ours.classes, [CLASSES[c] for c in category[order].tolist()])
    np.testing.assert_allclose(ours.boxes, wanted["bbox"], atol=1e-4)
    solid = ours.cuboids
    known = wanted["dim"][:, 0] > 0
    np.testing.assert_allclose(solid.dimensions[known], wanted["dim"][known], atol=1e-4)
    np.testing.assert_allclose(solid.locations[known], wanted["location"][known], atol=1e-4)
    np.testing.assert_allclose(solid.alphas[known], wanted["alpha"][known], atol=1e-4)
    np.testing.assert_allclose(ours.calibrations[0], case.params["calib_of_first"], atol=1e-4)


def _line(frame: int, track: int, kind: str, box: str, occluded: int = 0) -> str:
    return f"{frame} {track} {kind} 0 {occluded} 0 {box} 1 1 1 0 0 9 0\n"


def _scores(tmp_path: Path, truth: str, found: str, name: str = "car") -> Scores:
    tables = []
    for file, text in (("truth.txt", truth), ("found.txt", found)):
        (tmp_path / file).write_text(text)
        tables.append(read_kitti_tracks(tmp_path / file))
    return Scores.of(*countable_kitti(*tables, name, 1), 1)


BIG, OTHER, TINY = "100 100 200 200", "300 100 400 200", "500 100 520 120"


@pytest.mark.parametrize(
    ("truth", "found", "counts"),
    [
        (_line(0, 1, "Car", BIG), _line(0, 1, "Car", BIG), (1, 0, 0)),
        ("", _line(0, 1, "Car", BIG), (0, 0, 1)),
        (_line(0, 1, "Van", BIG), _line(0, 1, "Car", BIG), (0, 0, 0)),
        (_line(0, 1, "Car", BIG, occluded=3), _line(0, 1, "Car", BIG), (0, 0, 0)),
        (_line(0, -1, "DontCare", BIG), _line(0, 1, "Car", BIG), (0, 0, 0)),
        ("", _line(0, 1, "Car", TINY), (0, 0, 0)),
        (_line(0, 1, "Car", TINY), _line(0, 1, "Car", TINY), (1, 0, 0)),
        (_line(0, 1, "Car", OTHER), _line(0, 1, "Pedestrian", OTHER), (0, 1, 0)),
    ],
)
def test_rules(tmp_path: Path, truth: str, found: str, counts: tuple[int, int, int]) -> None:
    clear = _scores(tmp_path, truth, found).clear
    assert (clear.hits, clear.misses, clear.extras) == counts


def test_the_truth_as_tracks_is_perfect(whole: Any, tmp_path: Path) -> None:
    _write(tmp_path, whole)
    source = open_source("kitti_tracking", "train", tmp_path, dataset_version="train")
    found = {}
    for index in range(len(source)):
        objects = source.objects(index)
        own = objects.select(objects.classes >= 0)
        found[source.image_id(index)] = Detections(
            own.boxes, np.full(len(own), 0.9), own.classes, identities=own.identities
        )
    result = source.evaluate(found, tmp_path / "out")
    assert result.metrics["MOTA"] == 1
    assert result.per_class["pedestrian"]["IDSW"] == 0
    assert len(list((tmp_path / "out" / "results_kitti_tracking").iterdir())) == 2


def test_faults_are_named(whole: Any, tmp_path: Path) -> None:
    place = _write(tmp_path, whole)
    (place / "image_02" / "0000" / "000004.png").unlink()
    with pytest.raises(UserError, match="boxes up to frame 4, but image_02/0000 has 4 frames"):
        open_source("kitti_tracking", "train", tmp_path)
    (place / "label_02" / "0000.txt").write_text("0 1 Car 0 0\n")
    with pytest.raises(UserError, match="line 1: not the 17 fields"):
        open_source("kitti_tracking", "train", tmp_path)
