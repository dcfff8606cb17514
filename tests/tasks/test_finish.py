"""Post-processing of a batch: every image as if it were alone."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import fields, is_dataclass
from typing import Any

import numpy as np
import pytest
import torch

from centernet.geometry.view import View
from centernet.tasks import TASKS, Task
from tests.tasks.recorded import info, options

MAP = (24, 40)
# Windows on images of 480 x 640, 375 x 1242 and 97 x 61, the last at half the test scale.
VIEWS = [
    View((320.0, 240.0), 640.0, bounds=(480.0, 640.0)),
    View((621.0, 187.5), (1242.0, 375.0), bounds=(375.0, 1242.0)),
    View((15.0, 24.0), 97.0, zoom=0.5, bounds=(48.0, 30.0)),
]
CAMERAS = [
    np.array([[f, 0, 320, 4], [0, f, 200, 1], [0, 0, 1, 0.01]], np.float32) for f in (500, 700, 60)
]


def decoded(task: Task) -> dict[str, np.ndarray]:
    """What `task` reads off random maps of as many images as there are views."""
    random = torch.Generator().manual_seed(0)
    shape = len(VIEWS), *MAP
    maps = {
        name: torch.randn(shape[0], head.channels, *shape[1:], generator=random)
        for name, head in task.heads.items()
    }
    with torch.inference_mode():
        found = {
            name: value.numpy() for name, value in task.decode(task.activate(maps), 30).items()
        }
    shape = found["scores"].shape  # random maps may have no candidate that is a detection
    return found | {"scores": np.random.default_rng(0).uniform(-0.3, 1, shape).astype(np.float32)}


def assert_same(one: Any, other: Any) -> None:
    """Equal to the last bit, and of one type, field by field."""
    assert type(one) is type(other)
    if is_dataclass(one):
        for field in fields(one):
            assert_same(getattr(one, field.name), getattr(other, field.name))
    elif isinstance(one, Mapping):
        assert one.keys() == other.keys()
        for name, value in one.items():
            assert_same(value, other[name])
    elif isinstance(one, np.ndarray):
        assert one.dtype == other.dtype
        np.testing.assert_array_equal(one, other)
    else:
        assert one == other


@pytest.mark.parametrize(
    ("name", "dataset", "flags"),
    [
        ("ctdet", "coco", []),
        ("exdet", "exdet", []),
        ("multi_pose", "coco_hp", []),
        ("ddd", "kitti", []),
        ("ddd", "kitti", ["--not_reg_bbox"]),
        ("triplet", "coco", []),
    ],
)
def test_a_batch_is_its_images_one_by_one(name: str, dataset: str, flags: list[str]) -> None:
    task = TASKS[name](info(dataset), options(name, flags))
    arrays = decoded(task)
    together = task.postprocess(arrays, VIEWS, MAP, CAMERAS)
    assert [len(found) > 0 for found in together] == [True] * len(VIEWS)
    for row, (found, view, camera) in enumerate(zip(together, VIEWS, CAMERAS, strict=True)):
        alone = {key: value[row : row + 1] for key, value in arrays.items()}
        assert_same(found, task.postprocess(alone, [view], MAP, [camera])[0])
    boxes = [found.boxes for found in together]
    assert not np.array_equal(boxes[0][:1], boxes[1][:1])


def test_no_candidates_are_no_detections() -> None:
    task = TASKS["ctdet"](info("coco"))
    arrays = {"boxes": np.zeros((2, 0, 4)), "scores": np.zeros((2, 0)), "classes": np.zeros((2, 0))}
    assert [len(found) for found in task.postprocess(arrays, VIEWS[:2], MAP)] == [0, 0]
