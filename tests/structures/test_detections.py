"""Detections: rows, parts, json, COCO rows and files."""

from __future__ import annotations

import json
from pathlib import Path

import cv2
import numpy as np
import pytest

from centernet.runtime.errors import UserError
from centernet.structures.detections import Detections
from centernet.structures.objects import Cuboids

NAMES = ("cat", "dog", "owl")


def some(count: int = 4, **fields: object) -> Detections:
    rng = np.random.default_rng(count)
    corners = rng.uniform(0, 50, (count, 2))
    boxes = np.concatenate([corners, corners + rng.uniform(5, 40, (count, 2))], axis=1)
    scores = np.sort(rng.uniform(0.1, 0.9, count))[::-1]
    return Detections(boxes, scores, np.arange(count) % 3, NAMES, **fields)  # type: ignore[arg-type]


def rich(count: int = 3) -> Detections:
    rng = np.random.default_rng(count)
    return some(
        count,
        keypoints=rng.uniform(0, 90, (count, 5, 3)).astype(np.float32),
        extremes=rng.uniform(0, 90, (count, 4, 2)).astype(np.float32),
        cuboids=Cuboids(
            dimensions=rng.uniform(1, 4, (count, 3)).astype(np.float32),
            locations=rng.uniform(1, 30, (count, 3)).astype(np.float32),
            rotations=rng.uniform(-3, 3, count).astype(np.float32),
            alphas=rng.uniform(-3, 3, count).astype(np.float32),
            depths=rng.uniform(1, 30, count).astype(np.float32),
        ),
        masks=[{"size": [100, 90], "counts": b"abc"} for _ in range(count)],
        identities=np.arange(count) + 7,
    )


def test_types_and_iteration() -> None:
    found = some()
    assert found.boxes.dtype == np.float32
    assert found.classes.dtype == np.int64
    rows = list(found)
    assert [row.name for row in rows] == ["cat", "dog", "owl", "cat"]
    assert rows[0].box == pytest.approx(found.boxes[0])
    assert rows[2].score == pytest.approx(found.scores[2])


def test_rows_must_agree() -> None:
    with pytest.raises(ValueError, match="scores has 2 rows, boxes has 3"):
        Detections(np.zeros((3, 4)), np.zeros(2), np.zeros(3))
    with pytest.raises(ValueError, match="keypoints has 1 rows"):
        some(3, keypoints=np.zeros((1, 17, 3), np.float32))


def test_empty_keeps_its_shapes() -> None:
    found = Detections.empty(NAMES, path=Path("a.jpg"))
    assert len(found) == 0
    assert found.boxes.shape == (0, 4)
    assert list(found) == []
    assert len(found.select([])) == 0
    assert found.to_dict()["objects"] == []
    assert found.to_coco(1, (1, 2, 3)) == []


def test_select_takes_every_field() -> None:
    found = rich(4)
    chosen = found.select([2, 0])
    assert np.array_equal(chosen.boxes, found.boxes[[2, 0]])
    assert np.array_equal(chosen.keypoints, found.keypoints[[2, 0]])
    assert np.array_equal(chosen.cuboids.locations, found.cuboids.locations[[2, 0]])
    assert chosen.identities.tolist() == [9, 7]
    assert len(chosen.masks) == 2
    assert len(found.select(np.zeros(4, bool))) == 0
    assert len(found.select(slice(1, 3))) == 2


def test_above_is_strict() -> None:
    found = Detections(np.zeros((3, 4)), [0.5, 0.25, 0.125], [0, 1, 2], NAMES)
    assert len(found.above(0.25)) == 1


def test_concatenate_is_the_inverse_of_select() -> None:
    found = rich(5)
    joined = Detections.concatenate([found.select([0, 1]), found.select([2, 3, 4])])
    assert joined.to_dict() == found.to_dict()
    with pytest.raises(ValueError, match="keypoints is present in some parts only"):
        Detections.concatenate([some(2), rich(2)])


def test_dict_is_json_and_complete() -> None:
    found = rich(2)
    entry = json.loads(json.dumps(found.to_dict(), allow_nan=False))["objects"][1]
    assert entry["class"] == "dog"
    assert entry["box"] == pytest.approx(found.boxes[1], abs=1e-4)
    assert np.shape(entry["keypoints"]) == (5, 3)
    assert np.shape(entry["extremes"]) == (4, 2)
    assert entry["cuboid"]["locations"] == pytest.approx(found.cuboids.locations[1], abs=1e-4)
    assert entry["mask"] == {"size": [100, 90], "counts": "abc"}
    assert entry["identity"] == 8


def test_dict_has_no_nan() -> None:
    found = Detections([[0, 0, np.inf, np.nan]], [0.5], [0], NAMES)
    assert found.to_dict()["objects"][0]["box"] == [0.0, 0.0, None, None]


def test_coco_rows() -> None:
    found = Detections([[10.004, 20.006, 30.25, 60.5]], [0.8567], [1], NAMES)
    (row,) = found.to_coco(42, (3, 17, 90))
    assert row == {
        "image_id": 42,
        "category_id": 17,
        "bbox": [10.0, 20.01, 20.25, 40.49],
        "score": 0.86,
    }
    (row,) = found.to_coco(42, (3, 17, 90), digits=None)
    assert row["score"] == pytest.approx(0.8567, abs=1e-6)
    (row,) = rich(1).to_coco("a", (1, 2, 3))
    assert len(row["keypoints"]) == 15
    assert row["keypoints"][2::3] == [1.0] * 5
    assert len(row["extreme_points"]) == 8


def test_summary_counts_or_helps() -> None:
    found = Detections(np.zeros((3, 4)), [0.9, 0.5, 0.4], [1, 1, 0], NAMES)
    assert found.summary(0.3) == "3 above 0.3: 2 dog, 1 cat"
    weak = Detections(np.zeros((1, 4)), [0.062], [2], NAMES)
    assert weak.summary(0.3) == (
        "0 boxes above 0.3; best score 0.062 (class 'owl'). Try threshold 0.06"
    )
    assert weak.summary(0.3, "--vis_thresh").endswith("Try --vis_thresh 0.06")
    tiny = Detections(np.zeros((1, 4)), [0.0004], [2], NAMES)
    assert "Try threshold 0.0002" in tiny.summary(0.3)
    assert Detections.empty(NAMES).summary() == "0 boxes above 0.3; no candidate at all"


@pytest.mark.parametrize("score", [0.05, 0.06, 0.299, 0.01, 0.0123, 0.3])
def test_the_threshold_advised_shows_something(score: float) -> None:
    found = Detections(np.zeros((1, 4)), [score], [0], NAMES)
    advised = float(found.summary(0.3).rsplit(" ", 1)[1])
    assert len(found.above(advised)) == 1


def test_class_without_a_name_is_its_number() -> None:
    assert next(iter(Detections(np.zeros((1, 4)), [0.9], [5], NAMES))).name == "5"


def test_save_json_and_picture(tmp_path: Path) -> None:
    found = some()
    numbers = found.save(tmp_path / "new" / "a.json")
    assert numbers.is_absolute()
    assert len(json.loads(numbers.read_text())["objects"]) == 4
    image = np.full((90, 120, 3), 127, np.uint8)
    picture = found.save(tmp_path / "a.png", image)
    assert np.array_equal(cv2.imread(str(picture)), found.plot(image))
    assert sorted(p.name for p in tmp_path.iterdir()) == ["a.png", "new"]


def test_save_names_the_suffixes(tmp_path: Path) -> None:
    with pytest.raises(UserError, match=r"'a.xyz' has no known suffix; use one of .json .jpg"):
        some().save(tmp_path / "a.xyz")


def test_plot_without_file_or_image() -> None:
    with pytest.raises(UserError, match="pass the image"):
        some().plot()
