"""Heat maps as lists of their gaussians, which travel lighter and are drawn where they are needed.

A spot is four whole numbers: channel (below 0: no spot), x, y and radius in map pixels. A list of N
spots stands for a heat map under its name and SUFFIX: 16 N bytes in place of a map of megabytes.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from centernet.heads.targets import EPSILON

SUFFIX = "_spots"


def no_spots(rows: int) -> NDArray[np.int32]:
    """(rows, 4) with no spot in any row."""
    return np.full((rows, 4), -1, np.int32)


def draw_spots(spots: Tensor, shape: tuple[int, int, int], device: torch.device) -> Tensor:
    """The heat maps (B, C, h, w) float32 of `shape` (C, h, w) on `device` for spots (B, N, 4).

    What `targets.draw_gaussian` would draw: exponentials in double precision, the highest wins,
    whatever the order. Spots on the CPU are counted without waiting for the device.
    """
    channels, height, width = shape
    images = torch.arange(len(spots), device=spots.device).repeat_interleave(spots.shape[1])
    flat = spots.flatten(0, 1).long()
    there = flat[:, 0] >= 0
    channel, x, y, radius = flat[there].unbind(1)
    left, top = (x - radius).clamp(min=0), (y - radius).clamp(min=0)
    wide = (x + radius + 1).clamp(max=width) - left
    high = (y + radius + 1).clamp(max=height) - top
    pixels = wide * high
    total = int(pixels.sum())
    plane = images[there] * channels + channel
    facts = torch.stack([plane, x, y, radius, left, top, wide, pixels.cumsum(0) - pixels])
    facts, pixels = facts.to(device, non_blocking=True), pixels.to(device, non_blocking=True)
    facts = facts.repeat_interleave(pixels, dim=1, output_size=total)
    plane, x, y, radius, left, top, wide, first = facts.unbind(0)
    rank = torch.arange(total, device=device) - first
    column, row = left + rank % wide, top + rank.div(wide, rounding_mode="floor")
    sigma = (2 * radius + 1).double() / 6
    value = torch.exp(-((column - x) ** 2 + (row - y) ** 2) / (2 * sigma * sigma))
    value = torch.where(value < EPSILON, 0.0, value).float()
    heat = torch.zeros(len(spots) * channels * height * width, device=device)
    heat.scatter_reduce_(0, (plane * height + row) * width + column, value, "amax")
    return heat.view(len(spots), channels, height, width)


def drawn(
    targets: Mapping[str, Any],
    channels: Mapping[str, int],
    size: tuple[int, int],
    device: torch.device,
) -> dict[str, Any]:
    """`targets` of a batch with every list of spots drawn as a map of `size` (h, w).

    `channels` says how many a map of each name has.
    """
    done: dict[str, Any] = {}
    for name, value in targets.items():
        if name.endswith(SUFFIX):
            name = name.removesuffix(SUFFIX)
            value = draw_spots(value, (channels[name], *size), device)
        done[name] = value
    return done
