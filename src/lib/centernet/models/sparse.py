"""Maps that are computed only where somebody looks.

A detector reads its regression maps at some hundred peaks of sixteen thousand places. A head of one
convolution and pointwise layers gives the value of any one place from the features around it, so
that there is nothing else to compute; the values are those of the whole map, to rounding.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from centernet.models.networks.hourglass import Convolution

# Gathering the surroundings of a place costs more than passing by it: from here on all is computed.
MANY = 0.5  # of the places of a map

# torch.sigmoid takes so many values at once; a rest below that it rounds in another way.
WHOLE = 32

Change = Callable[[Tensor], Tensor]


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


def surroundings(feature: Tensor, index: Tensor, size: tuple[int, int]) -> Tensor:
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
    """The map that `head` makes of `feature` (B, C, H, W), not yet computed anywhere.

    `change` is done to its float32 values (B, channels, K, 1), place by place.
    """

    feature: Tensor
    head: PointHead
    change: Change | None = None

    @property
    def shape(self) -> torch.Size:
        """(B, channels, H, W) of the whole map."""
        convs = [m for m in (self.head.first, *self.head.rest) if isinstance(m, nn.Conv2d)]
        batch, _, *size = self.feature.shape
        return torch.Size([batch, convs[-1].out_channels, *size])

    def at(self, index: Tensor) -> Tensor:
        """Values (B, channels, K, 1) at `index` (B, K) = y * W + x."""
        height, width = self.feature.shape[2:]
        if index.shape[1] > MANY * height * width:
            maps = self.head.whole(self.feature).flatten(2)
            wanted = index.unsqueeze(1).expand(-1, maps.shape[1], -1)
            values = maps.gather(2, wanted).unsqueeze(3)
        else:
            values = self.head.at(self.feature, index)
        return values.float() if self.change is None else self.change(values.float())

    def activated(self, change: Change | None) -> SparseMap:
        """The same with `change` done to its values."""
        return replace(self, change=change)

    def chunk(self, parts: int) -> list[SparseMap]:
        """As Tensor.chunk along the batch."""
        return [replace(self, feature=part) for part in self.feature.chunk(parts)]


@dataclass(frozen=True)
class MeanOfTwins:
    """The mean of the map of an image and that of its mirror image, brought back by `flip`.

    `flip` mirrors the last dimension and may exchange channels and signs; values of one place are
    columns of a map one wide, on which it does the latter alone.
    """

    upright: SparseMap
    mirrored: SparseMap
    flip: Change

    @property
    def shape(self) -> torch.Size:
        """(B, channels, H, W) of the whole map."""
        return self.upright.shape

    def at(self, index: Tensor) -> Tensor:
        """Values (B, channels, K, 1) at `index` (B, K) = y * W + x."""
        width = self.shape[3]
        across = index + (width - 1 - 2 * (index % width))
        return (self.upright.at(index) + self.flip(self.mirrored.at(across))) / 2


@dataclass(frozen=True)
class Logits:
    """A heat map (B, C, H, W) before its sigmoid, for those who read few places of it."""

    raw: Tensor

    @property
    def shape(self) -> torch.Size:
        """That of the map."""
        return self.raw.shape

    def whole(self) -> Tensor:
        """The map itself."""
        return torch.sigmoid(self.raw)

    def at(self, index: Tensor) -> Tensor:
        """Values (B, C, K) at `index` (B, C, K) = y * W + x, rounded as those of the whole map."""
        if self.raw.numel() % WHOLE:
            return self.whole().flatten(2).gather(2, index)
        raw = self.raw.flatten(2).gather(2, index)
        padded = F.pad(raw.flatten(), (0, -raw.numel() % WHOLE))
        return torch.sigmoid(padded)[: raw.numel()].view_as(raw)
