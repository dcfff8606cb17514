"""A small residual U-Net: the backbone to learn from random weights within minutes on a CPU."""

from __future__ import annotations

from itertools import repeat
from operator import add

from torch import Tensor, nn

from centernet.models.networks.backbone import Backbone, Stem, added, init_kaiming
from centernet.models.networks.necks.fpn import top_down
from centernet.models.networks.necks.parts import lateral

WIDTHS = (32, 64, 128, 256)  # of the trunk at strides 4, 8, 16 and 32


class UNet(Backbone):
    """An encoder of residual blocks and a decoder that adds each of its maps back in.

    The shape is that of Ronneberger et al. (2015), the blocks are those of ResNet-18 (He et al.,
    2016), and the way down is that of `necks/fpn.py` with its parts kept from fine to coarse. All
    convolutions are dense ones of few channels, which CPUs run near their peak, and the short way
    from input to output lets it learn small data sets from nothing, where a ResNet without skip
    connections does not. There are no ImageNet weights of it: use `--weights none`.
    """

    channels = 64
    head_conv = 32
    stem_shape = Stem(WIDTHS[0], 4)

    def __init__(self) -> None:
        super().__init__()
        self.stem = nn.Sequential(
            *_step(3, WIDTHS[0] // 2, 3, 2), *_step(WIDTHS[0] // 2, WIDTHS[0], 3, 2)
        )
        ins = (WIDTHS[0], *WIDTHS)
        self.downs = nn.ModuleList(_residual(a, b) for a, b in zip(ins, WIDTHS, strict=False))
        self.laterals = nn.ModuleList(lateral(width, self.channels) for width in WIDTHS)
        self.smooths = nn.ModuleList(
            nn.Sequential(*_step(self.channels, self.channels, 3)) for _ in WIDTHS[:-1]
        )
        self.up = nn.Upsample(scale_factor=2)
        init_kaiming(self)

    def forward(self, x: Tensor, beside: Tensor | None = None) -> list[Tensor]:
        """(B, 3, H, W) -> [(B, 64, H/4, W/4)]."""
        maps = []
        x = added(self.stem(x), beside)
        for down in self.downs:
            x = down(x)
            maps.append(x)
        laterals, smooths = [*self.laterals][::-1], [*self.smooths][::-1]
        return top_down(maps[::-1], laterals, repeat(self.up), repeat(add), smooths)[-1:]


def _step(width: int, new_width: int, kernel: int, stride: int = 1) -> tuple[nn.Module, ...]:
    """Convolution, BN, ReLU."""
    conv = nn.Conv2d(width, new_width, kernel, stride, kernel // 2, bias=False)
    return conv, nn.BatchNorm2d(new_width), nn.ReLU(inplace=True)


def _residual(width: int, new_width: int) -> nn.Module:
    """A residual block; one that changes the width halves the map."""
    from torchvision.models.resnet import BasicBlock  # slow to import: not to list names

    if width == new_width:
        return BasicBlock(width, new_width)
    shortcut = nn.Sequential(
        nn.Conv2d(width, new_width, 1, 2, bias=False), nn.BatchNorm2d(new_width)
    )
    return BasicBlock(width, new_width, 2, shortcut)
