"""A small residual U-Net: the backbone to learn from random weights within minutes on a CPU."""

from __future__ import annotations

from torch import Tensor, nn

from centernet.models.networks.backbone import Backbone, init_kaiming

WIDTHS = (32, 64, 128, 256)  # of the trunk at strides 4, 8, 16 and 32


class UNet(Backbone):
    """An encoder of residual blocks and a decoder that adds each of its maps back in.

    The shape is that of Ronneberger et al. (2015), the blocks are those of ResNet-18 (He et al.,
    2016), and the skip connections are added at one width as in feature pyramids (Lin et al.,
    2017). All convolutions are dense ones of few channels, which CPUs run near their peak, and the
    short way from input to output lets it learn small data sets from nothing, where a ResNet
    without skip connections does not. There are no ImageNet weights of it: use `--weights none`.
    """

    channels = 64
    head_conv = 32

    def __init__(self) -> None:
        super().__init__()
        self.stem = nn.Sequential(
            *_step(3, WIDTHS[0] // 2, 3, 2), *_step(WIDTHS[0] // 2, WIDTHS[0], 3, 2)
        )
        ins = (WIDTHS[0], *WIDTHS)
        self.downs = nn.ModuleList(_residual(a, b) for a, b in zip(ins, WIDTHS, strict=False))
        self.laterals = nn.ModuleList(
            nn.Sequential(
                nn.Conv2d(width, self.channels, 1, bias=False), nn.BatchNorm2d(self.channels)
            )
            for width in WIDTHS
        )
        self.smooths = nn.ModuleList(
            nn.Sequential(*_step(self.channels, self.channels, 3)) for _ in WIDTHS[:-1]
        )
        self.up = nn.Upsample(scale_factor=2)
        init_kaiming(self)

    def forward(self, x: Tensor) -> list[Tensor]:
        """(B, 3, H, W) -> [(B, 64, H/4, W/4)]."""
        maps = []
        x = self.stem(x)
        for down in self.downs:
            x = down(x)
            maps.append(x)
        x = self.laterals[-1](maps[-1])
        for level in reversed(range(len(self.smooths))):
            x = self.smooths[level](self.up(x) + self.laterals[level](maps[level]))
        return [x]


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
