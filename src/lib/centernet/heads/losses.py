"""Losses of the centre-point family, each as sums and the counts that divide them.

A loss gives `totals(maps, targets)`, the sums over this batch, and `counts(targets)`, what they
are divided by; both are vectors of the same few numbers. Keeping them apart lets several processes,
or several parts of one batch, divide by the counts of the whole (`task.py`). Totals are computed
from the network's raw maps (B, C, H, W) of the heads that a term names (`term.py`), float32 or
float64, and are finite when there is no object.

Sources: focal loss of CornerNet (arXiv 1808.01244), regression at centres of "Objects as Points"
(arXiv 1904.07850), multi-bin orientation of Mousavian et al. (arXiv 1612.00496).
"""

from __future__ import annotations

import math
from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor

from centernet.heads.focal import focal_sum, quality_sum
from centernet.heads.peaks import gather
from centernet.heads.spread import spread
from centernet.runtime.errors import UserError

Targets = Mapping[str, Tensor]
LOGIT_LIMIT = math.log((1 - 1e-4) / 1e-4)  # probabilities are kept within 1e-4 of 0 and 1
SMALL = 1e-4


class Loss(ABC):
    """A loss of the maps of one or more heads; `loss(maps, targets)` is its value on a batch."""

    @abstractmethod
    def totals(self, maps: Sequence[Tensor], targets: Targets) -> Tensor:
        """Sums over the batch, (T,), of the raw maps (B, C, H, W) that it reads."""

    @abstractmethod
    def counts(self, targets: Targets) -> Tensor:
        """What the sums are divided by, (T,), without gradient."""

    def value(self, totals: Tensor, counts: Tensor) -> Tensor:
        """The scalar loss of `totals` over `counts`."""
        return (totals / (counts + SMALL)).sum()

    def truth(self, targets: Targets, size: tuple[int, int]) -> tuple[Tensor, ...]:
        """The raw maps (C, h, w) of `size` for which the loss of one image's `targets` vanishes.

        One for each head that it reads; NaN where any value would do. UserError if the loss cannot
        say.
        """
        raise UserError(f"{type(self).__name__} does not say which maps it wants: no oracle for it")

    def __call__(self, maps: Sequence[Tensor], targets: Targets) -> Tensor:
        return self.value(self.totals(maps, targets), self.counts(targets))


@dataclass(frozen=True)
class Focal(Loss):
    """Penalty-reduced focal loss (alpha 2, beta 4) of a heat map; divided by the peaks, if any."""

    target: str

    def totals(self, maps: Sequence[Tensor], targets: Targets) -> Tensor:
        (raw,) = maps
        return focal_sum(raw, targets[self.target], LOGIT_LIMIT).view(1)

    def counts(self, targets: Targets) -> Tensor:
        return (targets[self.target] == 1).sum().float().view(1)

    def value(self, totals: Tensor, counts: Tensor) -> Tensor:
        # Under several processes the count is their mean, which may lie between 0 and 1.
        return (totals / torch.where(counts > 0, counts, torch.ones_like(counts))).sum()

    def truth(self, targets: Targets, size: tuple[int, int]) -> tuple[Tensor, ...]:
        return (torch.logit(targets[self.target]),)


@dataclass(frozen=True)
class QualityFocal(Focal):
    """Quality focal loss of a heat map, whose every value is a label; divided as `Focal`.

    With `beta` 0 it is the binary cross entropy.
    """

    beta: float = 2.0

    def totals(self, maps: Sequence[Tensor], targets: Targets) -> Tensor:
        (raw,) = maps
        return quality_sum(raw, targets[self.target], self.beta).view(1)


@dataclass(frozen=True)
class MeanSquare(Loss):
    """Mean squared error of a heat map, raw or turned into its meaning by `activation`.

    `inverse` is the way back, for whoever knows the target.
    """

    target: str
    activation: Callable[[Tensor], Tensor] | None = None
    inverse: Callable[[Tensor], Tensor] | None = None

    def totals(self, maps: Sequence[Tensor], targets: Targets) -> Tensor:
        (raw,) = maps
        heat = raw if self.activation is None else self.activation(raw)
        return ((heat - targets[self.target]) ** 2).sum().view(1)

    def counts(self, targets: Targets) -> Tensor:
        target = targets[self.target]
        return torch.full((1,), float(target.numel()), device=target.device)

    def value(self, totals: Tensor, counts: Tensor) -> Tensor:
        return (totals / counts).sum()

    def truth(self, targets: Targets, size: tuple[int, int]) -> tuple[Tensor, ...]:
        heat = targets[self.target]
        return (heat if self.inverse is None else self.inverse(heat),)


def sigmoid_square(target: str) -> MeanSquare:
    """The squared error of probabilities."""
    return MeanSquare(target, kept_sigmoid, torch.logit)


def kept_sigmoid(raw: Tensor) -> Tensor:
    """Probabilities kept within 1e-4 of 0 and 1, where the gradient vanishes."""
    return torch.sigmoid(raw.clamp(-LOGIT_LIMIT, LOGIT_LIMIT))


Distance = Callable[[Tensor, Tensor], Tensor]  # elementwise


def l1(prediction: Tensor, target: Tensor) -> Tensor:
    """|difference|, elementwise."""
    return (prediction - target).abs()


def smooth_l1(prediction: Tensor, target: Tensor) -> Tensor:
    """Quadratic below 1, linear above, elementwise."""
    return F.smooth_l1_loss(prediction, target, reduction="none")


def l2(prediction: Tensor, target: Tensor) -> Tensor:
    """Squared difference, elementwise."""
    return (prediction - target) ** 2


DISTANCES: dict[str, Distance] = {"l1": l1, "sl1": smooth_l1, "l2": l2}


@dataclass(frozen=True)
class AtCentres(Loss):
    """Distance of the values at the centres from their targets, over those that `mask` marks.

    `target` (B, N, D), `index` (B, N), `mask` (B, N) or, to mark single values, (B, N, D). Divided
    by the values marked; by the objects marked if `per_object`; by all B * N * D if `over_all`.
    `activation` turns raw maps into the target's meaning first; `inverse` is the way back, for
    whoever knows the target. `relative` measures prediction over target against 1.
    """

    target: str
    mask: str = "reg_mask"
    index: str = "ind"
    distance: Distance = l1
    activation: Callable[[Tensor], Tensor] | None = None
    inverse: Callable[[Tensor], Tensor] | None = None
    per_object: bool = False
    over_all: bool = False
    relative: bool = False

    def totals(self, maps: Sequence[Tensor], targets: Targets) -> Tensor:
        (raw,) = maps
        target = targets[self.target].float()
        predicted = gather(raw, targets[self.index])
        if self.activation is not None:
            predicted = self.activation(predicted)
        if self.relative:
            predicted, target = predicted / (target + SMALL), torch.ones_like(target)
        mask = self._mask(targets).expand_as(target)
        return self.distance(predicted * mask, target * mask).sum().view(1)

    def counts(self, targets: Targets) -> Tensor:
        mask, target = self._mask(targets), targets[self.target]
        if self.over_all:
            return torch.full((1,), float(target.numel()), device=target.device)
        if not self.per_object:
            mask = mask.expand_as(target)
        return mask.sum().view(1)

    def value(self, totals: Tensor, counts: Tensor) -> Tensor:
        return (totals / counts).sum() if self.over_all else super().value(totals, counts)

    def truth(self, targets: Targets, size: tuple[int, int]) -> tuple[Tensor, ...]:
        """Every cell has the values of the nearest centre: peaks may miss theirs a little."""
        rows = targets[self.target].float(), targets[self.mask], targets[self.index]
        true = spread(*rows, size)
        return (true if self.inverse is None else self.inverse(true),)

    def _mask(self, targets: Targets) -> Tensor:
        mask = targets[self.mask].float()
        return mask.unsqueeze(2) if mask.dim() == 2 else mask


def at_centres(
    target: str, kind: str, *, mask: str = "reg_mask", index: str = "ind", relative: bool = False
) -> AtCentres:
    """The regression loss that `--reg_loss` names: l1 and l2 per value, sl1 per object."""
    return AtCentres(
        target, mask, index, DISTANCES[kind], per_object=kind == "sl1", relative=relative
    )


@dataclass(frozen=True)
class Dense(Loss):
    """L1 over a whole map of values (B, D, H, W), weighed by a map of the same shape."""

    target: str
    weight: str

    def totals(self, maps: Sequence[Tensor], targets: Targets) -> Tensor:
        (raw,) = maps
        weight = targets[self.weight]
        return l1(raw * weight, targets[self.target] * weight).sum().view(1)

    def counts(self, targets: Targets) -> Tensor:
        return targets[self.weight].sum().view(1)

    def truth(self, targets: Targets, size: tuple[int, int]) -> tuple[Tensor, ...]:
        values, weight = targets[self.target], targets[self.weight]
        return (torch.where(weight > 0, values, torch.full_like(values, torch.nan)),)
