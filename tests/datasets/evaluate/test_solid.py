from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from centernet.datasets.coco import open_coco
from centernet.datasets.evaluate.solid import SOLID_METRICS, overlaps_of
from centernet.datasets.table_source import TableSource
from centernet.structures.detections import Detections
from centernet.structures.objects import Cuboids
from tests.datasets.made_up import annotation, image_entry, write_coco

CAMERA = [[700.0, 0, 30, 0], [0, 700, 20, 0], [0, 0, 1, 0]]


def solids(count: int, x: float = 0.0, length: float = 4.0) -> Cuboids:
    return Cuboids(
        dimensions=np.tile(np.array([[2.0, 2.0, length]], np.float32), (count, 1)),
        locations=np.array([[x, 1, 10 + 10 * n] for n in range(count)], np.float32).reshape(-1, 3),
        rotations=np.zeros(count, np.float32),
        alphas=np.zeros(count, np.float32),
        depths=np.array([10.0 + 10 * n for n in range(count)], np.float32),
    )


@pytest.fixture
def source(tmp_path: Path) -> TableSource:
    rows = [
        annotation(n, **{"dim": [2, 2, 4], "location": [0, 1, 10 + 10 * n], "rotation_y": 0.0,
                         "alpha": 0.0, "depth": 10 + 10 * n})
        for n in range(2)
    ]  # fmt: skip
    rows.append(annotation(2, box=(30, 6, 20, 10), dim=[-1, -1, -1]))
    images = [image_entry(1) | {"calib": CAMERA}]
    path = write_coco(tmp_path / "t.json", rows, images=images)
    return open_coco(path, tmp_path, wanted={"boxes", "cuboids"})


def found(source: TableSource, solid: Cuboids, scores: list[float]) -> dict[int | str, Detections]:
    boxes = [[5, 6, 25, 16]] * len(scores)
    return {1: Detections(boxes, scores, [0] * len(scores), ("thing",), cuboids=solid)}


def test_the_annotations_as_detections_are_perfect(source: TableSource, tmp_path: Path) -> None:
    evaluation = source.evaluate(found(source, solids(2), [0.9, 0.8]), tmp_path)
    assert list(evaluation.metrics) == list(source.metric_names)
    assert [evaluation.metrics[name] for name in SOLID_METRICS] == [1.0] * len(SOLID_METRICS)
    rows = json.loads((tmp_path / "cuboids.json").read_text())
    assert rows[1]["location"] == [0, 1, 20]
    assert rows[0]["dim"] == [2, 2, 4]


def test_overlap_decides_by_its_threshold(source: TableSource, tmp_path: Path) -> None:
    moved = solids(2, x=2.0)  # half of the length: an overlap of a third
    metrics = source.evaluate(found(source, moved, [0.9, 0.8]), tmp_path).metrics
    assert (metrics["3D_0.5"], metrics["3D_0.25"]) == (0.0, 1.0)
    lower = replace(solids(2), locations=solids(2).locations + np.array([0, 1.5, 0], np.float32))
    metrics = source.evaluate(found(source, lower, [0.9, 0.8]), tmp_path).metrics
    assert (metrics["3D_0.25"], metrics["BEV_0.5"]) == (0.0, 1.0)


def test_false_ones_cost_precision_but_not_over_regions_to_ignore(
    source: TableSource, tmp_path: Path
) -> None:
    three = solids(3)
    results = found(source, three, [0.9, 0.8, 0.95])  # the third, best one is of nothing
    assert source.evaluate(results, tmp_path).metrics["AP"] == pytest.approx(2 / 3)
    results[1].boxes[2] = [30, 6, 50, 16]  # where an object without a cuboid is
    assert source.evaluate(results, tmp_path).metrics["AP"] == pytest.approx(1)


def test_overlaps_of_turned_cuboids() -> None:
    turned = replace(solids(1), rotations=np.full(1, np.pi / 2, np.float32))
    np.testing.assert_allclose(overlaps_of(solids(1), turned), [[[4 / 12, 4 / 12]]], rtol=1e-5)
    assert overlaps_of(solids(0), solids(2)).shape == (0, 2, 2)
