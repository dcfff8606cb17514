"""The moving average of a network's weights, which is what is validated and kept.

Polyak averaging; in detection since EfficientDet (arXiv 1911.09070). The averaging itself is
PyTorch's `torch.optim.swa_utils`.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any, cast

import torch
from torch import Tensor
from torch.optim.swa_utils import AveragedModel

from centernet.models.model import CenterNet

PACE = 2000.0  # steps over which the decay rises: the first weights are worth little


class Average:
    """An exponential moving average over the steps of `model`, its buffers included.

    The decay rises as `decay * (1 - exp(-steps / pace))`, so that a short run is not held back by
    where it started. Averages are of the processes' common weights: each process has the same.
    """

    def __init__(self, model: CenterNet, decay: float = 0.9998, pace: float = PACE) -> None:
        self.decay, self.pace = decay, pace
        self._averaged = AveragedModel(model, multi_avg_fn=self._lerp, use_buffers=True)
        self._averaged.module.requires_grad_(False)

    @property
    def model(self) -> CenterNet:
        """The network that holds the averages."""
        return cast(CenterNet, self._averaged.module)

    @property
    def steps(self) -> int:
        """How many steps it has seen."""
        return int(self._averaged.n_averaged)

    def update(self, model: CenterNet) -> None:
        """Take in the weights of `model` after a step; the first ones are taken as they are."""
        self._averaged.update_parameters(model)

    def state(self) -> dict[str, Any]:
        """What a checkpoint needs beside the averaged weights themselves."""
        return {"steps": self.steps}

    def restore(self, state: Mapping[str, Any], weights: Mapping[str, Tensor]) -> None:
        """Go on from `weights`, the averages after the steps that `state` tells of."""
        self.model.load_state_dict(weights)
        self._averaged.n_averaged.fill_(int(state["steps"]))

    def restart(self, model: CenterNet) -> None:
        """Start again from the weights of `model`."""
        self.restore({"steps": 0}, model.state_dict())

    def _lerp(
        self,
        averaged: tuple[Tensor, ...] | list[Tensor],
        current: tuple[Tensor, ...] | list[Tensor],
        steps: Tensor | int,
    ) -> None:
        weight = 1 - self.decay * (1 - math.exp(-float(steps) / self.pace))
        if not averaged[0].is_floating_point():  # the counters of BatchNorm
            torch._foreach_copy_(averaged, current)
            return
        torch._foreach_lerp_(averaged, current, weight)
