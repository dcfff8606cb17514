"""The sum of the penalty-reduced focal loss (CornerNet, arXiv 1808.01244) over heat maps.

With p = sigmoid(x) and target h, a place adds -(1 - p)^2 log p where h is 1, and elsewhere
-(1 - h)^4 p^2 log(1 - p). Of logits that reach beyond the limit the loss is that at the limit.
"""

from __future__ import annotations

from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor
from torch.autograd.function import once_differentiable


def focal_sum(raw: Tensor, heat: Tensor, limit: float) -> Tensor:
    """The sum () over raw maps and targets (B, C, H, W)."""
    if raw.device.type == "cpu":
        return _InFewPasses.apply(raw, heat, limit)
    return written_out(raw, heat, limit)


def written_out(
    raw: Tensor, heat: Tensor, limit: float, alpha: float = 2.0, beta: float = 4.0
) -> Tensor:
    """The formula, left to autograd: for devices that must not wait for the number of peaks.

    `alpha` is the exponent of the probabilities, `beta` that of the target.
    """
    logits = raw.clamp(-limit, limit)
    probability = torch.sigmoid(logits)
    hit = F.logsigmoid(logits) * (1 - probability) ** alpha
    miss = F.logsigmoid(-logits) * probability**alpha * (1 - heat) ** beta
    return -torch.where(heat == 1, hit, miss).sum()


def quality_sum(raw: Tensor, heat: Tensor, beta: float = 2.0) -> Tensor:
    """The sum () of |h - p|^beta times the cross entropy of p and h (Li et al., "Generalized Focal
    Loss", NeurIPS 2020); with `beta` 0 the cross entropy itself."""
    entropy = F.binary_cross_entropy_with_logits(raw, heat, reduction="none")
    return entropy.sum() if beta == 0 else ((heat - raw.sigmoid()).abs() ** beta * entropy).sum()


class _InFewPasses(torch.autograd.Function):
    """The same with its derivative written out, at peaks and elsewhere apart.

    A CPU is as slow as the number of times that it goes over the maps, and autograd goes over them
    thrice as often; peaks are few.
    """

    @staticmethod
    def forward(ctx: Any, raw: Tensor, heat: Tensor, limit: float) -> Tensor:
        heat = torch.empty_like(raw).copy_(heat)  # in the network's layout
        peaks = (heat == 1).nonzero(as_tuple=True)
        x = raw.clamp(-limit, limit)
        p, minus_log = torch.sigmoid(x), F.softplus(x)  # the latter is -log(1 - p)
        weight = heat.neg_().add_(1).square_().square_().mul_(p).mul_(p)  # 0 at peaks
        total = (weight * minus_log).sum()
        p_peak, x_peak = p[peaks], x[peaks]
        log_peak, rest = F.logsigmoid(x_peak), (1 - p_peak).square()
        total = total - (rest * log_peak).sum()
        if ctx.needs_input_grad[0]:
            gradient = x.copy_(p).addcmul_(minus_log, 1 - p, value=2).mul_(weight)
            gradient[peaks] = rest * (p_peak - 1 + 2 * p_peak * log_peak)
            gradient.mul_(raw.abs() < limit)
            ctx.save_for_backward(gradient)
        return total

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, outside: Tensor) -> tuple[Tensor, None, None]:
        (gradient,) = ctx.saved_tensors
        return gradient * outside, None, None
