from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from centernet.datasets.evaluate.voc import (
    Boxes,
    average_precision,
    evaluate_voc,
    write_voc_results,
)
from centernet.datasets.table import Table
from centernet.structures.detections import Detections
from tests.parity_cases import folder as parity
from tests.real_data import folder


def boxes(rows: list, *, flag: list | None = None, score: list | None = None) -> Boxes:
    """Rows of image, x1, y1, x2, y2."""
    array = np.array(rows, np.float64).reshape(-1, 5)
    return Boxes(
        array[:, 0].astype(np.int64),
        array[:, 1:],
        None if flag is None else np.array(flag, bool),
        None if score is None else np.array(score, np.float64),
    )


TWO = boxes([[0, 1, 1, 10, 10], [1, 1, 1, 10, 10]], flag=[0, 0])


def test_one_right_one_missed() -> None:
    found = boxes([[0, 1, 1, 10, 10]], score=[0.9])
    assert average_precision(TWO, found) == pytest.approx(0.5)
    assert average_precision(TWO, found, eleven_points=True) == pytest.approx(6 / 11)


def test_second_detection_of_the_same_object_is_wrong() -> None:
    found = boxes([[0, 1, 1, 10, 10], [0, 1, 1, 10, 9], [1, 1, 1, 10, 10]], score=[0.9, 0.8, 0.7])
    assert average_precision(TWO, found) == pytest.approx(0.5 + 0.5 * 2 / 3)


def test_the_most_overlapped_object_counts_even_when_taken() -> None:
    truth = boxes([[0, 1, 1, 10, 10], [0, 3, 1, 12, 10]], flag=[0, 0])
    found = boxes([[0, 1, 1, 10, 10], [0, 2, 1, 10, 10]], score=[0.9, 0.8])
    assert average_precision(truth, found) == pytest.approx(0.5)


def test_overlap_must_be_greater_not_equal() -> None:
    truth = boxes([[0, 1, 1, 10, 10]], flag=[0])
    half = boxes([[0, 1, 1, 10, 5]], score=[0.9])  # 50 of 100 pixels
    assert average_precision(truth, half) == 0
    assert average_precision(truth, half, overlap=0.49) == 1


def test_difficult_objects_count_neither_way() -> None:
    truth = boxes([[0, 1, 1, 10, 10], [0, 30, 30, 40, 40]], flag=[0, 1])
    found = boxes([[0, 30, 30, 40, 40], [0, 1, 1, 10, 10]], score=[0.9, 0.8])
    assert average_precision(truth, found) == 1
    assert average_precision(truth, boxes([[0, 1, 1, 10, 10]], score=[0.8])) == 1
    only = boxes([[0, 1, 1, 10, 10]], score=[0.8])
    assert average_precision(truth, only, use_difficult=True) == 0.5


def test_nothing_found_is_zero_and_no_truth_is_nan() -> None:
    assert average_precision(TWO, boxes([], score=[])) == 0
    assert np.isnan(average_precision(boxes([], flag=[]), boxes([[0, 1, 1, 2, 2]], score=[1])))


def recorded() -> dict:
    path = parity() / "evalfmt" / "voc_ap.json"
    if not path.is_file():
        pytest.skip(f"{path} absent (CENTERNET_PARITY names another folder)")
    return json.loads(path.read_text())


def table(recording: dict) -> Table:
    truth = recording["gt"]
    corners = np.array([t["bbox"] for t in truth], np.float64)
    xywh = np.concatenate([corners[:, :2] - 1, corners[:, 2:] - corners[:, :2] + 1], axis=1)
    places = {name: n for n, name in enumerate(recording["classes"])}
    count = recording["num_images"]
    return Table(
        image_ids=list(range(count)),
        files=np.array([f"{n}.jpg" for n in range(count)]),
        sizes=np.zeros((count, 2), np.int64),
        image=np.array([t["image"] for t in truth]),
        ids=np.arange(len(truth)),
        classes=np.array([places[t["class"]] for t in truth]),
        boxes=xywh,
        areas=xywh[:, 2] * xywh[:, 3],
        crowd=np.array([t["difficult"] for t in truth], bool),
    )


def detections(recording: dict) -> dict[int, Detections]:
    found = {}
    for image in range(recording["num_images"]):
        rows = [
            (place, row)
            for place, name in enumerate(recording["classes"])
            for row in recording["detections"][name]
            if row[0] == image
        ]
        found[image] = Detections(
            np.array([row[2:] for _, row in rows]).reshape(-1, 4),
            np.array([row[1] for _, row in rows]),
            np.array([place for place, _ in rows]),
        )
    return found


def test_recorded_means_through_table_and_detections() -> None:
    recording = recorded()
    found = evaluate_voc(table(recording), recording["classes"], detections(recording))
    metrics = found.metrics
    for name, mode in (("VOC07", "voc07"), ("VOC12", "area")):
        keys = [f"{c}.{mode}.use_diff0.iou0.5" for c in recording["classes"]]
        expected = np.mean([recording["AP"][key] for key in keys])
        assert metrics[name] == pytest.approx(expected, abs=recording["tol"]["ap_abs"])
    assert "aeroplane" in found.table
    assert set(found.per_class) == set(recording["classes"])


def test_recorded_values_of_each_class() -> None:
    recording = recorded()
    assert len(recording["AP"]) == 24
    for key, expected in recording["AP"].items():
        name, mode, difficult, overlap = key.split(".", 3)
        truth = [t for t in recording["gt"] if t["class"] == name]
        found = recording["detections"][name]
        # The challenge's result files: corners from 1 with one decimal, scores with three.
        rows = [[r[0], *(float(f"{v + 1:.1f}") for v in r[2:])] for r in found]
        value = average_precision(
            boxes([[t["image"], *t["bbox"]] for t in truth], flag=[t["difficult"] for t in truth]),
            boxes(rows, score=[float(f"{r[1]:.3f}") for r in found]),
            overlap=float(overlap.removeprefix("iou")),
            eleven_points=mode == "voc07",
            use_difficult=difficult.endswith("1"),
        )
        assert value == pytest.approx(expected, abs=recording["tol"]["ap_abs"]), key


def read_rows(path: Path, image: int) -> list[list]:
    lines = path.read_text().splitlines() if path.is_file() else []
    return [[image, f[0], *map(float, f[1:])] for f in map(str.split, lines) if f]


def fixture(root: Path, truth_name: str, found_name: str) -> tuple[list, list]:
    truth, found = [], []
    for image, path in enumerate(sorted((root / truth_name).glob("*.txt"))):
        truth += read_rows(path, image)
        found += read_rows(root / found_name / path.name, image)
    return truth, found


def test_published_values_of_85_images() -> None:
    root = folder("ap_fixture") / "voc85"
    truth, found = fixture(root, "ground-truth", "detection-results")
    expected = json.loads((root / "expected.json").read_text())["AP"]
    values = {}
    for name in {row[1] for row in truth}:
        ours = [[r[0], *r[2:6]] for r in truth if r[1] == name]
        theirs = [r for r in found if r[1] == name]
        values[name] = average_precision(
            boxes(ours, flag=[0] * len(ours)),
            boxes([[r[0], *r[3:7]] for r in theirs], score=[r[2] for r in theirs]),
        )
    assert {name: round(100 * v, 2) for name, v in values.items()} == {
        name: value for name, value in expected.items() if name != "__mAP__"
    }
    assert round(100 * float(np.mean(list(values.values()))), 2) == expected["__mAP__"]


def test_published_values_of_seven_images_in_both_measures() -> None:
    root = folder("ap_fixture") / "toy7"
    truth, found = fixture(root, "groundtruths", "detections")
    expected = json.loads((root / "expected.json").read_text())

    def corners(row: list, first: int) -> list:
        x, y, width, height = row[first : first + 4]
        return [row[0], x, y, x + width, y + height]

    ours = boxes([corners(r, 2) for r in truth], flag=[0] * len(truth))
    theirs = boxes([corners(r, 3) for r in found], score=[r[2] for r in found])
    area = average_precision(ours, theirs, overlap=expected["iou"])
    eleven = average_precision(ours, theirs, overlap=expected["iou"], eleven_points=True)
    assert round(100 * area, 2) == expected["AP_all_points"]
    assert round(100 * eleven, 2) == expected["AP_11_points"]


def test_results_file_is_that_of_the_original(tmp_path: Path) -> None:
    path = parity() / "evalfmt" / "formats.json"
    if not path.is_file():
        pytest.skip(f"{path} absent (CENTERNET_PARITY names another folder)")
    case = json.loads(path.read_text())["cases"]["pascal"]
    results = {}
    for image, classes in case["input"].items():
        rows = [(int(n) - 1, row) for n, rows in classes.items() for row in rows]
        array = np.array([row for _, row in rows]).reshape(-1, 5)
        results[int(image)] = Detections(array[:, :4], array[:, 4], [place for place, _ in rows])
    written = json.loads(write_voc_results(tmp_path, results, case["images"], 20).read_text())
    assert len(written) == 21
    for ours, theirs in zip(written, case["output"], strict=True):
        for a, b in zip(ours, theirs, strict=True):
            np.testing.assert_allclose(np.reshape(a, (-1, 5)), np.reshape(b, (-1, 5)), atol=1e-6)
