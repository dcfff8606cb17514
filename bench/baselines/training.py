"""A training step as in 2019: the side `bench/train.py` compares with.

"Objects as Points" (arXiv 1904.07850) in its first form: maps channels first, torchvision's
deformable convolution, the focal loss by masks of its positive and negative places, Adam parameter
by parameter.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping

import torch
import torch.nn.functional as F
from torch import Tensor

from centernet.models.model import CenterNet
from centernet.models.networks.DCNv2 import use_backend


def focal(raw: Tensor, heat: Tensor) -> Tensor:
    """The penalty-reduced focal loss, positive and negative places apart."""
    probability = torch.clamp(raw.sigmoid(), min=1e-4, max=1 - 1e-4)
    positive, negative = heat.eq(1).float(), heat.lt(1).float()
    weight = torch.pow(1 - heat, 4)
    hit = torch.log(probability) * torch.pow(1 - probability, 2) * positive
    miss = torch.log(1 - probability) * torch.pow(probability, 2) * weight * negative
    count = positive.sum()
    if count == 0:
        return -miss.sum()
    return -(hit.sum() + miss.sum()) / count


def at_centres(raw: Tensor, target: Tensor, index: Tensor, mask: Tensor) -> Tensor:
    """L1 of the values gathered at the centres."""
    maps = raw.permute(0, 2, 3, 1).contiguous().flatten(1, 2)
    found = maps.gather(1, index.unsqueeze(2).expand(-1, -1, maps.shape[2]))
    marked = mask.unsqueeze(2).expand_as(found).float()
    return F.l1_loss(found * marked, target * marked, reduction="sum") / (marked.sum() + 1e-4)


def step(model: CenterNet, rate: float) -> Callable[[Mapping[str, Tensor]], float]:
    """A function that learns from one batch and returns its loss."""
    optimizer = torch.optim.Adam(model.parameters(), rate, foreach=False, fused=False)

    def run(batch: Mapping[str, Tensor]) -> float:
        with use_backend("torchvision"):
            centres = batch["ind"], batch["reg_mask"]
            stages = model(batch["inputs"])
            loss = torch.zeros(())
            for maps in stages:
                loss = loss + focal(maps["hm"], batch["hm"]) / len(stages)
                loss = loss + 0.1 * at_centres(maps["wh"], batch["wh"], *centres) / len(stages)
                loss = loss + at_centres(maps["reg"], batch["reg"], *centres) / len(stages)
            optimizer.zero_grad()
            loss.backward()
        optimizer.step()
        return loss.item()

    return run
