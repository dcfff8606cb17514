"""With the same weights, every network draws the maps that the original drew."""

from __future__ import annotations

import json
from typing import Any

import numpy as np
import pytest
import torch

from centernet.models.create import create_model
from centernet.models.model import CenterNet
from centernet.models.published import published_key
from tests.parity_cases import cases, folder, recipe

TOPICS = sorted(path.stem for path in (folder() / "forward").glob("*.npz"))


def parameters() -> list[Any]:
    """Every case of every network; the big one is quick once, with ctdet."""
    found = []
    for topic in TOPICS:
        for parameter in cases(f"forward/{topic}"):
            slow = topic == "hourglass" and parameter.id != "ctdet"
            marks = pytest.mark.slow if slow else ()
            found.append(pytest.param(*parameter.values, id=f"{topic}-{parameter.id}", marks=marks))
    return found or cases("forward/res_18")  # one parameter, skipped with the reason


def filled(params: dict[str, Any]) -> CenterNet:
    """The network of a case, with deterministic weights that depend on the published names."""
    with torch.device("meta"):
        model = create_model(params["arch"], params["heads"], params["head_conv"])
    ours = {published_key(key): key for key in model.state_dict()}
    published = {name: model.state_dict()[key] for name, key in ours.items()}
    values = recipe().fill_state_dict(published, params["seed"], params["feature_scale"])
    model.load_state_dict({ours[name]: value for name, value in values.items()}, assign=True)
    return model.eval()


def golden_maps(outputs: dict[str, np.ndarray]) -> dict[int, dict[str, np.ndarray]]:
    """{"stack0.hm": map, "hm": map of the last stage} -> {0: {"hm": map}, -1: {"hm": map}}."""
    stages: dict[int, dict[str, np.ndarray]] = {}
    for name, array in outputs.items():
        stack, _, head = name.rpartition(".")
        stages.setdefault(int(stack.removeprefix("stack")) if stack else -1, {})[head] = array
    return stages


@pytest.mark.parametrize("case", parameters())
def test_maps_are_the_originals(case: Any) -> None:
    params = case.params
    tolerance = json.loads((folder() / "forward" / f"{params['arch']}.json").read_text())["tol"]
    model = filled(params)
    x = recipe().make_input(params["seed"], params["input_shape"])
    assert recipe().digest(x) == params["input_digest"]
    with torch.inference_mode():
        stages = model(torch.from_numpy(x))
    assert len(stages) == params["num_stacks"]
    step = params["spatial_stride_stored"]
    for stage, golden in golden_maps(case.outputs).items():
        assert stages[stage].keys() == params["heads"].keys()
        for head, expected in golden.items():
            found = stages[stage][head].numpy()[..., ::step, ::step]
            np.testing.assert_allclose(
                found, expected, atol=tolerance["atol"], rtol=0, err_msg=f"{stage} {head}"
            )
