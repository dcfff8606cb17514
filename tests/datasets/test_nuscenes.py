"""nuScenes' tables as a data set, beside the recorded conversion."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest

from centernet.datasets import open_source
from centernet.datasets.nuscenes import scene_names, source_of
from centernet.datasets.nuscenes_table import ATTRIBUTES, camera_of, seen_by
from centernet.datasets.nuscenes_tables import Tables
from centernet.runtime.errors import UserError
from centernet.structures.detections import Detections
from tests.parity_cases import folder


@pytest.fixture(scope="module")
def recorded() -> dict[str, Any]:
    path = folder() / "family/nuscenes/convert_and_eval.json"
    if not path.is_file():
        pytest.skip(f"{path} is absent")
    return json.loads(path.read_text())


@pytest.fixture(scope="module")
def root(recorded: dict[str, Any], tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with the recorded tables and images of the size that they tell."""
    place = tmp_path_factory.mktemp("nuscenes") / "nuscenes"
    (place / "v1.0-mini").mkdir(parents=True)
    for name, rows in recorded["tables"].items():
        (place / "v1.0-mini" / f"{name}.json").write_text(json.dumps(rows))
    picture = np.zeros((900, 1600, 3), np.uint8)
    for row in recorded["tables"]["sample_data"]:
        path = place / row["filename"]
        path.parent.mkdir(parents=True, exist_ok=True)
        if path.suffix == ".jpg":
            cv2.imwrite(str(path), picture)
    return place


def test_what_a_camera_sees_is_the_recorded_conversion(recorded: dict[str, Any]) -> None:
    tables, wanted = Tables(recorded["tables"]), recorded["converted"]
    of_image: dict[int, list[dict[str, Any]]] = {row["id"]: [] for row in wanted["images"]}
    for row in wanted["annotations"]:
        of_image[row["image_id"]].append(row)
    for image in wanted["images"]:
        sample = tables.get("sample", image["sample_token"])
        camera = camera_of(tables, sample, image["file_name"].split("/")[1])
        assert camera is not None
        assert camera.number == image["sensor_id"]
        np.testing.assert_allclose(camera.matrix, image["calib"], atol=1e-4)
        turn, shift = camera.to_camera
        back = np.array(image["trans_matrix"])
        np.testing.assert_allclose(turn.T, back[:3, :3], atol=1e-6)
        np.testing.assert_allclose(-turn.T @ shift, back[:3, 3], atol=1e-4)
        seen = seen_by(tables, camera, tables.annotations_of[sample["token"]])
        rows = of_image[image["id"]]
        assert len(seen) == len(rows)
        seen.sort(key=lambda each: each.depth)
        for ours, row in zip(seen, sorted(rows, key=lambda row: row["depth"]), strict=True):
            box = np.concatenate([ours.box[:2], ours.box[2:] - ours.box[:2]])
            assert ours.index == row["category_id"] - 1
            np.testing.assert_allclose(box, row["bbox"], atol=1e-3)
            np.testing.assert_allclose(ours.dimensions, row["dim"], atol=1e-5)
            np.testing.assert_allclose(ours.location, row["location"], atol=1e-5)
            np.testing.assert_allclose(ours.rotation, row["rotation_y"], atol=1e-5)
            np.testing.assert_allclose(ours.alpha, row["alpha"], atol=1e-3)
            np.testing.assert_allclose(ours.centre, row["amodel_center"], atol=1e-3)
            velocity = [np.nan if v is None else v for v in row["velocity"][:3]]
            np.testing.assert_allclose(ours.velocity, velocity, atol=1e-5)
            attribute = tables.attribute_of(ours.annotation)
            assert ATTRIBUTES.index(attribute) == row["attributes"]


def _source(recorded: dict[str, Any], root: Path) -> Any:
    tables = Tables(recorded["tables"])
    return source_of(tables, list(tables.lists["scene"]), root)


def test_no_sample_is_lost(recorded: dict[str, Any], root: Path) -> None:
    source = _source(recorded, root)
    assert len(source) == len(recorded["converted"]["images"])
    assert sorted(map(str, source.table.files)) == sorted(
        image["file_name"] for image in recorded["converted"]["images"]
    )
    assert [len(frames) for frames in source.sequences()] == [3] * 4
    objects = source.objects(0)
    assert objects.cuboids is not None
    assert objects.calibration is not None


def test_the_truth_as_detections_has_no_error_of_place(
    recorded: dict[str, Any], root: Path, tmp_path: Path
) -> None:
    source = _source(recorded, root)
    found = {}
    for index in range(len(source)):
        objects = source.objects(index)
        count = len(objects)
        found[source.image_id(index)] = Detections(
            objects.boxes, np.full(count, 0.9), objects.classes, cuboids=objects.cuboids
        )
    result = source.evaluate(found, tmp_path)
    with_hits = {n: v for n, v in result.per_class.items() if v["AP"] > 0}
    assert with_hits
    for values in with_hits.values():
        assert values["trans_err"] == pytest.approx(0, abs=1e-3)
        assert values["scale_err"] == pytest.approx(0, abs=1e-3)
        assert np.isnan(values["orient_err"]) or values["orient_err"] < 1e-3
    assert json.loads((tmp_path / "results.json").read_text())["meta"]["use_camera"]


def test_parts_by_scene(recorded: dict[str, Any], root: Path) -> None:
    assert scene_names("12-14 35") == {"scene-0012", "scene-0013", "scene-0014", "scene-0035"}
    names = {row["name"] for row in recorded["tables"]["scene"]}
    validating = names & scene_names("103 916")
    frames = {split: 0 for split in ("train", "val")}
    for split in frames:
        if bool(validating) if split == "val" else bool(names - validating):
            frames[split] = len(open_source("nuscenes", split, root.parent))
    assert sum(frames.values()) == len(recorded["converted"]["images"])


def test_a_table_that_is_absent_is_named(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="nuscenes"):
        open_source("nuscenes", "train", tmp_path)
    (tmp_path / "nuscenes" / "v1.0-mini").mkdir(parents=True)
    with pytest.raises(UserError, match=r"attribute\.json: no such table"):
        open_source("nuscenes", "train", tmp_path)
