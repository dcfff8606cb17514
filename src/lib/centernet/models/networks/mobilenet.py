"""MobileNetV3 (Howard et al., 2019) with a small feature pyramid: the light backbone for CPUs."""

from __future__ import annotations

from torch import Tensor, nn

from centernet.models.networks.backbone import Backbone, Pretrained, init_kaiming

# The last block of torchvision's `features` at strides 4, 8 and 16, and its width.
TAPS = {3: 24, 6: 40, 12: 112}
WIDTH = 64


class MobileNet(Backbone):
    """torchvision's mobilenet_v3_large, then three upsampling steps of 64 channels.

    A step doubles the size of the coarse map, adds the trunk's own map of that size and smooths
    the sum (feature pyramid: Lin et al., 2017). No deformable convolution, so it exports anywhere.
    The trunk has torchvision's modules and keys, so its ImageNet weights fit as they are.
    """

    channels = WIDTH

    def __init__(self) -> None:
        import torchvision  # slow to import, and a list of names does not need it

        super().__init__()
        trunk = torchvision.models.mobilenet_v3_large(weights=None)
        self.features = trunk.features
        self.reduce = lateral(trunk.features[-1].out_channels)
        self.laterals = nn.ModuleList(lateral(width) for width in reversed(TAPS.values()))
        self.smooths = nn.ModuleList(separable() for _ in TAPS)
        self.up = nn.Upsample(scale_factor=2)
        for module in (self.reduce, self.laterals, self.smooths):
            init_kaiming(module)
        weights = torchvision.models.MobileNet_V3_Large_Weights.IMAGENET1K_V1
        self.pretrained = Pretrained(weights.url, ("features.",), ignored=("classifier.",))

    def forward(self, x: Tensor) -> list[Tensor]:
        """(B, 3, H, W) -> [(B, 64, H/4, W/4)]."""
        taps = []
        for index, layer in enumerate(self.features):
            x = layer(x)
            if index in TAPS:
                taps.append(x)
        x = self.reduce(x)
        for tap, side, smooth in zip(reversed(taps), self.laterals, self.smooths, strict=True):
            x = smooth(self.up(x) + side(tap))
        return [x]


def lateral(width: int) -> nn.Sequential:
    """1x1 convolution to the common width, and BN."""
    return nn.Sequential(nn.Conv2d(width, WIDTH, 1, bias=False), nn.BatchNorm2d(WIDTH))


def separable() -> nn.Sequential:
    """Depthwise 3x3, then 1x1 convolution, each with BN and ReLU: 3x3 at an eighth of the work."""
    return nn.Sequential(
        nn.Conv2d(WIDTH, WIDTH, 3, padding=1, groups=WIDTH, bias=False),
        nn.BatchNorm2d(WIDTH),
        nn.ReLU(inplace=True),
        nn.Conv2d(WIDTH, WIDTH, 1, bias=False),
        nn.BatchNorm2d(WIDTH),
        nn.ReLU(inplace=True),
    )
