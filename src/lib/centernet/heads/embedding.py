"""Losses of associative embeddings: one number at each corner tells which corners belong together.

Newell, Huang, Deng, "Associative Embedding", NeurIPS 2017, in the form of CornerNet (Law and Deng,
ECCV 2018): the two numbers of an object are pulled to their mean, the means of different objects
pushed apart until they differ by 1. Both are means over the objects of an image, summed over the
images. The raw maps are those of the two corners, (B, 1, H, W) each.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor

from centernet.heads.losses import SMALL, Loss, Targets
from centernet.heads.peaks import gather
from centernet.heads.spread import spread

APART = 1.0  # how far the means of two objects should differ


@dataclass(frozen=True)
class Embedding(Loss):
    """What pull and push have in common; `indices` are the targets (B, N) of the two maps."""

    indices: tuple[str, str]
    mask: str = "ind_masks"

    def pairs(self, maps: Sequence[Tensor], targets: Targets) -> tuple[Tensor, Tensor, Tensor]:
        """The numbers of each object at its two corners, and which objects there are: (B, N)."""
        first, second = (
            gather(raw, targets[name]).squeeze(2)
            for raw, name in zip(maps, self.indices, strict=True)
        )
        return first, second, targets[self.mask].float()

    def counts(self, targets: Targets) -> Tensor:
        """Nothing to divide by: images are summed."""
        return torch.ones(1, device=targets[self.mask].device)

    def value(self, totals: Tensor, counts: Tensor) -> Tensor:
        return totals.sum()

    def truth(self, targets: Targets, size: tuple[int, int]) -> tuple[Tensor, ...]:
        """The number of the object whose corner is nearest: APART from that of any other."""
        mask = targets[self.mask]
        number = APART * torch.arange(len(mask), device=mask.device).float().unsqueeze(1)
        return tuple(spread(number, mask, targets[index], size) for index in self.indices)


@dataclass(frozen=True)
class Pull(Embedding):
    """Squared distances of the two numbers of an object from their mean."""

    def totals(self, maps: Sequence[Tensor], targets: Targets) -> Tensor:
        first, second, mask = self.pairs(maps, targets)
        mean = (first + second) / 2
        squared = (first - mean) ** 2 + (second - mean) ** 2
        return (squared * mask / (mask.sum(1, keepdim=True) + SMALL)).sum().view(1)


@dataclass(frozen=True)
class Push(Embedding):
    """How much nearer than APART the means of two objects are, over all ordered pairs."""

    def totals(self, maps: Sequence[Tensor], targets: Targets) -> Tensor:
        first, second, mask = self.pairs(maps, targets)
        mean = (first + second) / 2
        near = F.relu(APART - (mean.unsqueeze(1) - mean.unsqueeze(2)).abs())
        number = mask.sum(1).view(-1, 1, 1)
        # An object is as near as can be to itself: that much is taken off again, spread over all.
        near = (near - APART / (number + SMALL)) / ((number - 1) * number + SMALL)
        return (near * mask.unsqueeze(1) * mask.unsqueeze(2)).sum().view(1)
