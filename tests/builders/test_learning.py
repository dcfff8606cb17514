"""The flags of the optimiser, its schedule and the average, as a training takes them."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch

from centernet.builders.learning import make_average, make_optimizer, make_schedule
from centernet.cli import main
from centernet.heads.head import Head
from centernet.models.checkpoint import read_checkpoint
from centernet.models.create import create_model
from centernet.models.model import CenterNet
from centernet.models.spec import ModelSpec
from centernet.options.learning import Learning
from centernet.runtime.errors import UserError

HEADS = {"hm": Head(3, bias=-2.19), "wh": Head(2)}


def network(arch: str) -> CenterNet:
    with torch.device("meta"):
        return create_model(ModelSpec(arch), HEADS)


def test_defaults_are_the_published_ones() -> None:
    optimizer = make_optimizer(Learning(), network("res_18"), 1e-3)
    assert type(optimizer) is torch.optim.Adam
    assert [group["weight_decay"] for group in optimizer.param_groups] == [0.0]
    schedule = make_schedule(Learning(), 1.0, (2, 3), 4)
    assert [schedule(t) for t in (0.0, 1.9, 2.0, 3.0)] == pytest.approx([1, 1, 0.1, 0.01])
    assert make_average(Learning(), network("res_18")) is None


def test_stages_of_a_trunk_have_falling_rates() -> None:
    """The last stage has the trunk's own rate, each before it half of the next, the rest all."""
    model = network("resnet18+fpn")
    asked = Learning(optim="adamw", weight_decay=0.05, layer_decay=0.5, trunk_lr=0.8)
    optimizer = make_optimizer(asked, model, 1.0)
    rate = {id(p): g["scale"] for g in optimizer.param_groups for p in g["params"]}
    found = {name: rate[id(p)] for name, p in model.named_parameters()}
    trunk = "backbone.trunk."
    stages = {"layer4": 0.8, "layer3": 0.4, "layer2": 0.2, "layer1": 0.1, "conv1": 0.05}
    for stage, wanted in stages.items():
        inside = {v for n, v in found.items() if n.startswith(f"{trunk}{stage}.")}
        assert sorted(inside) == pytest.approx([wanted]), stage
    assert {v for n, v in found.items() if not n.startswith(trunk)} == {1.0}
    decays = {id(p): g["weight_decay"] for g in optimizer.param_groups for p in g["params"]}
    assert all(decays[id(p)] == (0.05 if p.ndim > 1 else 0) for p in model.parameters())


def test_a_published_network_has_a_trunk_without_stages() -> None:
    model = network("dla_34")
    optimizer = make_optimizer(Learning(trunk_lr=0.1), model, 1.0)
    rate = {id(p): g["scale"] for g in optimizer.param_groups for p in g["params"]}
    found = {name: rate[id(p)] for name, p in model.named_parameters()}
    assert {v for n, v in found.items() if n.startswith("backbone.base.")} == {0.1}
    assert {v for n, v in found.items() if not n.startswith("backbone.base.")} == {1.0}
    with pytest.raises(UserError, match=r"--layer_decay 0\.5: this network has no stages"):
        make_optimizer(Learning(layer_decay=0.5), model, 1.0)


def test_schedules() -> None:
    asked = Learning(schedule="flat_cosine", warmup=1.0, final_lr=0.1)
    schedule = make_schedule(asked, 2.0, (), 10)
    assert [schedule(t) for t in (0, 0.5, 1, 5)] == pytest.approx([0, 1, 2, 2])
    assert schedule(10) == pytest.approx(0.2)
    with pytest.raises(UserError, match="--ema 1: a decay is below 1"):
        make_average(Learning(ema=1.0), network("res_18"))


@pytest.mark.slow
def test_a_run_with_all_of_them_resumes(tmp_path: Path) -> None:
    words = [
        "train", "ctdet", "--dataset", "toy", "--root", str(tmp_path), "--exp_id", "x",
        "--arch", "unet", "--weights", "none", "--input_res", "64", "--batch_size", "2",
        "--num_iters", "2", "--num_workers", "0", "--val_intervals", "0",
        "--optim", "adamw", "--weight_decay", "0.05", "--schedule", "cosine", "--warmup", "0.5",
        "--ema", "0.9", "--ema_steps", "4",
    ]  # fmt: skip
    assert main([*words, "--num_epochs", "1"]) == 0
    assert main([*words, "--num_epochs", "2", "--resume"]) == 0
    saved = read_checkpoint(tmp_path / "exp/ctdet/x/model_last.pth")
    assert saved.training is not None
    assert saved.training["average"]["steps"] == 4
    assert any(
        not torch.equal(value, saved.weights[name])
        for name, value in saved.training["weights"].items()
        if name in saved.weights and value.ndim > 1
    )
