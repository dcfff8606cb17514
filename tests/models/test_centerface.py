"""The network of CenterFace.pytorch, by its own keys."""

from __future__ import annotations

import json
from typing import Any

import numpy as np
import pytest
import torch

from centernet.models.checkpoint import load_weights
from centernet.models.create import create_model
from centernet.models.model import CenterNet
from centernet.models.networks.necks import NeckOptions
from centernet.models.spec import ModelSpec
from tests.models.family import filled
from tests.models.test_specs import key_shape_hash
from tests.parity_cases import cases, folder, recipe

HEADS = {"hm": 1, "wh": 2, "hm_offset": 2, "landmarks": 10}
TRUNKS = {"mobilev2_10": "centerface", "mobilev2_5": "centerface_half"}


def network(arch: str) -> CenterNet:
    """Depthwise transposed convolutions and heads of one layer, as there."""
    spec = ModelSpec(TRUNKS[arch], "centerface", NeckOptions(conv="separable"), head_conv=0)
    return create_model(spec, HEADS).eval()


def their_key(key: str) -> str:
    for own, theirs in (("backbone.trunk.", "base."), ("backbone.neck.", "dla_up.")):
        key = key.replace(own, theirs)
    return (
        key.removeprefix("heads.")
        .replace("hm.weight", "hm.0.weight")
        .replace("hm.bias", "hm.0.bias")
    )


def their_shapes(model: CenterNet) -> dict[str, list[int]]:
    return {their_key(key): list(value.shape) for key, value in model.state_dict().items()}


@pytest.mark.parametrize("arch", TRUNKS)
def test_keys_are_theirs(arch: str) -> None:
    path = folder() / "family" / "centerface" / "onnx_spec.json"
    if not path.is_file():
        pytest.skip(f"{folder()} has no family/centerface/onnx_spec.json")
    facts = json.loads(path.read_text())
    shapes = their_shapes(network(arch))
    assert key_shape_hash(shapes) == facts[f"key_shape_hash_{arch}"]
    assert shapes == facts.get(f"centerface_pytorch_keys_{arch}", shapes)


@pytest.mark.parametrize("case", cases("family/centerface/forward"))
def test_maps_are_theirs(case: Any) -> None:
    params = case.params
    model = network(params["arch"])
    load_weights(model, filled(their_shapes(model), params["seed"], params["rules"]), strict=True)
    x = torch.from_numpy(recipe().make_input(params["seed"], params["input_shape"]))
    with torch.inference_mode():
        maps = model(x)[-1]
    maps["hm"] = maps["hm"].sigmoid()
    for name, golden in case.outputs.items():
        np.testing.assert_allclose(maps[name].numpy(), golden, atol=1e-4, rtol=1e-4)
