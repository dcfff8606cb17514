"""Decoding and post-processing against the recorded ones."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from centernet.geometry.view import View
from centernet.heads.head_map import dense
from tests.parity_cases import cases, recipe
from tests.tasks.recorded import make_task


def ctdet_task(case):
    args = ["--cat_spec_wh"] if case.params["cat_spec_wh"] else []
    args += [] if case.params["reg"] else ["--not_reg_offset"]
    return make_task("ctdet", "coco", args, case.inputs["hm"].shape[1])


def decoded(task, case):
    maps = {name: torch.from_numpy(value) for name, value in case.inputs.items()}
    return {k: v.numpy() for k, v in task.decode(dense(maps), case.params["K"]).items()}


def assert_ranked(recorded, ours, **tolerance):
    ok, message = recipe().match_ranked(recorded, ours, **tolerance)
    assert ok, message


@pytest.mark.parametrize("case", cases("decode/ctdet"))
def test_ctdet(case):
    task = ctdet_task(case)
    found = decoded(task, case)
    rows = np.concatenate(
        [found["boxes"], found["scores"][..., None], found["classes"][..., None]], axis=2
    )
    for ours, recorded in zip(rows, case.outputs["detections"], strict=True):
        assert_ranked(recorded, ours, atol=1e-3, rtol=1e-5)


@pytest.mark.parametrize("case", cases("decode/ctdet"))
def test_ctdet_in_image_pixels(case):
    task = ctdet_task(case)
    found = decoded(task, case)
    map_size = case.inputs["hm"].shape[2:]
    for i, post in enumerate(case.params["post"]):
        scale = post["s"] if np.isscalar(post["s"]) else tuple(post["s"])
        view = View(tuple(post["c"]), scale)
        recorded = case.outputs[f"post.{i}"]
        batch = task.postprocess(found, [view] * len(found["scores"]), map_size)
        for image, got in enumerate(batch):
            rows = np.column_stack([got.boxes, got.scores, got.classes + 1])
            mine = recorded[recorded[:, 0] == image]
            assert_ranked(mine[:, [2, 3, 4, 5, 6, 1]], rows, atol=1e-3, rtol=1e-5)
