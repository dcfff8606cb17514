"""Whole networks of centernet-lightning, of both generations, from the keys of its files."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

import numpy as np
import pytest
import torch

from centernet.models.checkpoint import load_weights
from centernet.models.create import create_model
from centernet.models.lightning import spec_in
from centernet.models.lightning_weights import in_our_names, recognised
from centernet.models.model import CenterNet
from centernet.models.spec import ModelSpec
from centernet.runtime.errors import UserError
from tests.models.family import filled
from tests.parity_cases import cases, folder, recipe

SPECS = folder() / "family" / "lightning" / "models_spec.json"
HEADS = {"heatmap": "hm", "box_2d": "box", "reid": "reid"}
# Of the neck SemanticFPN and of the Darknets there is no counterpart here; of PAN not that form.
OTHER = ("cspdarknet", "darknet")


def section_of(params: Mapping[str, Any]) -> dict[str, Any]:
    """The model section that a case was built from."""
    if params["gen"] == "gen1":
        return {name: params[name] for name in ("backbone", "neck", "output_heads")}
    return dict(params["config"])


def network(section: Mapping[str, Any], outputs: Mapping[str, int]) -> tuple[CenterNet, ModelSpec]:
    spec = spec_in(section)
    heads = {HEADS[name]: channels for name, channels in outputs.items()}
    return create_model(spec, heads).eval(), spec


def their_shapes(params: Mapping[str, Any], model: CenterNet) -> dict[str, list[int]]:
    """The keys of the original: those that the spec lists, and the trunk's by our shapes."""
    every = json.loads(SPECS.read_text())["models"][params["gen"]]
    facts = every[params["case"]]
    if "keys" in facts:
        return dict(facts["keys"])
    trunk = facts.get("backbone_keys") or {
        resnet_key(key): list(value.shape)
        for key, value in model.state_dict().items()
        if key.startswith("backbone.trunk.")
    }
    return {**trunk, **facts["neck_and_heads"]}


def resnet_key(key: str) -> str:
    """The first generation's name of a ResNet's tensor."""
    key = key.removeprefix("backbone.trunk.")
    part, _, rest = key.partition(".")
    if part.startswith("layer"):
        return f"backbone.stage{part[5:]}.{'1.' * (part == 'layer1')}{rest}"
    return f"backbone.stem.{'01'[part == 'bn1']}.{rest}"


@pytest.mark.parametrize(
    "case",
    cases(
        "family/lightning/models",
        where=lambda c: not str(c.params.get("config", {}).get("backbone")).startswith(OTHER),
    ),
)
def test_maps_are_theirs(case: Any) -> None:
    params = {**case.params, "case": case.name.partition(".")[2]}
    outputs = {name: shape[1] for name, shape in params["out_shapes"].items()}
    model, spec = network(section_of(params), outputs)
    weights = filled(their_shapes(params, model), params["seed"], params["rules"])
    assert recognised(weights)
    assert spec.neck is not None
    ours = in_our_names(weights, model, spec.neck, HEADS, "a.ckpt")
    load_weights(model, ours, strict=True)
    x = torch.from_numpy(recipe().make_input(params["seed"], params["input_shape"]))
    with torch.inference_mode():
        maps = model(x)[-1]
    k = params["spatial_stride_stored"]
    for name, golden in case.outputs.items():
        found = maps[HEADS[name]]
        assert list(found.shape) == params["out_shapes"][name]
        scale = max(1.0, float(np.abs(golden).max()))
        np.testing.assert_allclose(
            found[..., ::k, ::k].numpy() / scale, golden / scale, atol=1e-4, rtol=1e-4
        )


def test_another_trunk_is_refused() -> None:
    section = {"backbone": {"name": "resnet18"}, "neck": {"name": "fpn"}, "output_heads": {}}
    model, _ = network(section, {"heatmap": 2})
    weights = {
        "backbone.stem.0.weight": torch.zeros(1),
        "output_heads.heatmap.head.0.bias": torch.zeros(1),
    }
    with pytest.raises(UserError, match=r"a\.ckpt: its backbone"):
        in_our_names(weights, model, "fpn", HEADS, "a.ckpt")
