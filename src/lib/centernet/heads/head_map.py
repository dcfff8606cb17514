"""What decoding reads: the map of one head, which answers the same questions however it is kept.

A map may be there whole, be computed only where somebody looks, stand as logits, or be the mean
of an image's and its mirror image's. Decoding asks for the values at places and for the best peaks,
and cannot tell. Maps are (B, C, H, W), activated; an index is y * W + x.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Protocol

import torch
import torch.nn.functional as F
from torch import Tensor

from centernet.heads.peak_scan import WHOLE, scan_logits
from centernet.heads.peaks import Peaks, best_peaks, best_peaks_of_each, gather, scanned

Change = Callable[[Tensor], Tensor]


class HeadMap(ABC):
    """The map of one head, as `Task.decode` sees it."""

    @property
    @abstractmethod
    def shape(self) -> torch.Size:
        """(B, C, H, W)."""

    @abstractmethod
    def whole(self) -> Tensor:
        """All of it, (B, C, H, W)."""

    @abstractmethod
    def halves(self) -> tuple[HeadMap, HeadMap]:
        """The first and the second half of the batch."""

    def at(self, index: Tensor) -> Tensor:
        """Values (B, K, C) at `index` (B, K)."""
        return gather(self.whole(), index)

    def at_each(self, index: Tensor) -> Tensor:
        """Values (B, C, K) of every channel at places of its own: `index` (B, C, K)."""
        return self.whole().flatten(2).gather(2, index)

    def peaks(self, k: int, kernel: int = 3) -> Peaks:
        """The `k` highest local maxima over all channels; fields are (B, K)."""
        return best_peaks(self.whole(), k, kernel)

    def peaks_of_each(self, k: int, kernel: int = 3) -> Peaks:
        """The `k` highest local maxima of every channel; fields are (B, C, K)."""
        return best_peaks_of_each(self.whole(), k, kernel)

    def flip_averaged(self, flip: Change | None) -> HeadMap:
        """The map of [images, mirrored images] as that of the images.

        `flip` brings a mirrored map back, and the mean is taken; without it the images' own stands.
        """
        upright, mirrored = self.halves()
        if flip is None:
            return upright
        return Dense((upright.whole() + flip(mirrored.whole())) / 2)


Maps = dict[str, HeadMap]


@dataclass(frozen=True, eq=False)
class Dense(HeadMap):
    """A map that is there."""

    values: Tensor

    @property
    def shape(self) -> torch.Size:
        return self.values.shape

    def whole(self) -> Tensor:
        return self.values

    def halves(self) -> tuple[Dense, Dense]:
        middle = self.shape[0] // 2
        return Dense(self.values[:middle]), Dense(self.values[middle:])


@dataclass(frozen=True, eq=False)
class Logits(HeadMap):
    """A map whose activation is the sigmoid, before it: few sigmoids do for its best peaks."""

    raw: Tensor  # float32

    @property
    def shape(self) -> torch.Size:
        return self.raw.shape

    def whole(self) -> Tensor:
        return torch.sigmoid(self.raw)

    def halves(self) -> tuple[Logits, Logits]:
        middle = self.shape[0] // 2
        return Logits(self.raw[:middle]), Logits(self.raw[middle:])

    def at(self, index: Tensor) -> Tensor:
        """As of the whole map, rounded as its values are."""
        channels = self.shape[1]
        return self.at_each(index.unsqueeze(1).expand(-1, channels, -1)).transpose(1, 2)

    def at_each(self, index: Tensor) -> Tensor:
        """As of the whole map, rounded as its values are."""
        if self.raw.numel() % WHOLE:
            return super().at_each(index)
        raw = self.raw.flatten(2).gather(2, index)
        padded = F.pad(raw.flatten(), (0, -raw.numel() % WHOLE))
        return torch.sigmoid(padded)[: raw.numel()].view_as(raw)

    def peaks(self, k: int, kernel: int = 3) -> Peaks:
        """Those of the whole map, to the bit."""
        found = scanned(scan_logits, self.raw, k, kernel)
        return super().peaks(k, kernel) if found is None else found

    def peaks_of_each(self, k: int, kernel: int = 3) -> Peaks:
        """Those of the whole map, to the bit."""
        batch, channels, height, width = self.shape
        apart = self.raw.reshape(batch * channels, 1, height, width)
        found = scanned(scan_logits, apart, k, kernel)
        return super().peaks_of_each(k, kernel) if found is None else found.of_each(channels)


class PutOff(Protocol):
    """A raw map that a network has not computed anywhere yet (`models/sparse.py`)."""

    @property
    def shape(self) -> torch.Size: ...

    def at(self, index: Tensor) -> Tensor:
        """Float32 values (B, C, K, 1) at `index` (B, K)."""
        ...

    def whole(self) -> Tensor:
        """The raw map (B, C, H, W), float32."""
        ...

    def halves(self) -> tuple[PutOff, PutOff]:
        """The first and the second half of the batch."""
        ...


@dataclass(frozen=True, eq=False)
class Lazy(HeadMap):
    """A map that is computed where somebody looks; `change`, pointwise, is its activation."""

    source: PutOff
    change: Change | None = None

    @property
    def shape(self) -> torch.Size:
        return self.source.shape

    def whole(self) -> Tensor:
        raw = self.source.whole()
        return raw if self.change is None else self.change(raw)

    def halves(self) -> tuple[Lazy, Lazy]:
        first, second = self.source.halves()
        return Lazy(first, self.change), Lazy(second, self.change)

    def column(self, index: Tensor) -> Tensor:
        """Values at `index` (B, K) as a map (B, C, K, 1)."""
        raw = self.source.at(index)
        return raw if self.change is None else self.change(raw)

    def at(self, index: Tensor) -> Tensor:
        return self.column(index).squeeze(3).transpose(1, 2)

    def flip_averaged(self, flip: Change | None) -> HeadMap:
        upright, mirrored = self.halves()
        return upright if flip is None else FlipAverage(upright, mirrored, flip)


@dataclass(frozen=True, eq=False)
class FlipAverage(HeadMap):
    """The mean of the lazy maps of an image and of its mirror image, which `flip` brings back.

    `flip` mirrors the last dimension and may permute channels and change signs; values of one place
    are columns of a map one wide, on which it does the latter alone.
    """

    upright: Lazy
    mirrored: Lazy
    flip: Change

    @property
    def shape(self) -> torch.Size:
        return self.upright.shape

    def whole(self) -> Tensor:
        return (self.upright.whole() + self.flip(self.mirrored.whole())) / 2

    def halves(self) -> tuple[FlipAverage, FlipAverage]:
        parts = zip(self.upright.halves(), self.mirrored.halves(), strict=True)
        first, second = (FlipAverage(a, b, self.flip) for a, b in parts)
        return first, second

    def at(self, index: Tensor) -> Tensor:
        width = self.shape[3]
        across = index + (width - 1 - 2 * (index % width))
        mean = (self.upright.column(index) + self.flip(self.mirrored.column(across))) / 2
        return mean.squeeze(3).transpose(1, 2)


def dense(maps: Mapping[str, Tensor]) -> Maps:
    """Activated maps (B, C, H, W), by head, for `Task.decode`."""
    return {name: Dense(values) for name, values in maps.items()}
