"""Whole networks of centernet-lightning, of both generations, from the keys of its files."""

from __future__ import annotations

import json
import os
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from centernet.builders.load import load_detector
from centernet.datasets.source import Info
from centernet.models.checkpoint import load_weights, read_checkpoint
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
    ours = in_our_names(weights, model, HEADS, "a.ckpt")
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
        in_our_names(weights, model, HEADS, "a.ckpt")


class Callback:
    """Stands for a class of PyTorch Lightning's that a file names, also as a key."""

    def __init__(self) -> None:
        self.best = 0.5


class Settings(dict):
    """As Lightning keeps `hyper_parameters`: a dictionary of its own kind."""


WENT_OFF: list[str] = []


class SystemBomb:
    def __reduce__(self) -> tuple[Any, ...]:
        return (os.getpid, ())


class Function:
    """Reduces to a call of a function of this module."""

    def __reduce__(self) -> tuple[Any, ...]:
        return (go_off, ("code of the file",))


def go_off(word: str) -> None:
    WENT_OFF.append(word)


INFO = Info("two", ("a", "b"), (1, 2))
FIRST = {
    "backbone": {"name": "resnet18"},
    "neck": {"name": "fpn", "upsample_channels": [16, 16, 16]},
    "output_heads": {"heatmap": {"num_classes": 80}, "box_2d": {}},
}
SECOND = {
    "backbone": "resnet18",
    "neck": "FPN",
    "neck_config": {"out_channels": 16},
    "head_config": {"width": 16, "depth": 2},
    "num_classes": 80,
    "box_multiplier": 16.0,
}


def theirs_of(model: CenterNet, second: bool) -> dict[str, torch.Tensor]:
    """The tensors of a network of ours as a file of theirs has them."""
    found = {}
    for key, value in model.state_dict().items():
        name = key.replace("backbone.trunk.", "backbone.").replace("backbone.neck.", "neck.")
        name = name.replace("heads.hm.", "heatmap.").replace("heads.ltrb.", "box_2d.")
        first = re.match(r"neck\.laterals\.(\d)\.(\w+)", name)
        smooth = re.match(r"neck\.smooths\.(\d)\.(\d)\.(\w+)", name)
        head = re.match(r"(heatmap|box_2d)\.(\d)\.(\w+)", name)
        if first and second:
            name = f"neck.lateral_convs.{3 - int(first[1])}.{first[2]}"
        elif first:
            index = int(first[1]) - 1
            name = f"neck.{'top_conv' if index < 0 else f'skip_connections.{index}'}.{first[2]}"
        elif smooth and second:
            name = f"neck.output_convs.{smooth[1]}.{('conv', 'bn')[int(smooth[2])]}.{smooth[3]}"
        elif smooth:
            name = f"neck.conv_layers.{smooth[1]}.{smooth[2]}.{smooth[3]}"
        elif head and second:
            block, place = divmod(int(head[2]), 3)
            part = "out_conv" if block == 2 else f"block_{block + 1}.{('conv', 'bn')[place]}"
            name = f"heads.{head[1]}.{part}.{head[3]}"
        elif head:
            name = f"output_heads.{head[1]}.head.{head[2]}.{head[3]}"
        found[f"model.{name}" if second else name] = value
    return found


@pytest.mark.parametrize("second", [False, True])
def test_a_ckpt_is_opened_without_its_code(second: bool, tmp_path: Path) -> None:
    section = SECOND if second else FIRST
    spec = spec_in(section)
    torch.manual_seed(0)
    model = create_model(spec, {"hm": 80, "ltrb": 4}).eval()
    content = {
        "state_dict": theirs_of(model, second),
        "hyper_parameters": Settings(section),
        "callbacks": {Callback: {"state": Callback()}},
        "bomb": Function(),
        "epoch": 7,
    }
    torch.save(content, tmp_path / "a.ckpt")
    checkpoint = read_checkpoint(tmp_path / "a.ckpt")
    assert not WENT_OFF
    assert checkpoint.epoch == 7
    detector = load_detector(tmp_path / "a.ckpt", device="cpu", fuse=False, input_size=(64, 64))
    assert detector.task.options.box == "ltrb"
    assert detector.task.options.box_multiplier == (16.0 if second else 1.0)
    assert detector.preprocess.mean == ((0.5,) * 3 if second else (0.406, 0.456, 0.485))
    x = torch.rand(1, 3, 64, 64)
    with torch.inference_mode():
        ours, theirs = detector.engine.model(x)[-1], model(x.flip(1))[-1]
    for name in ours:
        torch.testing.assert_close(ours[name], theirs[name], atol=1e-5, rtol=1e-4)
    found = detector.detect(np.zeros((64, 80, 3), np.uint8))
    assert found.class_names[0] == "person"
    torch.save(content, tmp_path / "a.pth")
    torch.save({**content, "bomb": SystemBomb()}, tmp_path / "b.ckpt")
    for name in ("a.pth", "b.ckpt"):
        with pytest.raises(UserError, match="contains pickled code"):
            read_checkpoint(tmp_path / name)


def test_a_network_without_counterpart_is_named(tmp_path: Path) -> None:
    content: dict[str, Any] = {"state_dict": {"model.heads.heatmap.out_conv.bias": torch.zeros(2)}}
    content["hyper_parameters"] = {"backbone": "cspdarknet53", "neck": "FPN"}
    torch.save(content, tmp_path / "a.ckpt")
    with pytest.raises(UserError, match="unknown trunk 'cspdarknet53'"):
        load_detector(tmp_path / "a.ckpt", info=INFO)
    content["hyper_parameters"]["neck"] = "PAN"
    torch.save(content, tmp_path / "a.ckpt")
    with pytest.raises(UserError, match=r"a\.ckpt: a .*-lightning: neck 'PAN'"):
        read_checkpoint(tmp_path / "a.ckpt")
