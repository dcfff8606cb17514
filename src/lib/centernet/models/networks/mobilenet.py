"""MobileNetV3 (Howard et al., 2019) with a small feature pyramid: the light backbone for CPUs."""

from __future__ import annotations

from itertools import repeat
from operator import add

from torch import Tensor, nn

from centernet.models.networks.backbone import Backbone, Pretrained, Stem, added, init_kaiming
from centernet.models.networks.necks.fpn import top_down
from centernet.models.networks.necks.parts import convolution, lateral

# The last block of torchvision's `features` at strides 4, 8 and 16, and its width.
TAPS = {3: 24, 6: 40, 12: 112}
WIDTH = 64


class MobileNet(Backbone):
    """torchvision's mobilenet_v3_large, then three upsampling steps of 64 channels.

    They are those of `necks/fpn.py` under keys of their own, with BN at the laterals too. No
    deformable convolution, so it exports anywhere. The trunk has torchvision's modules and keys, so
    its ImageNet weights fit as they are.
    """

    channels = WIDTH
    stem_shape = Stem(16, 2)

    def __init__(self) -> None:
        import torchvision  # slow to import, and a list of names does not need it

        super().__init__()
        trunk = torchvision.models.mobilenet_v3_large(weights=None)
        self.features = trunk.features
        self.reduce = lateral(trunk.features[-1].out_channels, WIDTH)
        self.laterals = nn.ModuleList(lateral(width, WIDTH) for width in reversed(TAPS.values()))
        self.smooths = nn.ModuleList(convolution(WIDTH, WIDTH, "separable", nn.ReLU) for _ in TAPS)
        self.up = nn.Upsample(scale_factor=2)
        for module in (self.reduce, self.laterals, self.smooths):
            init_kaiming(module)
        weights = torchvision.models.MobileNet_V3_Large_Weights.IMAGENET1K_V1
        self.pretrained = Pretrained(weights.url, ("features.",), ignored=("classifier.",))

    def forward(self, x: Tensor, beside: Tensor | None = None) -> list[Tensor]:
        """(B, 3, H, W) -> [(B, 64, H/4, W/4)]."""
        taps = []
        for index, layer in enumerate(self.features):
            x = layer(x) if index else added(layer(x), beside)
            if index in TAPS:
                taps.append(x)
        laterals = [self.reduce, *self.laterals]
        return top_down([x, *taps[::-1]], laterals, repeat(self.up), repeat(add), self.smooths)[-1:]
