"""Tensors that a file may lack: those without influence, and biases that its DCNs do not have."""

from __future__ import annotations

import pytest
import torch

from centernet.models.checkpoint import load_weights
from centernet.models.create import create_model
from centernet.models.mismatch import of_classes
from centernet.models.published import published_key
from centernet.models.reach import unreached
from centernet.runtime.errors import UserError

HEADS = {"hm": 2, "wh": 2}


def test_a_classifier_that_nothing_uses_may_be_missing() -> None:
    model, other = create_model("dla_34", HEADS), create_model("dla_34", HEADS)
    weights = {published_key(k): v for k, v in model.state_dict().items()}
    whole = len(weights)
    weights = {k: v for k, v in weights.items() if not k.startswith("base.fc.")}
    assert len(weights) == whole - 2
    line = load_weights(other, weights, strict=True)
    assert "of no influence: base.fc.weight, base.fc.bias" in line
    x = torch.rand(1, 3, 64, 64)
    with torch.inference_mode():
        assert torch.equal(model.eval()(x)[-1]["hm"], other.eval()(x)[-1]["hm"])
    del weights["base.level2.root.conv.weight"]
    with pytest.raises(UserError, match=r"base.level2.root.conv.weight is missing"):
        load_weights(other, weights, strict=True)


def test_what_reaches_no_output() -> None:
    silent = unreached(create_model("dla_34", HEADS), (32, 32))
    roots = {".".join(key.split(".")[1:4]) for key in silent}
    assert roots == {"base.fc.weight", "base.fc.bias", "base.level3.project", "base.level4.project"}
    assert unreached(create_model("res_18", HEADS), (32, 32)) == set()


def test_deformable_convolutions_without_bias() -> None:
    model, other = create_model("dla_34", HEADS), create_model("dla_34", HEADS)
    theirs = {}
    for key, value in model.state_dict().items():
        bias = key.removesuffix("bias") + "conv_offset_mask.weight"
        if key.endswith(".bias") and bias in model.state_dict():
            value.zero_()
            continue
        name = published_key(key).replace(".conv.conv_offset_mask.", ".offset.")
        theirs[name] = value
    line = load_weights(other, theirs, strict=True)
    assert "biases that the file's convolutions do not have are 0" in line
    own = model.state_dict()
    assert all(torch.equal(value, own[key]) for key, value in other.state_dict().items())


@pytest.mark.parametrize("head", ["hm", "hm_c", "hmap_tl"])
def test_heat_maps_of_every_task_are_of_classes(head: str) -> None:
    assert of_classes(f"heads.{head}.2.weight")
    assert not of_classes("heads.hm_hp.2.weight")
    model, other = create_model("res_18", {head: 3}), create_model("res_18", {head: 5})
    with pytest.raises(UserError, match="checkpoint has 3 classes, data has 5 classes"):
        load_weights(other, model.state_dict(), strict=True)
