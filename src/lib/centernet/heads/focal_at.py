"""The focal loss whose peaks are named rather than found in the heat map, as CenterTrack has it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor

from centernet.heads.focal import focal_sum
from centernet.heads.losses import LOGIT_LIMIT, Loss, Targets
from centernet.heads.peaks import gather

BELOW_ONE = 1 - 2**-23  # its distance to 1 to the fourth power is nothing


@dataclass(frozen=True)
class FocalAt(Loss):
    """Penalty-reduced focal loss (alpha 2, beta 4) with peaks at `index`, `channel` where `mask`.

    Elsewhere a cell counts by (1 - heat)^4, so that one of 1 that is no peak is ignored. Divided by
    the peaks, if any.
    """

    target: str
    index: str = "ind"  # (B, N) each
    channel: str = "cat"
    mask: str = "mask"

    def totals(self, maps: Sequence[Tensor], targets: Targets) -> Tensor:
        (raw,) = maps
        rest = focal_sum(raw, targets[self.target].clamp(max=BELOW_ONE), LOGIT_LIMIT)
        values = gather(raw, targets[self.index])
        logits = values.gather(2, targets[self.channel].unsqueeze(2)).squeeze(2)
        logits = logits.clamp(-LOGIT_LIMIT, LOGIT_LIMIT)
        hits = F.logsigmoid(logits) * (1 - torch.sigmoid(logits)) ** 2
        return (rest - (hits * targets[self.mask]).sum()).view(1)

    def counts(self, targets: Targets) -> Tensor:
        return targets[self.mask].sum().float().view(1)

    def value(self, totals: Tensor, counts: Tensor) -> Tensor:
        # Under several processes the count is their mean, which may lie between 0 and 1.
        return (totals / torch.where(counts > 0, counts, torch.ones_like(counts))).sum()

    def truth(self, targets: Targets, size: tuple[int, int]) -> tuple[Tensor, ...]:
        return (torch.logit(targets[self.target]),)
