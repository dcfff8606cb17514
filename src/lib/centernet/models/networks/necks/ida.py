"""Iterative deep aggregation (Yu et al., "Deep Layer Aggregation", CVPR 2018)."""

from __future__ import annotations

from collections.abc import Sequence

from torch import Tensor, nn

from centernet.models.networks.necks.neck import Neck, NeckOptions
from centernet.models.networks.necks.parts import Fusion, convolution, upsampling


class Node(nn.Module):
    """A finer and a coarser map, both brought to one width, the coarser doubled, fused."""

    def __init__(self, fine: int, coarse: int, width: int, options: NeckOptions) -> None:
        super().__init__()
        self.project = nn.ModuleList(projection(w, width) for w in (fine, coarse))
        self.up = upsampling(width, options.upsample, options.kernel)
        self.fuse = Fusion(2, options.fusion)
        twice = 2 if options.fusion == "concat" else 1
        self.output = convolution(width * twice, width, options.conv)

    def forward(self, fine: Tensor, coarse: Tensor) -> Tensor:
        """(B, fine, H, W), (B, coarse, H/2, W/2) -> (B, width, H, W)."""
        return self.output(self.fuse([self.project[0](fine), self.up(self.project[1](coarse))]))


def projection(width: int, new_width: int) -> nn.Module:
    """A 1x1 convolution where the width changes."""
    return nn.Identity() if width == new_width else nn.Conv2d(width, new_width, 1)


class IDA(Neck):
    """All neighbouring maps are fused again and again until one is left."""

    usual = NeckOptions((256, 128, 64), "nearest", "normal", "sum")

    def __init__(
        self, widths: Sequence[int], strides: Sequence[int], options: NeckOptions, stride: int
    ) -> None:
        if not options.channels:
            usual = tuple(64 << n for n in reversed(range(5 - stride.bit_length() + 1)))
            options = NeckOptions(**{**vars(options), "channels": usual})
        super().__init__(widths, strides, options, stride)
        coarse = self.widths[::-1]
        layers = []
        for depth in range(self.steps):
            layer = nn.ModuleList(
                Node(coarse[i + 1], coarse[i], self.each[depth + i], self.options)
                for i in range(len(coarse) - 1)
            )
            layers.append(layer)
            coarse = list(self.each[depth:])
        self.layers = nn.ModuleList(layers)

    def forward(self, maps: Sequence[Tensor]) -> Tensor:
        """The trunk's maps -> (B, channels, H/stride, W/stride)."""
        coarse = list(self.maps(maps))[::-1]
        for layer in self.layers:
            nodes = list(layer.children())
            coarse = [node(coarse[i + 1], coarse[i]) for i, node in enumerate(nodes)]
        return coarse[0]
