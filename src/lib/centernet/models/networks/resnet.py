"""ResNet with three transposed convolutions (Xiao et al., 2018), with or without DCN."""

from __future__ import annotations

import torchvision
from torch import Tensor, nn

from centernet.models.networks.backbone import (
    Backbone,
    Pretrained,
    convolutions,
    init_bilinear,
    init_near_zero,
)
from centernet.models.networks.DCNv2 import DCN

WIDTHS = {False: (256, 256, 256), True: (256, 128, 64)}  # of the upsampling steps, by `dcn`


class ResNet(Backbone):
    """`res_<depth>` and, with `dcn`, `resdcn_<depth>`: torchvision's ResNet up to stride 32, then
    three steps of factor two.

    A step is a transposed convolution; with `dcn` a deformable convolution to the new width comes
    before it. The trunk has torchvision's modules and keys, so that its ImageNet weights fit.
    """

    def __init__(self, depth: int, dcn: bool) -> None:
        super().__init__()
        trunk = torchvision.models.get_model(f"resnet{depth}", weights=None)
        self.conv1, self.bn1, self.relu, self.maxpool = (
            trunk.conv1, trunk.bn1, trunk.relu, trunk.maxpool
        )  # fmt: skip
        self.layer1, self.layer2 = trunk.layer1, trunk.layer2
        self.layer3, self.layer4 = trunk.layer3, trunk.layer4
        make_step = deformable_step if dcn else plain_step
        steps: list[nn.Module] = []
        width = trunk.fc.in_features
        for new_width in WIDTHS[dcn]:
            steps += make_step(width, new_width)
            width = new_width
        self.deconv_layers = nn.Sequential(*steps)
        self.dcn = dcn
        self.channels = width
        self.sorted_heads = not dcn
        weights = torchvision.models.get_model_weights(f"resnet{depth}").IMAGENET1K_V1
        self.pretrained = Pretrained(weights.url, ("conv1.", "bn1.", "layer"), ignored=("fc.",))

    def forward(self, x: Tensor) -> list[Tensor]:
        """(B, 3, H, W) -> [(B, channels, H/4, W/4)]."""
        x = self.maxpool(self.relu(self.bn1(self.conv1(x))))
        x = self.layer4(self.layer3(self.layer2(self.layer1(x))))
        return [self.deconv_layers(x)]

    def init_regression(self, head: nn.Module) -> None:
        """Near zero: every convolution with DCN, only the last without (as published)."""
        for conv in convolutions(head) if self.dcn else convolutions(head)[-1:]:
            init_near_zero(conv)


def plain_step(width: int, new_width: int) -> list[nn.Module]:
    """Upsampling by two: transposed convolution, BN, ReLU."""
    up = nn.ConvTranspose2d(width, new_width, 4, stride=2, padding=1, bias=False)
    init_near_zero(up)
    return [up, nn.BatchNorm2d(new_width), nn.ReLU(inplace=True)]


def deformable_step(width: int, new_width: int) -> list[nn.Module]:
    """Deformable convolution, BN, ReLU, then upsampling by two, BN, ReLU."""
    up = nn.ConvTranspose2d(new_width, new_width, 4, stride=2, padding=1, bias=False)
    init_bilinear(up)
    return [
        DCN(width, new_width, kernel_size=3, stride=1, padding=1),
        nn.BatchNorm2d(new_width),
        nn.ReLU(inplace=True),
        up,
        nn.BatchNorm2d(new_width),
        nn.ReLU(inplace=True),
    ]
