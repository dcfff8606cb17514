"""Feature pyramids: from coarse to fine (FPN), and back again (PAN)."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence

from torch import Tensor, nn

from centernet.models.networks.necks.neck import Neck, NeckOptions, uniform
from centernet.models.networks.necks.parts import Skip, convolution, upsampling


def top_down(
    maps: Sequence[Tensor],
    laterals: Iterable[nn.Module],
    ups: Iterable[nn.Module],
    skips: Iterable[Callable[[Tensor, Tensor], Tensor]],
    smooths: Iterable[nn.Module],
) -> list[Tensor]:
    """The way down a pyramid: that of FPN, and of networks which have its parts under other keys.

    `maps` go from coarse to fine, (B, widths[i], H, W) with H and W twice those of the one before;
    `laterals` bring each to its width, and of a step `ups` doubles the coarser map, `skips` joins
    the finer and the doubled one, `smooths` ends it. Returns a map a level, the coarsest first.
    """
    sides = [lateral(x) for lateral, x in zip(laterals, maps, strict=True)]
    levels = sides[:1]
    for side, up, skip, smooth in zip(sides[1:], ups, skips, smooths, strict=False):
        levels.append(smooth(skip(side, up(levels[-1]))))
    return levels


class FPN(Neck):
    """Lin et al., "Feature Pyramid Networks", CVPR 2017, read at its finest level.

    A step doubles the coarser map, fuses it with the trunk's own map of that size and smooths the
    result. Modules are counted from coarse to fine.
    """

    usual = NeckOptions((128,), "nearest", "normal", "sum")

    def __init__(
        self, widths: Sequence[int], strides: Sequence[int], options: NeckOptions, stride: int
    ) -> None:
        super().__init__(widths, strides, options, stride)
        kinds = self.options
        coarse = self.widths[::-1]
        laterals = [nn.Conv2d(coarse[0], self.each[0], 1)]
        ups, skips, smooths = [], [], []
        for step, width in enumerate(self.each):
            following = self.each[min(step + 1, self.steps - 1)]
            laterals.append(nn.Conv2d(coarse[step + 1], width, 1))
            ups.append(upsampling(width, kinds.upsample, kinds.kernel))
            skips.append(Skip(kinds.fusion))
            twice = 2 if kinds.fusion == "concat" else 1
            smooths.append(convolution(width * twice, following, kinds.conv))
        self.laterals, self.smooths = nn.ModuleList(laterals), nn.ModuleList(smooths)
        self.ups, self.skips = nn.ModuleList(ups), nn.ModuleList(skips)

    def levels(self, maps: Sequence[Tensor]) -> list[Tensor]:
        """The maps of the pyramid from coarse to fine, the coarsest first."""
        coarse = list(self.maps(maps))[::-1]
        return top_down(coarse, self.laterals, self.ups, self.skips, self.smooths)

    def forward(self, maps: Sequence[Tensor]) -> Tensor:
        """The trunk's maps -> (B, channels, H/stride, W/stride)."""
        return self.levels(maps)[-1]


class PAN(FPN):
    """Liu et al., "Path Aggregation Network", CVPR 2018: a pyramid, and a way back up.

    The way back starts at the finest level that the trunk has from stride 4 on, so at stride 4 this
    is an FPN; with --down_ratio 8 or 16 finer levels reach the map too.
    """

    usual = NeckOptions((128,), "nearest", "normal", "sum")

    def __init__(
        self, widths: Sequence[int], strides: Sequence[int], options: NeckOptions, stride: int
    ) -> None:
        finest = min([s for s in strides if s >= 4], default=4)
        super().__init__(widths, strides, options, min(finest, stride))
        uniform(self.options, "PAN")
        width, kinds = self.channels, self.options
        self.climbs = 0
        while self.stride << self.climbs < stride:
            self.climbs += 1
        twice = 2 if kinds.fusion == "concat" else 1
        self.downs = nn.ModuleList(halving(width) for _ in range(self.climbs))
        self.joins = nn.ModuleList(Skip(kinds.fusion) for _ in range(self.climbs))
        self.outputs = nn.ModuleList(
            convolution(width * twice, width, kinds.conv) for _ in range(self.climbs)
        )
        self.stride = stride

    def forward(self, maps: Sequence[Tensor]) -> Tensor:
        """The trunk's maps -> (B, channels, H/stride, W/stride)."""
        levels = self.levels(maps)[::-1]
        x = levels[0]
        for step in range(self.climbs):
            x = self.outputs[step](self.joins[step](levels[step + 1], self.downs[step](x)))
        return x


def halving(width: int) -> nn.Sequential:
    """3x3 convolution of stride 2, BN, ReLU."""
    return nn.Sequential(
        nn.Conv2d(width, width, 3, 2, 1, bias=False), nn.BatchNorm2d(width), nn.ReLU(inplace=True)
    )
