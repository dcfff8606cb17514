"""Losses of boxes and of heat maps of the wider family, as recorded with their gradients."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor

from centernet.heads.box_losses import BOX_DISTANCES, BoxLoss, Sides, boxes_of, giou
from centernet.heads.focal import quality_sum, written_out
from tests.parity_cases import cases

ATOMS = "family/losses/atoms"
NAMES = {
    "lightning.IoULoss": "iou",
    "lightning.GIoULoss": "giou",
    "lightning.DIoULoss": "diou",
    "lightning.CIoULoss": "ciou",
    "lightning.L1Loss": "l1",
    "lightning.SmoothL1Loss": "smooth_l1",
}


def check(loss: Tensor, leaf: Tensor, golden: np.ndarray, gradient: np.ndarray) -> None:
    (found,) = torch.autograd.grad(loss, leaf)
    np.testing.assert_allclose(loss.detach().numpy(), golden, atol=1e-5, rtol=1e-4)
    np.testing.assert_allclose(found.numpy(), gradient, atol=1e-5, rtol=1e-4)


@pytest.mark.parametrize("case", cases(ATOMS, where=lambda c: c.name in NAMES))
def test_boxes_of_lightning(case: Any) -> None:
    pred = torch.from_numpy(case.inputs["pred"]).requires_grad_()
    each = BOX_DISTANCES[NAMES[case.name]](pred, torch.from_numpy(case.inputs["target"]))
    golden = case.outputs["none"].reshape(len(pred), -1).sum(axis=1)
    np.testing.assert_allclose(each.detach().numpy(), golden, atol=1e-5, rtol=1e-4)
    check(each.sum(), pred, case.outputs["sum"], case.outputs["grad.pred"])


@pytest.mark.parametrize("case", cases(ATOMS, where=lambda c: c.name.startswith("ttfnet.giou")))
def test_boxes_of_ttfnet_are_a_pixel_wider(case: Any) -> None:
    pred = torch.from_numpy(case.inputs["pred"]).requires_grad_()
    wider = torch.tensor([0.0, 0.0, 1.0, 1.0])
    each = giou(pred + wider, torch.from_numpy(case.inputs["target"]) + wider)
    loss = (each * torch.from_numpy(case.inputs["weight"])).sum() / case.params["avg_factor"]
    check(loss.view(1).sum(), pred, case.outputs["loss"].sum(), case.outputs["grad.pred"])


HEAT: dict[str, Callable[..., Tensor]] = {
    "lightning.CornerNetFocalLoss": lambda raw, heat, alpha=2.0, beta=4.0: written_out(
        raw, heat, 100.0, alpha, beta
    ),
    "lightning.QualityFocalLoss": lambda raw, heat, beta=2.0: quality_sum(raw, heat, beta),
}


@pytest.mark.parametrize("case", cases(ATOMS, where=lambda c: c.name.partition("_")[0] in HEAT))
def test_heat_maps_of_lightning(case: Any) -> None:
    logits = torch.from_numpy(case.inputs["logits"]).requires_grad_()
    target = torch.from_numpy(case.inputs["target"])
    loss = HEAT[case.name.partition("_")[0]](logits, target, **case.params)
    check(loss, logits, case.outputs["sum"], case.outputs["grad.logits"])


@pytest.mark.parametrize("name", BOX_DISTANCES)
@pytest.mark.parametrize("log", [False, True])
def test_nothing_is_left_to_learn_from_the_true_sides(name: str, log: bool) -> None:
    sides = Sides(16.0, log)
    loss = BoxLoss("box", BOX_DISTANCES[name], sides)
    targets = {
        "ind": torch.tensor([[9, 22, 0]]),
        "reg_mask": torch.tensor([[1, 1, 0]]),
        "box": torch.tensor([[[0.0, 0, 3, 4], [1, 1, 7, 3.5], [0, 0, 0, 0]]]),
    }
    (true,) = loss.truth({k: v[0] for k, v in targets.items()}, (4, 8))
    raw = torch.nan_to_num(true)[None].requires_grad_()
    value = loss([raw], targets)
    assert value.item() == pytest.approx(0, abs=1e-4)
    assert torch.isfinite(torch.autograd.grad(value, raw)[0]).all()
    worse = loss([raw.detach() + 0.3], targets)
    assert worse.item() > 0.01
    index = targets["ind"][:, :2]
    found = boxes_of(sides(raw.detach().flatten(2).transpose(1, 2)[:, index[0]]), index, 8)
    torch.testing.assert_close(found, targets["box"][:, :2])


def test_without_an_object_the_loss_is_nothing() -> None:
    targets = {
        "ind": torch.zeros(1, 2, dtype=torch.int64),
        "reg_mask": torch.zeros(1, 2),
        "box": torch.zeros(1, 2, 4),
    }
    for distance in BOX_DISTANCES.values():
        raw = torch.randn(1, 4, 4, 8, requires_grad=True)
        value = BoxLoss("box", distance, Sides())([raw], targets)
        assert value.item() == 0
        assert torch.autograd.grad(value, raw)[0].abs().max() == 0


@pytest.mark.parametrize("name", BOX_DISTANCES)
def test_a_box_without_size_has_a_finite_gradient(name: str) -> None:
    pred = torch.tensor([[2.0, 2, 2, 2], [2, 2, 5, 2]], requires_grad=True)
    loss = BOX_DISTANCES[name](pred, torch.tensor([[0.0, 0, 3, 4], [2, 2, 2, 6]])).sum()
    assert torch.isfinite(loss)
    assert torch.isfinite(torch.autograd.grad(loss, pred)[0]).all()
