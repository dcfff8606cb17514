"""Gradients that are zero by cancellation are told from those that are small."""

from __future__ import annotations

import torch
from torch import nn

from tests.trains.cancellation import Terms


def trained(bias: float, scale: float = 1.0) -> tuple[nn.Sequential, dict[str, torch.Tensor]]:
    """A step of convolution, norm (channels shifted by `bias`), ReLU, convolution, norm."""
    torch.manual_seed(0)
    model = nn.Sequential(
        nn.Conv2d(3, 4, 3, bias=False),
        nn.BatchNorm2d(4),
        nn.ReLU(inplace=True),
        nn.Conv2d(4, 2, 1, bias=False),
        nn.BatchNorm2d(2),
    ).double()
    with torch.no_grad():
        model[1].bias[0] = bias
    with Terms(model) as terms:
        target = torch.randn(2, 2, 6, 6, dtype=torch.float64)
        ((model(torch.randn(2, 3, 8, 8, dtype=torch.float64)) * target).sum() * scale).backward()
    return model, terms.cancelled()


def test_a_channel_that_is_always_active_has_a_bias_that_teaches_nothing() -> None:
    model, cancelled = trained(bias=50.0)
    assert cancelled["1.bias"].tolist() == [True, False, False, False]
    assert model[1].bias.grad[0].abs() < 1e-12 < model[1].bias.grad[1].abs()
    assert not any(value.any() for name, value in cancelled.items() if name != "1.bias")


def test_a_channel_that_is_now_and_then_active_has_a_gradient() -> None:
    assert not any(value.any() for value in trained(bias=0.0)[1].values())


def test_small_terms_do_not_pass_for_cancelled_ones() -> None:
    assert not any(value.any() for value in trained(bias=0.0, scale=1e-30)[1].values())


def test_a_channel_that_is_never_active_has_no_terms_to_cancel() -> None:
    assert not trained(bias=-50.0)[1]["1.bias"].any()
