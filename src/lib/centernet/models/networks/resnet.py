"""ResNet with three transposed convolutions (Xiao et al., 2018), with or without DCN."""

from __future__ import annotations

from torch import Tensor, nn

from centernet.models.networks.backbone import (
    Backbone,
    Pretrained,
    Stem,
    added,
    convolutions,
    init_bilinear,
    init_near_zero,
)
from centernet.models.networks.DCNv2.layer import DCN

WIDE, NARROW = (256, 256, 256), (256, 128, 64)  # of the upsampling steps


class ResNet(Backbone):
    """`res_<depth>` and, with `dcn`, `resdcn_<depth>`: torchvision's ResNet up to stride 32, then
    three steps of factor two.

    A step is a transposed convolution; with `dcn` a deformable convolution to the new width comes
    before it, with `conv` a plain one (`resconv_<depth>`, as mmdetection builds its CenterNet
    without DCN). The trunk has torchvision's modules and keys, so that its ImageNet weights fit.
    """

    stem_shape = Stem(64, 2)

    def __init__(self, depth: int, dcn: bool, conv: bool = False) -> None:
        import torchvision  # slow to import, and a list of names does not need it

        super().__init__()
        trunk = torchvision.models.get_model(f"resnet{depth}", weights=None)
        self.conv1, self.bn1, self.relu, self.maxpool = (
            trunk.conv1, trunk.bn1, trunk.relu, trunk.maxpool
        )  # fmt: skip
        self.layer1, self.layer2 = trunk.layer1, trunk.layer2
        self.layer3, self.layer4 = trunk.layer3, trunk.layer4
        self.refined = dcn or conv
        steps: list[nn.Module] = []
        width = trunk.fc.in_features
        for new_width in NARROW if self.refined else WIDE:
            if self.refined:
                steps += [*convolution(width, new_width, dcn), *refined_upsampling(new_width)]
            else:
                steps += plain_step(width, new_width)
            width = new_width
        self.deconv_layers = nn.Sequential(*steps)
        self.channels = width
        self.sorted_heads = not self.refined
        weights = torchvision.models.get_model_weights(f"resnet{depth}").IMAGENET1K_V1
        self.pretrained = Pretrained(weights.url, ("conv1.", "bn1.", "layer"), ignored=("fc.",))

    def forward(self, x: Tensor, beside: Tensor | None = None) -> list[Tensor]:
        """(B, 3, H, W) -> [(B, channels, H/4, W/4)]."""
        x = self.maxpool(added(self.relu(self.bn1(self.conv1(x))), beside))
        x = self.layer4(self.layer3(self.layer2(self.layer1(x))))
        return [self.deconv_layers(x)]

    def init_regression(self, head: nn.Module) -> None:
        """Near zero: every convolution, but in `res_<depth>` only the last (as published)."""
        for conv in convolutions(head) if self.refined else convolutions(head)[-1:]:
            init_near_zero(conv)


def plain_step(width: int, new_width: int) -> list[nn.Module]:
    """Upsampling by two: transposed convolution, BN, ReLU."""
    up = nn.ConvTranspose2d(width, new_width, 4, stride=2, padding=1, bias=False)
    init_near_zero(up)
    return [up, nn.BatchNorm2d(new_width), nn.ReLU(inplace=True)]


def convolution(width: int, new_width: int, dcn: bool) -> list[nn.Module]:
    """A convolution over 3 x 3, deformable if `dcn`, to `new_width`; BN, ReLU."""
    if dcn:
        conv: nn.Module = DCN(width, new_width, kernel_size=3, stride=1, padding=1)
    else:
        conv = nn.Conv2d(width, new_width, 3, padding=1, bias=False)
    return [conv, nn.BatchNorm2d(new_width), nn.ReLU(inplace=True)]


def refined_upsampling(width: int) -> list[nn.Module]:
    """Upsampling by two that starts as bilinear interpolation; BN, ReLU."""
    up = nn.ConvTranspose2d(width, width, 4, stride=2, padding=1, bias=False)
    init_bilinear(up)
    return [up, nn.BatchNorm2d(width), nn.ReLU(inplace=True)]
