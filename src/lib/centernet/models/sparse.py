"""Maps that are computed only where somebody looks.

A detector reads its regression maps at some hundred peaks of sixteen thousand places. A head of one
convolution and pointwise layers gives the value of any one place from the features around it, so
that there is nothing else to compute; the values are those of the whole map, to rounding.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from centernet.models.networks.hourglass import Convolution

# Gathering the surroundings of a place costs more than passing by it: from here on all is computed.
MANY = 0.5  # of the places of a map


@dataclass(frozen=True)
class PointHead:
    """A head as a convolution that keeps the size, and layers that see one place at a time."""

    first: nn.Conv2d
    rest: nn.Sequential

    @staticmethod
    def of(head: nn.Module) -> PointHead | None:
        """`head` in this form, or None where it has another."""
        first, *rest = layers(head)
        pointwise = all(isinstance(layer, nn.ReLU) or _is_pointwise(layer) for layer in rest)
        if pointwise and isinstance(first, nn.Conv2d) and _keeps_size(first):
            return PointHead(first, nn.Sequential(*rest))
        return None

    def whole(self, feature: Tensor) -> Tensor:
        """The map (B, channels, H, W) of `feature` (B, C, H, W)."""
        return self.rest(self.first(feature))

    def at(self, feature: Tensor, index: Tensor) -> Tensor:
        """Values (B, channels, K, 1) of the map at `index` (B, K) = y * W + x."""
        weight = self.first.weight.permute(0, 2, 3, 1).flatten(1)  # a view when channels last
        seen = surroundings(feature, index, self.first.kernel_size)
        hidden = F.linear(seen, weight, self.first.bias)
        return self.rest(hidden.transpose(1, 2).unsqueeze(3))


def layers(head: nn.Module) -> list[nn.Module]:
    """The layers of `head` in the order they run, without those that do nothing."""
    if isinstance(head, nn.Sequential | Convolution):
        return [layer for part in head.children() for layer in layers(part)]
    return [] if isinstance(head, nn.Identity) else [head]


def _keeps_size(conv: nn.Conv2d) -> bool:
    middle = tuple(side // 2 for side in conv.kernel_size)
    odd = all(side % 2 for side in conv.kernel_size)
    plain = conv.groups == 1 and conv.padding_mode == "zeros"
    return odd and plain and _single_steps(conv) and conv.padding == middle


def _is_pointwise(layer: nn.Module) -> bool:
    if not isinstance(layer, nn.Conv2d):
        return False
    return layer.kernel_size == (1, 1) and layer.padding == (0, 0) and _single_steps(layer)


def _single_steps(conv: nn.Conv2d) -> bool:
    return conv.stride == conv.dilation == (1, 1)


def surroundings(feature: Tensor, index: Tensor, size: Sequence[int]) -> Tensor:
    """(B, K, size * C): the values of `feature` around `index`, taps outside, 0 off the map."""
    batch, _, height, width = feature.shape
    rows = feature.permute(0, 2, 3, 1).flatten(0, 2)  # a view when channels last
    down, right = (torch.arange(n, device=index.device) - n // 2 for n in size)
    y = (index // width).unsqueeze(2) + down.repeat_interleave(size[1])  # (B, K, taps)
    x = (index % width).unsqueeze(2) + right.repeat(size[0])
    inside = (x >= 0) & (x < width) & (y >= 0) & (y < height)
    image = torch.arange(batch, device=index.device).view(-1, 1, 1)
    place = (image * height + y.clamp(0, height - 1)) * width + x.clamp(0, width - 1)
    seen = rows.index_select(0, place.flatten()) * inside.view(-1, 1)
    return seen.view(batch, index.shape[1], -1)


@dataclass(frozen=True)
class SparseMap:
    """The raw map that `head` makes of `feature` (B, C, H, W), not yet computed anywhere."""

    feature: Tensor
    head: PointHead

    @property
    def shape(self) -> torch.Size:
        """(B, channels, H, W) of the whole map."""
        convs = [m for m in (self.head.first, *self.head.rest) if isinstance(m, nn.Conv2d)]
        batch, _, *size = self.feature.shape
        return torch.Size([batch, convs[-1].out_channels, *size])

    def whole(self) -> Tensor:
        """The map itself, float32."""
        return self.head.whole(self.feature).float()

    def at(self, index: Tensor) -> Tensor:
        """Float32 values (B, channels, K, 1) at `index` (B, K) = y * W + x."""
        height, width = self.feature.shape[2:]
        if index.shape[1] > MANY * height * width:
            maps = self.whole().flatten(2)
            return maps.gather(2, index.unsqueeze(1).expand(-1, maps.shape[1], -1)).unsqueeze(3)
        return self.head.at(self.feature, index).float()

    def halves(self) -> tuple[SparseMap, SparseMap]:
        """Those of the first and of the second half of the batch."""
        middle = self.feature.shape[0] // 2
        first, second = self.feature[:middle], self.feature[middle:]
        return replace(self, feature=first), replace(self, feature=second)
