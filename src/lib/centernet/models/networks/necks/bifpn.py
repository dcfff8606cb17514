"""BiFPN (Tan et al., "EfficientDet", CVPR 2020): down and up the pyramid, several times."""

from __future__ import annotations

from collections.abc import Sequence

from torch import Tensor, nn

from centernet.models.networks.necks.neck import Neck, NeckOptions, uniform
from centernet.models.networks.necks.parts import Fusion, convolution, halved, upsampling


class Fused(nn.Module):
    """Maps of one size and width, fused and smoothed."""

    def __init__(self, count: int, width: int, options: NeckOptions) -> None:
        super().__init__()
        self.fuse = Fusion(count, options.fusion)
        many = count if options.fusion == "concat" else 1
        self.output = convolution(width * many, width, options.conv)

    def forward(self, *maps: Tensor) -> Tensor:
        """`count` maps (B, width, H, W) -> (B, width, H, W)."""
        return self.output(self.fuse(maps))


class Layer(nn.Module):
    """Once from coarse to fine and, unless it is the `last`, once back."""

    def __init__(self, steps: int, width: int, options: NeckOptions, last: bool) -> None:
        super().__init__()
        self.downsample = options.downsample
        self.ups = nn.ModuleList(
            upsampling(width, options.upsample, options.kernel) for _ in range(steps)
        )
        self.down = nn.ModuleList(Fused(2, width, options) for _ in range(steps))
        counts = [] if last else [3] * (steps - 1) + [2]
        self.climb = nn.ModuleList(Fused(count, width, options) for count in counts)

    def forward(self, maps: list[Tensor]) -> list[Tensor]:
        """Maps from coarse to fine -> new ones of the same sizes; after the last, the finest."""
        down = [maps[0]]
        for step, node in enumerate(self.down):
            down.append(node(maps[step + 1], self.ups[step](down[-1])))
        out = [down[-1]]
        for step, node in enumerate(self.climb):
            level = len(maps) - 2 - step  # counted from coarse to fine
            lower = halved(out[0], self.downsample)
            middle = () if level == 0 else (down[level],)
            out.insert(0, node(maps[level], *middle, lower))
        return out


class BiFPN(Neck):
    """`layers` times down and up; the last time only down, for its finest map is the result."""

    usual = NeckOptions((64,), "nearest", "normal", "weighted", layers=3)

    def __init__(
        self, widths: Sequence[int], strides: Sequence[int], options: NeckOptions, stride: int
    ) -> None:
        super().__init__(widths, strides, options, stride)
        uniform(self.options, "BiFPN")
        self.project = nn.ModuleList(nn.Conv2d(w, self.channels, 1) for w in self.widths)
        count = self.options.layers
        self.layers = nn.ModuleList(
            Layer(self.steps, self.channels, self.options, last=index == count - 1)
            for index in range(count)
        )

    def forward(self, maps: Sequence[Tensor]) -> Tensor:
        """The trunk's maps -> (B, channels, H/stride, W/stride)."""
        sides = [side(x) for side, x in zip(self.project, self.maps(maps), strict=True)][::-1]
        for layer in self.layers:
            sides = layer(sides)
        return sides[-1]
