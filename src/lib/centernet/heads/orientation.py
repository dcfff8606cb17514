"""Orientation in two overlapping bins: each says whether it holds the angle, and how far inside.

The bins are half turns and a little more around -90 and +90 degrees of the observation angle. Of
the eight channels four belong to each bin: two logits (absent, present), then sine and cosine of
the angle from the bin's middle. Method: Mousavian et al., "3D Bounding Box Estimation Using Deep
Learning and Geometry", arXiv 1612.00496; the bins are those of "Objects as Points".
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
import torch.nn.functional as F
from numpy.typing import NDArray
from torch import Tensor

from centernet.heads.losses import Loss, Targets, smooth_l1
from centernet.heads.peaks import gather, mirror
from centernet.heads.spread import spread

CHANNELS = 8
MIDDLES = (-math.pi / 2, math.pi / 2)
REACH = 2 * math.pi / 3  # from a bin's middle to its end
SURE = 10.0  # a logit that leaves no doubt
# A mirrored image turns the angle from the middle of either bin into its negative.
_MIRRORED_SIGNS = (1.0, 1.0, -1.0, 1.0, 1.0, 1.0, -1.0, 1.0)


def to_bins(alphas: NDArray[np.float32]) -> tuple[NDArray[np.int64], NDArray[np.float32]]:
    """Angles (N,) in [-pi, pi] -> which bins hold them (N, 2), and from their middles (N, 2)."""
    angles = np.asarray(alphas, np.float64)[:, None]
    residuals = angles - np.asarray(MIDDLES)
    turned = np.abs((residuals + np.pi) % (2 * np.pi) - np.pi)
    held = turned < REACH
    return held.astype(np.int64), np.where(held, residuals, 0.0).astype(np.float32)


def from_bins(values: Tensor) -> Tensor:
    """Raw channels (..., 8) -> angles (...,) in [-pi, pi] by the bin that is surer."""
    first = torch.atan2(values[..., 2], values[..., 3]) + MIDDLES[0]
    second = torch.atan2(values[..., 6], values[..., 7]) + MIDDLES[1]
    angles = torch.where(values[..., 1] > values[..., 5], first, second)
    angles = torch.where(angles > math.pi, angles - 2 * math.pi, angles)
    return torch.where(angles < -math.pi, angles + 2 * math.pi, angles)


def mirror_bins(maps: Tensor) -> Tensor:
    """Raw maps (B, 8, H, W) of the mirrored image -> of the image."""
    signs = torch.tensor(_MIRRORED_SIGNS, dtype=maps.dtype, device=maps.device)
    return mirror(maps) * signs.view(1, -1, 1, 1)


@dataclass(frozen=True)
class InBins(Loss):
    """Cross entropy of both bins, and smooth L1 of sine and cosine in those that hold the angle.

    Targets are `bins` and `residuals` (B, N, 2), `mask` and `index` (B, N). As published the cross
    entropy is a mean over all B * N rows, and a row without object counts as one where the network
    is undecided, so that it is 2 ln 2 where there is no object at all.
    """

    bins: str = "rotbin"
    residuals: str = "rotres"
    mask: str = "rot_mask"
    index: str = "ind"

    def totals(self, maps: Sequence[Tensor], targets: Targets) -> Tensor:
        (raw,) = maps
        values = gather(raw, targets[self.index]).unflatten(2, (2, 4))  # (B, N, bin, 4)
        bins, residuals = targets[self.bins], targets[self.residuals].float()
        logits = values[..., :2] * targets[self.mask].float()[:, :, None, None]
        entropy = F.cross_entropy(logits.flatten(0, 2), bins.flatten(), reduction="sum")
        distance = smooth_l1(values[..., 2], residuals.sin())
        distance = distance + smooth_l1(values[..., 3], residuals.cos())
        inside = (distance * bins).sum(dim=(0, 1))  # (bin,)
        return torch.cat([entropy.view(1), inside])

    def counts(self, targets: Targets) -> Tensor:
        bins = targets[self.bins]
        rows = torch.full((1,), float(bins[..., 0].numel()), device=bins.device)
        return torch.cat([rows, bins.sum(dim=(0, 1)).float()])

    def value(self, totals: Tensor, counts: Tensor) -> Tensor:
        return (totals / torch.where(counts > 0, counts, torch.ones_like(counts))).sum()

    def truth(self, targets: Targets, size: tuple[int, int]) -> tuple[Tensor, ...]:
        """Both bins are sure whether they hold the angle of the nearest centre."""
        held, residuals = targets[self.bins].float(), targets[self.residuals].float()
        present = SURE * (2 * held - 1)
        bins = torch.stack([-present, present, residuals.sin(), residuals.cos()], dim=2)
        return (spread(bins.flatten(1), targets[self.mask], targets[self.index], size),)
