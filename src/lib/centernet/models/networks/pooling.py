"""Cascade corner pooling and centre pooling: what an edge shows is carried to where it counts.

Duan et al., "CenterNet: Keypoint Triplets for Object Detection", ICCV 2019, after the corner
pooling of Law and Deng, "CornerNet", ECCV 2018. Running maxima in plain tensors: their reach
doubles in each step, so that log2(size) steps of slices and comparisons do, which export anywhere.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from functools import partial

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from centernet.models.networks.hourglass import Convolution
from centernet.runtime.exporting import doublings

Pool = Callable[[Tensor], Tensor]


def running_max(x: Tensor, dim: int) -> Tensor:
    """The largest value met so far along `dim`; its gradient goes to the first of equal ones."""
    size, behind = x.shape[dim], 2 * (x.dim() - 1 - dim % x.dim())
    for reach in doublings(size):
        shift = [0] * behind + [reach, 0]
        earlier = F.pad(x, shift, value=-math.inf).narrow(dim, 0, size)
        x = _larger(earlier, x)
    return x


def _larger(earlier: Tensor, later: Tensor) -> Tensor:
    """The larger value of each place; of equal ones the earlier gets the gradient, if any does."""
    if torch.is_grad_enabled() and later.requires_grad:
        return torch.where(earlier >= later, earlier, later)
    return torch.maximum(earlier, later)  # would halve it


def top_pool(x: Tensor) -> Tensor:
    """(B, C, H, W): the largest value from each place to the bottom of its column."""
    return running_max(x.flip(2), 2).flip(2)


def bottom_pool(x: Tensor) -> Tensor:
    """(B, C, H, W): the largest value from the top of the column to each place."""
    return running_max(x, 2)


def left_pool(x: Tensor) -> Tensor:
    """(B, C, H, W): the largest value from each place to the right end of its row."""
    return running_max(x.flip(3), 3).flip(3)


def right_pool(x: Tensor) -> Tensor:
    """(B, C, H, W): the largest value from the left end of the row to each place."""
    return running_max(x, 3)


class Pooling(nn.Module):
    """Two pooled branches joined and added to the feature itself; half as wide inside.

    (B, channels, H, W) -> the same shape. A subclass says how the branches are pooled.
    """

    def __init__(self, channels: int) -> None:
        super().__init__()
        inner = max(1, channels // 2)
        self.p1_conv1 = Convolution(3, channels, inner)
        self.p2_conv1 = Convolution(3, channels, inner)
        self.p_conv1 = nn.Conv2d(inner, channels, 3, padding=1, bias=False)
        self.p_bn1 = nn.BatchNorm2d(channels)
        self.conv1 = nn.Conv2d(channels, channels, 1, bias=False)
        self.bn1 = nn.BatchNorm2d(channels)
        self.conv2 = Convolution(3, channels, channels)

    def branches(self, x: Tensor) -> tuple[Tensor, Tensor]:
        """The two pooled features (B, channels / 2, H, W)."""
        raise NotImplementedError

    def forward(self, x: Tensor) -> Tensor:
        first, second = self.branches(x)
        pooled = self.p_bn1(self.p_conv1(first + second))
        return self.conv2(torch.relu(pooled + self.bn1(self.conv1(x))))


class CornerPooling(Pooling):
    """Cascade corner pooling: along one edge, there inwards, and the other way round.

    `vertical` and `horizontal` are the pools that look from the corner down or up its column and
    along its row.
    """

    def __init__(self, channels: int, vertical: Pool, horizontal: Pool) -> None:
        super().__init__(channels)
        inner = max(1, channels // 2)
        self.vertical, self.horizontal = vertical, horizontal
        self.look_conv1 = Convolution(3, channels, inner)
        self.look_conv2 = Convolution(3, channels, inner)
        self.p1_look_conv = nn.Conv2d(inner, inner, 3, padding=1, bias=False)
        self.p2_look_conv = nn.Conv2d(inner, inner, 3, padding=1, bias=False)

    def branches(self, x: Tensor) -> tuple[Tensor, Tensor]:
        inwards = self.p1_conv1(x) + self.horizontal(self.look_conv1(x))
        downwards = self.p2_conv1(x) + self.vertical(self.look_conv2(x))
        return (
            self.vertical(self.p1_look_conv(inwards)),
            self.horizontal(self.p2_look_conv(downwards)),
        )


class CentrePooling(Pooling):
    """The largest value of the whole column, and that of the whole row, at every place."""

    def branches(self, x: Tensor) -> tuple[Tensor, Tensor]:
        column, row = self.p1_conv1(x), self.p2_conv1(x)
        return (
            top_pool(column)[:, :, :1].expand_as(column),
            left_pool(row)[:, :, :, :1].expand_as(row),
        )


POOLINGS: dict[str, Callable[[int], nn.Module]] = {  # by the name that the heads' tensors go by
    "cnvs_tl": partial(CornerPooling, vertical=top_pool, horizontal=left_pool),
    "cnvs_br": partial(CornerPooling, vertical=bottom_pool, horizontal=right_pool),
    "cnvs_ct": CentrePooling,
}
