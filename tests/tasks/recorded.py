"""Building tasks and objects from the parameters of recorded cases."""

from __future__ import annotations

import json
from dataclasses import fields
from typing import Any

import numpy as np

from centernet.datasets.source import Info
from centernet.structures.detections import Detections
from centernet.structures.objects import Cuboids, Objects
from centernet.tasks import TASKS, Task
from tests.parity_cases import folder

PAIRS = ((1, 2), (3, 4), (5, 6), (7, 8), (9, 10), (11, 12), (13, 14), (15, 16))
IMAGENET = {"mean": (0.485, 0.456, 0.406), "std": (0.229, 0.224, 0.225)}  # onto BGR, as published
FACTS: dict[str, dict[str, Any]] = {
    "coco": {"num": 80, "max_objects": 128},
    "exdet": {"num": 80, "max_objects": 128},
    "coco_hp": {"num": 1, "max_objects": 32},
    "pascal": {"num": 20, "max_objects": 50, **IMAGENET},
    "kitti": {"num": 3, "max_objects": 50, **IMAGENET},
}


def info(dataset: str, num_classes: int | None = None, joints: int = 17) -> Info:
    """Facts of one of the original data sets."""
    facts = dict(FACTS[dataset])
    count = num_classes or facts.pop("num")
    facts.pop("num", None)
    return Info(
        name=dataset,
        class_names=tuple(f"class{c}" for c in range(count)),
        category_ids=tuple(range(1, count + 1)),
        joints=tuple(f"joint{j}" for j in range(joints)),
        flip_pairs=PAIRS if joints == 17 else (),
        **facts,
    )


def options(task: str, args: list[str]) -> Any:
    """The task's options as a recorded command line gives them; other flags are passed over."""
    kinds = {f.name: f for f in fields(TASKS[task].Options)}
    chosen: dict[str, Any] = {}
    words = iter(args)
    for word in words:
        flag = kinds.get(word.removeprefix("--"))
        if flag is None:
            continue
        if flag.default is False:
            chosen[flag.name] = True
        else:
            chosen[flag.name] = type(flag.default)(next(words))
    return TASKS[task].Options(**chosen)


def make_task(task: str, dataset: str, args: list[str], num_classes: int | None = None) -> Task:
    """A task on one of the original data sets, configured by a recorded command line."""
    return TASKS[task](info(dataset, num_classes), options(task, args))


def annotations(key: str, image_id: int) -> list[dict[str, Any]]:
    """The annotations of one image, bad ones included: they keep their place in the targets."""
    everything = json.loads((folder() / "targets" / "annotations.json").read_text())[key]
    return [a for a in everything["annotations"] if a["image_id"] == image_id]


def category_ids(key: str) -> list[int]:
    """The category ids of a recorded annotation file, in the order of the classes."""
    if key in ("coco", "exdet"):
        gaps = {12, 26, 29, 30, 45, 66, 68, 69, 71, 83}
        return [i for i in range(1, 91) if i not in gaps]
    return list(range(1, FACTS[key]["num"] + 1))


def objects(key: str, image_id: int) -> Objects:
    """The objects of one image exactly as the file has them."""
    found = annotations(key, image_id)
    classes = {category: i for i, category in enumerate(category_ids(key))}
    if key == "kitti":
        classes = {1: 0, 2: 1, 3: 2, 4: -3, 5: -3, 6: -2, 7: -99, 8: -99, 9: -1}
    boxes = np.array([a["bbox"] for a in found], np.float32).reshape(-1, 4)
    boxes[:, 2:] += boxes[:, :2]
    made = Objects(boxes, np.array([classes[a["category_id"]] for a in found], np.int64))
    if found and "keypoints" in found[0]:
        joints = [np.array(a["keypoints"], np.float32).reshape(-1, 3) for a in found]
        made.keypoints = np.stack(joints)
    if found and "extreme_points" in found[0]:
        points = [np.array(a["extreme_points"], np.float32).reshape(4, 2) for a in found]
        made.extremes = np.stack(points)
    if found and "depth" in found[0]:
        made.cuboids = cuboids(found)
    return made


def cuboids(found: list[dict[str, Any]]) -> Cuboids:
    """The 3D boxes of annotations in the original's KITTI json."""

    def column(name: str) -> np.ndarray:
        return np.array([a[name] for a in found], np.float32)

    return Cuboids(
        column("dim"), column("location"), column("rotation_y"), column("alpha"), column("depth")
    )


def cuboid_rows(found: Detections) -> np.ndarray:
    """(N, 14) as recorded: class from 1, alpha, box, h w l, x y z, rotation_y, score."""
    solid = found.cuboids
    assert solid is not None
    return np.column_stack(
        [
            *(found.classes + 1, solid.alphas, found.boxes, solid.dimensions),
            *(solid.locations, solid.rotations, found.scores),
        ]
    )


def without_turns(rows: np.ndarray) -> np.ndarray:
    """Rows of `cuboid_rows` with cosines in place of the angles, and their sines behind the score.

    Some of the recorded angles are more than half a turn.
    """
    rows, angles = rows.copy(), rows[:, [1, 12]]
    rows[:, [1, 12]] = np.cos(angles)
    return np.column_stack([rows, np.sin(angles)])
