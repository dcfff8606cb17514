from __future__ import annotations

import copy
import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from pycocotools.coco import COCO
from pycocotools.cocoeval import COCOeval

from centernet.datasets.coco import open_coco
from centernet.datasets.evaluate.coco import evaluate_coco, load_backend, write_results
from centernet.datasets.source import Info
from centernet.datasets.table import Table
from centernet.runtime.errors import UserError
from centernet.structures.detections import Detections
from tests.parity_cases import folder as parity
from tests.real_data import folder


def make_table(
    boxes: list, images: list[int], classes: list[int], image_ids: list, **columns: Any
) -> Table:
    array = np.array(boxes, np.float64).reshape(-1, 4)
    count = len(array)
    return Table(
        image_ids=image_ids,
        files=np.array([f"{n}.jpg" for n in image_ids]),
        sizes=np.full((len(image_ids), 2), 200, np.int64),
        image=np.array(images, np.int64),
        ids=columns.pop("ids", np.arange(count)),
        classes=np.array(classes, np.int64),
        boxes=array,
        areas=array[:, 2] * array[:, 3],
        crowd=np.array(columns.pop("crowd", [False] * count), bool),
        **columns,
    )


def as_found(table: Table, score: float = 0.9) -> dict[Any, Detections]:
    """The ground truth as if it had been detected."""
    found = {}
    for index, image_id in enumerate(table.image_ids):
        objects = table.objects(index)
        found[image_id] = Detections(
            objects.boxes,
            np.full(len(objects), score),
            objects.classes,
            keypoints=objects.keypoints,
        )
    return found


ONE = pytest.approx(1, abs=1e-12)
INFO = Info("made up", ("cat", "dog"), (7, 3))
TABLE = make_table(
    [[10, 10, 50, 60], [80, 20, 30, 30], [5, 5, 100, 120]], [0, 0, 1], [0, 1, 0], [11, 5]
)


def test_truth_as_detections_is_perfect(tmp_path: Path, capsys: pytest.CaptureFixture) -> None:
    evaluation = evaluate_coco(TABLE, INFO, as_found(TABLE), tmp_path)
    metrics = evaluation.metrics
    assert next(iter(metrics)) == "AP"
    assert [metrics[name] for name in ("AP", "AP50", "AR100")] == [ONE] * 3
    assert capsys.readouterr().out == ""  # the table is the caller's to log
    assert "Average Precision" in evaluation.table
    assert "cat  AP 1.000" in evaluation.table
    assert evaluation.per_class["dog"] == {"AP": ONE, "AP50": ONE}
    curve = evaluation.curves["dog"]
    assert curve.recall.shape == (101,)
    assert (curve.precision > 0.99).all()
    rows = json.loads((tmp_path / "results.json").read_text())
    assert [(row["image_id"], row["category_id"]) for row in rows] == [(11, 7), (11, 3), (5, 7)]
    assert rows[0]["bbox"] == [10, 10, 50, 60]
    assert json.loads((tmp_path / "classes.json").read_text())["dog"] == {"AP": ONE, "AP50": ONE}


def test_annotation_id_zero_is_matched_like_any_other(tmp_path: Path) -> None:
    one = make_table([[10, 10, 50, 60]], [0], [0], [1], ids=np.array([0]))
    assert evaluate_coco(one, INFO, as_found(one), tmp_path).metrics["AP"] == ONE


def test_ids_may_be_strings_and_ids_of_annotations_may_repeat(tmp_path: Path) -> None:
    table = make_table(
        [[10, 10, 50, 60], [80, 20, 30, 30]], [0, 1], [0, 1], ["a", "b"], ids=np.array([4, 4])
    )
    info = Info("made up", ("cat", "dog"), ("c", "d"))  # type: ignore[arg-type]
    assert evaluate_coco(table, info, as_found(table), tmp_path).metrics["AP"] == ONE
    rows = json.loads((tmp_path / "results.json").read_text())
    assert [(row["image_id"], row["category_id"]) for row in rows] == [("a", "c"), ("b", "d")]


def test_nothing_found_is_zero(tmp_path: Path) -> None:
    metrics = evaluate_coco(TABLE, INFO, {}, tmp_path).metrics
    assert metrics["AP"] == 0
    assert json.loads((tmp_path / "results.json").read_text()) == []


def test_results_of_other_images_are_refused(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="results name image 12, which made up lacks"):
        evaluate_coco(TABLE, INFO, {12: Detections.empty()}, tmp_path)


def test_no_ground_truth_is_said_in_words(tmp_path: Path) -> None:
    nothing = make_table([], [], [], [1])
    found = {1: Detections([[0, 0, 5, 5]], [0.5], [0])}
    evaluation = evaluate_coco(nothing, INFO, found, tmp_path)
    assert evaluation.metrics["AP"] == -1
    assert "no ground truth" in evaluation.table


def test_crowd_counts_neither_way(tmp_path: Path) -> None:
    table = make_table(
        [[10, 10, 50, 60], [80, 20, 30, 30]], [0, 0], [0, 0], [1], crowd=[False, True]
    )
    found = as_found(table)
    assert evaluate_coco(table, INFO, found, tmp_path).metrics["AP"] == ONE
    assert evaluate_coco(table, INFO, {1: found[1].select([0])}, tmp_path).metrics["AP"] == ONE


@pytest.mark.parametrize("joints", [4, 13, 17])
def test_keypoints_of_any_skeleton(tmp_path: Path, joints: int) -> None:
    rng = np.random.default_rng(joints)
    keypoints = np.concatenate([rng.uniform(10, 60, (2, joints, 2)), np.full((2, joints, 1), 2)], 2)
    table = make_table(
        [[10, 10, 50, 60], [10, 10, 60, 60]],
        [0, 1],
        [0, 0],
        [1, 2],
        keypoints=keypoints.astype(np.float32),
    )
    loose = Info("made up", ("cat",), (1,), sigmas=(0.1,) * joints)
    tight = Info("made up", ("cat",), (1,), sigmas=(0.01,) * joints)
    found = as_found(table)
    metrics = evaluate_coco(table, tight, found, tmp_path).metrics
    assert metrics["AP"] == ONE
    assert metrics["box_AP"] == ONE
    moved = {
        k: Detections(d.boxes, d.scores, d.classes, keypoints=d.keypoints + np.float32([2, 0, 0]))
        for k, d in found.items()
    }
    assert evaluate_coco(table, loose, moved, tmp_path).metrics["AP"] == ONE
    assert evaluate_coco(table, tight, moved, tmp_path).metrics["AP"] < 0.5
    rows = json.loads((tmp_path / "results.json").read_text())
    assert len(rows[0]["keypoints"]) == 3 * joints


def jittered(source: Any, seed: int = 0) -> dict[Any, Detections]:
    """Truth moved about, some left out, some wrong: every number of the table is in play."""
    rng = np.random.default_rng(seed)
    found = {}
    for index in range(len(source)):
        objects = source.objects(index)
        count = len(objects)
        sides = np.tile(objects.boxes[:, 2:] - objects.boxes[:, :2], 2)
        boxes = objects.boxes + rng.normal(0, 0.12, (count, 4)) * sides
        classes = np.where(rng.random(count) < 0.1, 0, objects.classes)
        keypoints = objects.keypoints
        if keypoints is not None:
            keypoints = keypoints + rng.normal(0, 3, keypoints.shape).astype(np.float32)
        keep = rng.random(count) < 0.85
        every = Detections(boxes, rng.random(count), classes, keypoints=keypoints)
        found[source.image_id(index)] = every.select(keep)
    return found


@pytest.mark.parametrize("kind", ["instances", "person_keypoints"])
def test_statistics_are_those_of_pycocotools_on_the_file(tmp_path: Path, kind: str) -> None:
    root = folder("coco_mini")
    path = root / "annotations" / f"{kind}_val2017.json"
    source = open_coco(path, root / "val2017")
    results = jittered(source)
    before = copy.deepcopy(results)
    metrics = source.evaluate(results, tmp_path).metrics
    for image_id, detections in results.items():
        np.testing.assert_array_equal(detections.boxes, before[image_id].boxes)
        np.testing.assert_array_equal(detections.scores, before[image_id].scores)
    truth = COCO(str(path))
    found = truth.loadRes(str(tmp_path / "results.json"))
    expected = []
    for iou_type in ("keypoints", "bbox") if kind == "person_keypoints" else ("bbox",):
        judged = COCOeval(truth, found, iou_type)
        judged.evaluate()
        judged.accumulate()
        judged.summarize()
        expected += judged.stats.tolist()
    assert 0.05 < metrics["AP"] < 0.95
    np.testing.assert_allclose(list(metrics.values()), expected, atol=1e-10)


@pytest.mark.parametrize("kind", ["instances", "person_keypoints"])
def test_hotcoco_gives_the_same_statistics(tmp_path: Path, kind: str) -> None:
    pytest.importorskip("hotcoco", reason="the extra 'fast' is not installed")
    root = folder("coco_mini")
    source = open_coco(root / "annotations" / f"{kind}_val2017.json", root / "val2017")
    results = jittered(source, seed=1)
    slow = evaluate_coco(source.table, source.info, results, tmp_path).metrics
    fast = evaluate_coco(source.table, source.info, results, tmp_path, backend="hotcoco").metrics
    assert list(slow) == list(fast)
    np.testing.assert_allclose(list(fast.values()), list(slow.values()), atol=1e-10)
    empty = evaluate_coco(source.table, source.info, {}, tmp_path, backend="hotcoco")
    assert empty.metrics["AP"] == 0


def test_backends_are_named_when_unknown_or_absent(monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(UserError, match="'fastcoco'; choose from pycocotools, hotcoco"):
        load_backend("fastcoco")
    monkeypatch.setitem(__import__("sys").modules, "hotcoco", None)
    with pytest.raises(UserError, match=r"pip install 'centernet\[fast\]'"):
        load_backend("hotcoco")


@pytest.mark.parametrize("name", ["coco", "coco_hp"])
def test_results_file_is_that_of_the_original(tmp_path: Path, name: str) -> None:
    path = parity() / "evalfmt" / "formats.json"
    if not path.is_file():
        pytest.skip(f"{path} absent (CENTERNET_PARITY names another folder)")
    case = json.loads(path.read_text())["cases"][name]
    # COCO's 80 classes have ids up to 90.
    gaps = {12, 26, 29, 30, 45, 66, 68, 69, 71, 83}
    category_ids = [n for n in range(1, 91) if n not in gaps]
    results = {}
    for image, classes in case["input"].items():
        rows = [(int(n) - 1, row) for n, rows in classes.items() for row in rows]
        groups: dict[int, Detections] = {}
        for place, row in rows:
            extra: dict[str, Any] = {}
            if len(row) == 13:
                extra["extremes"] = np.reshape(row[5:], (1, 4, 2))
            if len(row) == 39:
                joints = np.reshape(row[5:], (1, 17, 2))
                extra["keypoints"] = np.concatenate([joints, np.ones((1, 17, 1))], axis=2)
            groups[len(groups)] = Detections([row[:4]], [row[4]], [place], **extra)
        results[int(image)] = Detections.concatenate(list(groups.values()))
    written = json.loads(
        write_results(tmp_path / "r.json", results, list(results), category_ids).read_text()
    )
    assert written == case["output"]
