"""Whole runs, image to results, against those recorded from the original detector."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import cv2
import numpy as np
import pytest

from centernet.detectors.detector import Detector
from centernet.models.create import create_model
from centernet.structures.detections import Detections
from tests import parity_cases
from tests.detectors.recorded import MEAN, STD, fill, image_of
from tests.parity_cases import cases
from tests.tasks.recorded import make_task

HEAVY = ("hourglass",)
# What a recorded run was set up with beside its flags: the data set, how many results it kept.
SETUPS = {"ctdet": ("coco", 100), "multi_pose": ("coco_hp", 0), "exdet": ("coco", 100)}


@dataclass(frozen=True)
class Flags:
    """The recorded command line of a case."""

    args: tuple[str, ...]

    def on(self, name: str) -> bool:
        return name in self.args

    def value(self, name: str, default: str) -> str:
        return self.args[self.args.index(name) + 1] if name in self.args else default


def detector_of(case: Any) -> Detector:
    params = case.params
    flags = Flags(tuple(params["args"]))
    dataset, limit = SETUPS[params["task"]]
    task = make_task(params["task"], dataset, params["args"])
    model = create_model(params["arch"], task.heads)
    fill(model, params["weights_seed"], params["feature_scale"], case.inputs)
    side = flags.value("--input_res", "512")
    return Detector.of(
        task,
        model,
        mean=MEAN,
        std=STD,
        input_size=(int(flags.value("--input_h", side)), int(flags.value("--input_w", side))),
        keep_res=flags.on("--keep_res"),
        flip_test=flags.on("--flip_test"),
        scales=[float(scale) for scale in flags.value("--test_scales", "1").split(",")],
        nms=flags.on("--nms"),
        k=int(flags.value("--K", "100")),
        limit=limit,
        device="cpu",
    )


def light_first() -> list[Any]:
    """Every recorded run; those of the big networks are marked slow."""
    return [
        pytest.param(*p.values, id=p.id, marks=[*p.marks, pytest.mark.slow])
        if p.values[0] is not None and p.values[0].params["arch"] in HEAVY
        else p
        for task in SETUPS
        for p in cases(f"detectors/{task}")
    ]


def rows_of(found: Detections) -> np.ndarray:
    """One row a detection, as recorded: class from 1, box, score, then x y of each joint."""
    columns = [found.classes + 1, found.boxes, found.scores]
    if found.keypoints is not None:
        columns.append(found.keypoints[:, :, :2].reshape(len(found), -1))
    return np.column_stack(columns)


@pytest.mark.parametrize("case", light_first())
def test_run_as_recorded(case: Any) -> None:
    params = case.params
    image = image_of(params["image"])
    assert parity_cases.recipe().digest(image) == params["image"]["image_digest"]
    found = detector_of(case).detect(image)
    assert isinstance(found, Detections)
    # Where soft-NMS ran, the published detector kept stale copies of suppressed boxes; the runs
    # were recorded a second time without them.
    golden = case.outputs.get("results_keep", case.outputs["results"])
    modern = int(cv2.__version__.split(".")[0]) >= 5
    same, message = parity_cases.recipe().match_ranked(
        golden,
        rows_of(found),
        score_col=5,
        atol=0.05 if modern else 0.5,
        rtol=0,
        score_atol=1e-4 if modern else 5e-3,
    )
    assert same, message
