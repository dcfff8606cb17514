"""Necks: every kind on every option, and the maps of centernet-lightning's."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable
from itertools import product
from typing import Any

import numpy as np
import pytest
import torch

from centernet.models.lightning import neck_options, neck_renamed
from centernet.models.networks import create_backbone
from centernet.models.networks.necks import (
    CONVS,
    FUSIONS,
    NECKS,
    UPSAMPLES,
    NeckOptions,
    create_neck,
)
from centernet.runtime.errors import UserError
from tests.models.family import filled
from tests.parity_cases import cases, recipe

WIDTHS, STRIDES = (8, 12, 16, 24, 32), (2, 4, 8, 16, 32)
# SemanticFPN has no counterpart here; the recorded map of PAN is not that of our PAN.
OTHER = {"SemanticFPN", "PAN"}


def maps_of(batch: int = 2) -> list[torch.Tensor]:
    return [torch.rand(batch, w, 64 // s, 96 // s) for w, s in zip(WIDTHS, STRIDES, strict=True)]


@pytest.mark.parametrize("name", NECKS)
@pytest.mark.parametrize("stride", [2, 4, 8])
def test_every_option_gives_a_map_and_learns(name: str, stride: int) -> None:
    fusions = NECKS[name].fusions
    for upsample, conv, fusion in product(UPSAMPLES, CONVS, fusions):
        options = NeckOptions((16,), upsample, conv, fusion, layers=2)
        neck = create_neck(name, WIDTHS, STRIDES, options, stride)
        out = neck(maps_of())
        assert tuple(out.shape) == (2, neck.channels, 64 // stride, 96 // stride)
        out.square().mean().backward()
        without = [key for key, p in neck.named_parameters() if p.grad is None]
        assert not without, (upsample, conv, fusion)


def test_what_a_neck_does_not_have_is_said() -> None:
    with pytest.raises(UserError, match="--neck_fusion concat: Simple has sum"):
        create_neck("simple", WIDTHS, STRIDES, NeckOptions(fusion="concat"))
    with pytest.raises(UserError, match="needs maps at strides 4, 8, 16, 32, the trunk has 8"):
        create_neck("fpn", (8, 8), (8, 16), NeckOptions())
    with pytest.raises(UserError, match="one width, or 3 of them"):
        create_neck("fpn", WIDTHS, STRIDES, NeckOptions((8, 16)))
    with pytest.raises(UserError, match="unknown neck 'fpnn'; there are deconv"):
        create_neck("fpnn", WIDTHS, STRIDES, NeckOptions())
    assert set(FUSIONS) == {"sum", "concat", "weighted"}


@pytest.mark.parametrize(
    "case", cases("family/lightning/necks", where=lambda c: c.params["neck"] not in OTHER)
)
def test_lightnings_necks(case: Any) -> None:
    params = case.params
    widths = params["backbone_channels"]
    first = len(STRIDES) - len(widths)
    name, options = neck_options(params["neck"], params["options"])
    neck = create_neck(name, widths, STRIDES[first:], options).eval()
    theirs = filled(params["shapes"], params["seed"], params["rules"])
    missing = neck.load_state_dict(neck_renamed(theirs, name, neck.steps), strict=False)
    assert not missing.missing_keys
    # The last way up of a BiFPN reaches no output, and is not built here.
    assert all(".climb." in key for key in missing.unexpected_keys)
    maps = []
    for index, width in enumerate(widths, start=first):
        s = STRIDES[index]
        shape = (params["batch"], width, params["H"] // s, params["W"] // s)
        maps.append(torch.from_numpy(recipe().bellish(params["seed"], f"feat{index}", shape)))
    with torch.inference_mode():
        out = neck(maps)
    np.testing.assert_allclose(out.numpy(), case.outputs["out"], atol=1e-4, rtol=1e-4)


# Hashes of the names and shapes of tensors and of learning parameters, in their order (optimiser
# states count by it), and the first values of an output: all of them from before the pyramid of
# these networks was that of FPN.
PYRAMIDS = {
    "mobilenetv3": ("a2fcdf60a6ad001f", "503b40908b75161a", [0.0081777591, 0.0007737679, 0.0]),
    "unet": ("6e777ff35451b6d0", "01e886814ae85327", [0.0427739173, 0.0, 0.0]),
}


def digest(tensors: Iterable[tuple[str, torch.Tensor]]) -> str:
    lines = (f"{name}:{list(tensor.shape)}" for name, tensor in tensors)
    return hashlib.sha256("\n".join(lines).encode()).hexdigest()[:16]


@pytest.mark.parametrize("name", PYRAMIDS)
def test_networks_with_a_pyramid_are_what_their_checkpoints_hold(name: str) -> None:
    keys, parameters, values = PYRAMIDS[name]
    torch.manual_seed(0)
    backbone = create_backbone(name)
    assert digest(backbone.state_dict().items()) == keys
    assert digest(backbone.named_parameters()) == parameters
    x = torch.rand(2, 3, 64, 96)
    backbone(x)  # in training: BatchNorm takes up the statistics of this batch
    with torch.inference_mode():
        (out,) = backbone.eval()(x)
    np.testing.assert_allclose(out[0, :3, 0, 0].numpy(), values, atol=1e-6)
