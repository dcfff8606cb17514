"""Reading maps: local maxima, the K best of them, values at their places, and mirrored maps.

Pure tensor code without data-dependent shapes, so that it exports; on the CPU a compiled scan finds
the same peaks. Maps are (B, C, H, W); an index is y * W + x.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import NamedTuple

import torch
import torch.nn.functional as F
from numpy.typing import NDArray
from torch import Tensor

from centernet.heads.peak_scan import Found, scan
from centernet.runtime.exporting import at_most


class Peaks(NamedTuple):
    """The K highest peaks of every image, best first; each field is (B, K)."""

    scores: Tensor
    index: Tensor  # type: ignore[assignment]  # int64, y * W + x; hides tuple.index
    classes: Tensor  # int64, the channel
    y: Tensor  # float32, whole pixels
    x: Tensor

    def of_each(self, channels: int) -> Peaks:
        """Peaks (B * C, K) of maps (B * C, 1, H, W) as those (B, C, K) of every channel."""
        scores, index, _, y, x = (field.unflatten(0, (-1, channels)) for field in self)
        classes = torch.arange(channels, device=index.device).view(1, -1, 1).expand_as(index)
        return Peaks(scores, index, classes, y, x)


def local_maxima(heat: Tensor, kernel: int = 3) -> Tensor:
    """`heat` where it is the maximum of its `kernel` x `kernel` surroundings, 0 elsewhere."""
    highest = F.max_pool2d(heat, kernel, stride=1, padding=(kernel - 1) // 2)
    return heat * (highest == heat).to(heat.dtype)


def best_peaks(heat: Tensor, k: int, kernel: int = 3) -> Peaks:
    """The `k` highest of the local maxima of `heat`, over all classes: `top_k` of `local_maxima`.

    Of equal ones a scan on the CPU puts those of the lower class, then place, first; which are
    found is never its choice, but `top_k`'s.
    """
    found = scanned(scan, heat, k, kernel)
    return top_k(local_maxima(heat, kernel), k) if found is None else found


def best_peaks_of_each(heat: Tensor, k: int, kernel: int = 3) -> Peaks:
    """The `k` highest local maxima of every channel; fields are (B, C, K)."""
    batch, channels, height, width = heat.shape
    found = scanned(scan, heat.reshape(batch * channels, 1, height, width), k, kernel)
    if found is None:
        return top_k_of_each(local_maxima(heat, kernel), k)
    return found.of_each(channels)


def scanned(
    method: Callable[[NDArray, int, int], Found | None], heat: Tensor, k: int, kernel: int
) -> Peaks | None:
    """Peaks by a compiled scan of `heat` (B, C, H, W), where it can be used and finds them."""
    tracing = torch.compiler.is_compiling() or torch.jit.is_tracing()
    if tracing or heat.device.type != "cpu" or heat.dtype != torch.float32 or heat.requires_grad:
        return None
    found = method(heat.numpy(), min(k, heat[0].numel()), kernel // 2)
    if found is None:
        return None
    scores, flat = (torch.from_numpy(field) for field in found)
    return _peaks(scores, flat, heat.shape[2], heat.shape[3])


def top_k(heat: Tensor, k: int) -> Peaks:
    """The `k` largest values over all classes, or all of them when the map has fewer.

    The order of equal values is not defined.
    """
    _, channels, height, width = heat.shape
    scores, flat = heat.flatten(1).topk(at_most(k, channels * height * width))
    return _peaks(scores, flat, height, width)


def _peaks(scores: Tensor, flat: Tensor, height: int, width: int) -> Peaks:
    """Peaks at places (c * height + y) * width + x."""
    area = height * width
    classes = flat // area
    index = flat - classes * area  # written out: the exporter cannot convert % by a symbol
    y = index // width
    return Peaks(scores, index, classes, y.float(), (index - y * width).float())


def top_k_of_each(heat: Tensor, k: int) -> Peaks:
    """The `k` largest values of every channel; fields are (B, C, K)."""
    _, channels, height, width = heat.shape
    scores, index = heat.flatten(2).topk(at_most(k, height * width))
    y = index // width
    classes = torch.arange(channels, device=heat.device).view(1, -1, 1).expand_as(index)
    return Peaks(scores, index, classes, y.float(), (index - y * width).float())


def top_k_by_class(heat: Tensor, k: int) -> Peaks:
    """As `top_k`, but taken in each class first and then of all.

    So the published grouping of extreme points cuts: what it puts together depends on which of
    equal values survive.
    """
    each = Peaks(*(field.flatten(1) for field in top_k_of_each(heat, k)))
    scores, order = each.scores.topk(min(k, each.scores.shape[1]))
    return Peaks(scores, *(field.gather(1, order) for field in each[1:]))


def gather(maps: Tensor, index: Tensor) -> Tensor:
    """Values of `maps` (B, C, H, W) at `index` (B, K): (B, K, C)."""
    wanted = index.unsqueeze(1).expand(-1, maps.shape[1], -1)  # (B, C, K)
    return maps.flatten(2).gather(2, wanted).transpose(1, 2)


def mirror(maps: Tensor) -> Tensor:
    """Left and right exchanged."""
    return maps.flip(-1)


def mirror_channels(maps: Tensor, pairs: Sequence[tuple[int, int]]) -> Tensor:
    """Left and right exchanged, the channels of each pair too (heat maps of joints)."""
    return maps.index_select(1, _swapped(maps, maps.shape[1], pairs)).flip(-1)


def mirror_vectors(maps: Tensor, pairs: Sequence[tuple[int, int]]) -> Tensor:
    """As `mirror_channels` for J vectors (x, y) in 2 J channels, whose x changes its sign."""
    batch, channels, height, width = maps.shape
    order = _swapped(maps, channels // 2, pairs)
    vectors = maps.view(batch, channels // 2, 2, height, width).index_select(1, order)
    sign = torch.tensor([-1.0, 1.0], device=maps.device, dtype=maps.dtype).view(1, 1, 2, 1, 1)
    return (vectors * sign).reshape(batch, channels, height, width).flip(-1)


def _swapped(maps: Tensor, count: int, pairs: Sequence[tuple[int, int]]) -> Tensor:
    order = list(range(count))
    for a, b in pairs:
        order[a], order[b] = b, a
    return torch.tensor(order, device=maps.device)
