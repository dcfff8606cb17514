"""Whole runs, image to results, against those recorded from the original detector."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import cv2
import numpy as np
import pytest

from centernet.datasets.source import Info
from centernet.detectors.detector import Detector
from centernet.models.model import create_model
from centernet.tasks.ctdet import Ctdet, CtdetOptions
from tests import parity_cases
from tests.detectors.recorded import MEAN, STD, fill, image_of
from tests.parity_cases import cases

NAMES = tuple(f"class {number}" for number in range(1, 81))
INFO = Info("recorded", NAMES, tuple(range(1, 81)), mean=MEAN, std=STD)
HEAVY = ("hourglass",)


@dataclass(frozen=True)
class Flags:
    """The recorded command line of a case."""

    args: tuple[str, ...]

    def on(self, name: str) -> bool:
        return name in self.args

    def value(self, name: str, default: str) -> str:
        return self.args[self.args.index(name) + 1] if name in self.args else default


def detector_of(params: dict[str, Any]) -> Detector:
    flags = Flags(tuple(params["args"]))
    options = CtdetOptions(
        cat_spec_wh=flags.on("--cat_spec_wh"), not_reg_offset=flags.on("--not_reg_offset")
    )
    task = Ctdet(INFO, options)
    model = create_model(params["arch"], task.heads)
    fill(model, params["weights_seed"], params["feature_scale"])
    side = flags.value("--input_res", "512")
    return Detector(
        task,
        model,
        input_size=(int(flags.value("--input_h", side)), int(flags.value("--input_w", side))),
        keep_res=flags.on("--keep_res"),
        flip_test=flags.on("--flip_test"),
        scales=[float(scale) for scale in flags.value("--test_scales", "1").split(",")],
        nms=flags.on("--nms"),
        k=int(flags.value("--K", "100")),
        device="cpu",
    )


def light_first() -> list[Any]:
    """Every recorded run; those of the big networks are marked slow."""
    return [
        pytest.param(*p.values, id=p.id, marks=[*p.marks, pytest.mark.slow])
        if p.values[0] is not None and p.values[0].params["arch"] in HEAVY
        else p
        for p in cases("detectors/ctdet")
    ]


@pytest.mark.parametrize("case", light_first())
def test_run_as_recorded(case: Any) -> None:
    params = case.params
    image = image_of(params["image"])
    assert parity_cases.recipe().digest(image) == params["image"]["image_digest"]
    found = detector_of(params).detect(image)
    rows = np.column_stack([found.classes + 1, found.boxes, found.scores])
    # Where soft-NMS ran, the published detector kept stale copies of suppressed boxes; the runs
    # were recorded a second time without them.
    golden = case.outputs.get("results_keep", case.outputs["results"])
    modern = int(cv2.__version__.split(".")[0]) >= 5
    same, message = parity_cases.recipe().match_ranked(
        golden,
        rows,
        score_col=5,
        atol=0.05 if modern else 0.5,
        rtol=0,
        score_atol=1e-4 if modern else 5e-3,
    )
    assert same, message
