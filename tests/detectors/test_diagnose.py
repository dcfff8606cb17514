"""The paragraph about a metric near 0 names the fault that was made."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from centernet.datasets.evaluate.evaluation import Evaluation
from centernet.datasets.source import Info, Source
from centernet.detectors.diagnose import examine, overlaps, post_mortem
from centernet.structures.detections import Detections
from centernet.structures.objects import Objects

NAMES = ("cat", "dog")


class Made(Source):
    """Ten images with two objects each, or with none."""

    def __init__(self, objects: int = 2) -> None:
        self.info = Info("made", NAMES, (3, 7))
        rng = np.random.default_rng(0)
        corners = rng.uniform(0, 300, (10, objects, 2))
        boxes = np.concatenate([corners, corners + rng.uniform(40, 60, (10, objects, 2))], axis=2)
        self._boxes = boxes.astype(np.float32)

    def __len__(self) -> int:
        return 10

    def image_id(self, index: int) -> int:
        return 100 + index

    def path(self, index: int) -> Path:
        return Path(f"{index}.jpg")

    def objects(self, index: int) -> Objects:
        boxes = self._boxes[index]
        return Objects(boxes, np.arange(len(boxes)) % 2)

    def evaluate(self, results: Mapping[int | str, Detections], folder: Path) -> Evaluation:
        return Evaluation({"AP": 0.0})


def perfect(source: Made) -> dict[int | str, Detections]:
    results: dict[int | str, Detections] = {}
    for index in range(len(source)):
        objects = source.objects(index)
        scores = np.full(len(objects), 0.9)
        results[source.image_id(index)] = Detections(objects.boxes, scores, objects.classes, NAMES)
    return results


def changed(results: dict[int | str, Detections], **how: object) -> dict[int | str, Detections]:
    return {
        name: replace(found, **{k: f(found) for k, f in how.items()})  # type: ignore[operator]
        for name, found in results.items()
    }


def test_counts() -> None:
    source = Made()
    findings = examine(source, perfect(source))
    assert (findings.images, findings.objects, findings.predictions) == (10, 20, 20)
    assert (findings.covered, findings.named, findings.unknown_ids) == (20, 20, 0)
    assert findings.true_classes == findings.found_classes == {"cat": 10, "dog": 10}


def test_regions_to_ignore_are_no_objects() -> None:
    source = Made()
    ignored = source.objects(0)
    ignored.classes[0] = -1
    source.objects = lambda index: ignored  # type: ignore[method-assign]
    assert examine(source, {}).objects == 10


FAULTS = {
    "no ground truth": (0, lambda s, r: r),
    "an image id that the data set does not have": (
        2,
        lambda s, r: {f"{name}.jpg": found for name, found in r.items()},
    ),
    "Nothing was predicted": (
        2,
        lambda s, r: {name: found.select([]) for name, found in r.items()},
    ),
    "the classes are not": (2, lambda s, r: changed(r, classes=lambda f: 1 - f.classes)),
    "hardly learned": (
        2,
        lambda s, r: changed(r, scores=lambda f: f.scores * 0.1, boxes=lambda f: f.boxes + 200),
    ),
    "the true ones": (
        2,
        lambda s, r: changed(r, boxes=lambda f: np.hstack([f.boxes[:, :2], f.boxes[:, :2] + 5])),
    ),
    "lie elsewhere": (2, lambda s, r: changed(r, boxes=lambda f: f.boxes + 200)),
}


@pytest.mark.parametrize("verdict", FAULTS)
def test_fault_is_named(verdict: str) -> None:
    objects, spoil = FAULTS[verdict]
    source = Made(objects)
    text = post_mortem(source, spoil(source, perfect(source)))
    assert verdict in text
    assert all(other == verdict or other not in text for other in FAULTS)
    assert "\n" not in text
    assert text.count("Try this: ") == 1


def test_overlaps() -> None:
    a = np.array([[0, 0, 10, 10], [20, 20, 30, 40]], np.float32)
    b = np.array([[0, 0, 10, 10], [5, 0, 15, 10], [100, 100, 110, 110]], np.float32)
    expected = np.array([[1, 1 / 3, 0], [0, 0, 0]])
    np.testing.assert_allclose(overlaps(a, b), expected)
