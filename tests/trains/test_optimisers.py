"""The optimisers and what their groups of parameters share."""

from __future__ import annotations

import torch

from centernet.trains.optimisers import (
    OPTIMISERS,
    Grouping,
    adam,
    parameter_groups,
    set_rate,
)
from tests.trains.tiny import make_model


def depth(name: str) -> int | None:
    """Of the tiny network: its second convolution is the last stage, the first one beneath it."""
    return {"second": 0, "unused": 0, "first": 1, "norm": 1}.get(name.split(".")[1])


def test_fused_adam_is_adam() -> None:
    _, model = make_model(norm=True)
    _, twin = make_model(norm=True)
    fused = adam(model.parameters(), 1e-3)
    plain = torch.optim.Adam(twin.parameters(), lr=1e-3, fused=False, foreach=False)
    assert fused.param_groups[0]["fused"]
    for step in range(3):
        torch.manual_seed(step)
        for p, q in zip(model.parameters(), twin.parameters(), strict=True):
            p.grad = torch.randn_like(p) * 10.0 ** -(step * 3)
            q.grad = p.grad.clone()
        fused.step()
        plain.step()
    for a, b in zip(model.parameters(), twin.parameters(), strict=True):
        torch.testing.assert_close(a, b, rtol=1e-6, atol=1e-7)
    set_rate(fused, 0.5)
    assert fused.param_groups[0]["lr"] == 0.5


def test_one_group_in_the_order_of_the_network() -> None:
    """As published runs have it, whose optimisers' states are lists in that order."""
    _, model = make_model(norm=True)
    (group,) = parameter_groups(model, Grouping(), depth)
    assert all(a is b for a, b in zip(group["params"], model.parameters(), strict=True))
    assert group["weight_decay"] == 0.0


def test_norms_and_biases_do_not_decay() -> None:
    _, model = make_model(norm=True)
    groups = parameter_groups(model, Grouping(decay=0.05), depth)
    assert [group["weight_decay"] for group in groups] == [0.0, 0.05]
    for group in groups:
        assert all((p.ndim > 1) == (group["weight_decay"] > 0) for p in group["params"])
    assert sum(len(group["params"]) for group in groups) == len(list(model.parameters()))


def test_frozen_parameters_are_left_out() -> None:
    _, model = make_model()
    model.backbone.first.requires_grad_(False)
    for grouping in (Grouping(), Grouping(decay=0.1)):
        groups = parameter_groups(model, grouping, depth)
        ids = {id(p) for group in groups for p in group["params"]}
        assert ids == {id(p) for p in model.parameters() if p.requires_grad}


def test_the_trunk_learns_slower_layer_by_layer() -> None:
    _, model = make_model()
    groups = parameter_groups(model, Grouping(trunk_rate=0.5, layer_decay=0.1), depth)
    scales = {id(p): group["scale"] for group in groups for p in group["params"]}
    assert scales[id(model.backbone.second.weight)] == 0.5
    assert scales[id(model.backbone.first.weight)] == 0.05
    optimizer = OPTIMISERS["adamw"](groups, 1.0)
    set_rate(optimizer, 0.01)
    rates = {id(p): group["lr"] for group in optimizer.param_groups for p in group["params"]}
    assert rates[id(model.backbone.first.weight)] == 0.01 * 0.05
    heads = [p for name, p in model.named_parameters() if depth(name) is None]
    assert heads
    assert all(rates[id(p)] == 0.01 for p in heads)


def test_every_optimiser_takes_a_step_down() -> None:
    for make in OPTIMISERS.values():
        weight = torch.nn.Parameter(torch.ones(3, 3))
        optimizer = make([{"params": [weight]}], 0.1)
        weight.square().sum().backward()
        optimizer.step()
        assert (weight < 1).all()
