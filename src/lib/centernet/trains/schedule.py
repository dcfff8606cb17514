"""Learning rates and the optimizer of the published schedules."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

import torch
from torch import nn

BASE_RATE, BASE_BATCH = 1.25e-4, 32


def scaled_rate(batch: int) -> float:
    """The learning rate for `batch` images a step: in proportion to 1.25e-4 at 32.

    Linear scaling after Goyal et al., arXiv 1706.02677; the published runs follow it (5e-4 at 128).
    """
    return BASE_RATE * batch / BASE_BATCH


@dataclass(frozen=True)
class MultiStep:
    """The rate of each epoch: `base`, multiplied by `factor` once an epoch of `steps` is over.

    Epochs count from 1. The rate depends on nothing but the epoch, so that a resumed run needs no
    state of it.
    """

    base: float
    steps: tuple[int, ...] = (90, 120)
    factor: float = 0.1

    def __call__(self, epoch: int) -> float:
        return self.base * self.factor ** sum(step < epoch for step in self.steps)


def adam(parameters: Iterable[nn.Parameter], rate: float) -> torch.optim.Adam:
    """Adam (Kingma and Ba, arXiv 1412.6980) with its usual constants, in PyTorch's fused form.

    The fused form computes the same update in one pass, on CPUs and GPUs alike; other devices get
    PyTorch's own choice.
    """
    parameters = list(parameters)
    fused = all(p.device.type in ("cpu", "cuda") and p.is_floating_point() for p in parameters)
    return torch.optim.Adam(parameters, lr=rate, fused=fused or None)


def set_rate(optimizer: torch.optim.Optimizer, rate: float) -> None:
    """Give all parameters the learning rate `rate`."""
    for group in optimizer.param_groups:
        group["lr"] = rate
