"""What training minimises: terms, each a loss of the maps that it names, and how they make one.

Terms stand beside the heads: a head may be taught by several, a loss may read several heads.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol

import torch
from torch import Tensor, nn

from centernet.heads.losses import Loss, Targets


@dataclass(frozen=True)
class Term:
    """`loss` of the raw maps of `heads`, in that order.

    `stat` is its name in the log; terms that share a name are summed there. One of `weight` 0
    is not computed.
    """

    stat: str
    loss: Loss
    heads: tuple[str, ...]
    weight: float = 1.0

    def counts(self, targets: Targets) -> Tensor:
        """What the sums of the loss are divided by on this batch, (T,)."""
        return self.loss.counts(targets)

    def value(self, maps: Mapping[str, Tensor], targets: Targets, counts: Tensor) -> Tensor:
        """The scalar loss, without the weight, of the raw `maps` of one stage over `counts`.

        Maps of a lower precision are made float32: sums over them would be too coarse.
        """
        seen = [maps[name] for name in self.heads]
        exact = [raw.to(torch.promote_types(raw.dtype, torch.float32)) for raw in seen]
        return self.loss.value(self.loss.totals(exact, targets), counts)


class Balance(Protocol):
    """How terms and their values, as many scalars, make the one scalar that is minimised."""

    def __call__(self, terms: Sequence[Term], values: Sequence[Tensor]) -> Tensor: ...


def weighted_sum(terms: Sequence[Term], values: Sequence[Tensor]) -> Tensor:
    """Every value times the weight of its term."""
    total: Tensor | float = 0.0
    for term, value in zip(terms, values, strict=True):
        total = total + term.weight * value
    return torch.as_tensor(total)


class UncertaintyWeights(nn.Module):
    """Weights that are learned: of each group of stats exp(-s) times its weighted sum, plus s.

    `groups` are the stats that share one s; `start` is what each s begins with. Half of the sum is
    taken, as in FairMOT. Methods: Kendall, Gal, Cipolla, "Multi-Task Learning Using Uncertainty to
    Weigh Losses", arXiv 1705.07115; Zhang et al., "FairMOT", arXiv 2004.01888.
    """

    def __init__(self, groups: Sequence[Sequence[str]], start: Sequence[float]) -> None:
        super().__init__()
        self.groups = [tuple(group) for group in groups]
        self.log_variances = nn.ParameterList(
            [nn.Parameter(torch.tensor(float(s))) for _, s in zip(groups, start, strict=True)]
        )

    def forward(self, terms: Sequence[Term], values: Sequence[Tensor]) -> Tensor:
        """ValueError if a term belongs to no group or to several."""
        total = torch.zeros((), device=self.log_variances[0].device)
        for group, s in zip(self.groups, self.log_variances, strict=True):
            own = [each for each in zip(terms, values, strict=True) if each[0].stat in group]
            if own:
                total = total + (-s).exp() * weighted_sum(*zip(*own, strict=True)) + s
        grouped = [stat for group in self.groups for stat in group]
        for term in terms:
            if grouped.count(term.stat) != 1:
                raise ValueError(f"{term.stat} must be in one group of {self.groups}")
        return total / 2


def true_maps(
    terms: Sequence[Term], targets: Targets, size: tuple[int, int], wanted: frozenset[str]
) -> dict[str, Tensor]:
    """{head: raw map (C, h, w)} of the `wanted` heads, by the first of `terms` that reads each.

    From one image's `targets`, for maps of `size`; UserError where a loss cannot say what it wants.
    """
    found: dict[str, Tensor] = {}
    for term in terms:
        if any(name in wanted and name not in found for name in term.heads):
            true = zip(term.heads, term.loss.truth(targets, size), strict=True)
            found |= {n: v for n, v in true if n in wanted and n not in found}
    return found
