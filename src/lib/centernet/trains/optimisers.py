"""The optimisers, by name, and which parameters share their settings.

Every group of parameters holds `scale`, its share of the schedule's rate, so that one schedule
drives them all.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import torch
from torch import nn

FEW = 2  # parameters of fewer dimensions are norms and biases

Groups = list[dict[str, Any]]


@dataclass(frozen=True)
class Grouping:
    """How parameters differ in decay and rate.

    `decay` is the weight decay; norms and biases have none of it unless `decay_all`. `trunk_rate`
    is the rate of the trunk beside the rest, `layer_decay` the factor from each of its stages to
    the one beneath it (1: all alike; BEiT, arXiv 2106.08254).
    """

    decay: float = 0.0
    decay_all: bool = False
    trunk_rate: float = 1.0
    layer_decay: float = 1.0

    @property
    def plain(self) -> bool:
        """Whether all parameters are alike."""
        alike = self.trunk_rate == 1.0 and self.layer_decay == 1.0
        return alike and (self.decay == 0.0 or self.decay_all)


def parameter_groups(
    model: nn.Module, grouping: Grouping, depth: Callable[[str], int | None]
) -> Groups:
    """The trainable parameters of `model` in groups of one decay and one rate, in a fixed order.

    `depth(name)` is the distance of a trunk's parameter from the trunk's last stage, 0 for that
    stage itself, and None for what is not of the trunk. Frozen parameters are left out.
    """
    if grouping.plain:
        parameters = [p for p in model.parameters() if p.requires_grad]
        return [{"params": parameters, "weight_decay": grouping.decay, "scale": 1.0}]
    groups: dict[tuple[float, float], list[nn.Parameter]] = {}
    for name, parameter in _trainable(model):
        decays = grouping.decay_all or parameter.ndim >= FEW
        below = depth(name)
        scale = 1.0 if below is None else grouping.trunk_rate * grouping.layer_decay**below
        key = (grouping.decay if decays else 0.0, scale)
        groups.setdefault(key, []).append(parameter)
    return [
        {"params": parameters, "weight_decay": decay, "scale": scale}
        for (decay, scale), parameters in sorted(groups.items(), key=lambda item: item[0])
    ]


def _trainable(model: nn.Module) -> Iterator[tuple[str, nn.Parameter]]:
    return ((name, p) for name, p in model.named_parameters() if p.requires_grad)


def adam(parameters: Groups | Iterable[nn.Parameter], rate: float) -> torch.optim.Optimizer:
    """Adam (Kingma and Ba, arXiv 1412.6980) with its usual constants."""
    groups = _grouped(parameters)
    return torch.optim.Adam(groups, lr=rate, fused=_fused(groups))


def adamw(parameters: Groups | Iterable[nn.Parameter], rate: float) -> torch.optim.Optimizer:
    """Adam with decoupled weight decay (Loshchilov and Hutter, arXiv 1711.05101)."""
    groups = _grouped(parameters)
    return torch.optim.AdamW(groups, lr=rate, fused=_fused(groups))


def sgd(parameters: Groups | Iterable[nn.Parameter], rate: float) -> torch.optim.Optimizer:
    """Gradient descent with momentum 0.9."""
    groups = _grouped(parameters)
    return torch.optim.SGD(groups, lr=rate, momentum=0.9, fused=_fused(groups))


OPTIMISERS: Mapping[str, Callable[[Groups, float], torch.optim.Optimizer]] = {
    "adam": adam,
    "adamw": adamw,
    "sgd": sgd,
}


def _grouped(parameters: Groups | Iterable[nn.Parameter]) -> Groups:
    """Parameters as groups: those of one list share all settings."""
    each = list(parameters)
    if all(isinstance(one, dict) for one in each):
        return [one for one in each if isinstance(one, dict)]
    return [{"params": each}]


def set_rate(optimizer: torch.optim.Optimizer, rate: float) -> None:
    """Give every group of parameters its share of the learning rate `rate`."""
    for group in optimizer.param_groups:
        group["lr"] = rate * group.get("scale", 1.0)


def _fused(groups: Groups) -> bool | None:
    """Whether PyTorch's one-pass form does: the same update, on CPUs and GPUs alike."""
    parameters = [parameter for group in groups for parameter in group["params"]]
    fits = all(p.device.type in ("cpu", "cuda") and p.is_floating_point() for p in parameters)
    return fits or None
