"""A backbone of one's own: ShuffleNetV2 with a small feature pyramid.

    python docs/examples/backbone.py train ctdet --dataset toy --arch shufflenetv2 --weights none

is `centernet` with one more network. Method: Ma et al., "ShuffleNet V2: Practical Guidelines for
Efficient CNN Architecture Design", ECCV 2018.
"""

from __future__ import annotations

import sys
from functools import partial

from torch import Tensor
from torchvision.models import ShuffleNet_V2_X1_0_Weights, shufflenet_v2_x1_0

from centernet.cli import main
from centernet.models.networks import BACKBONES
from centernet.models.networks.backbone import Backbone, Pretrained
from centernet.models.networks.necks import FPN, NeckOptions

STRIDES = (4, 8, 16, 32)
WIDTHS = (24, 116, 232, 464)  # of the trunk at these strides


class ShuffleNet(Backbone):
    """torchvision's shufflenet_v2_x1_0 up to stride 32, then three upsampling steps.

    The modules of the trunk keep torchvision's names, so that its ImageNet weights fit.
    """

    channels = 64  # stride 4, inputs in multiples of 32 and one stage are what Backbone says

    def __init__(self) -> None:
        super().__init__()
        trunk = shufflenet_v2_x1_0(weights=None)  # a constructor never downloads
        self.conv1, self.maxpool = trunk.conv1, trunk.maxpool
        self.stage2, self.stage3, self.stage4 = trunk.stage2, trunk.stage3, trunk.stage4
        options = NeckOptions((self.channels,), conv="separable")
        self.neck = FPN(WIDTHS, STRIDES, options, self.stride)
        url = ShuffleNet_V2_X1_0_Weights.IMAGENET1K_V1.url
        self.pretrained = Pretrained(url, ("conv1.", "stage"), ignored=("conv5.", "fc."))

    def forward(self, x: Tensor) -> list[Tensor]:
        """(B, 3, H, W) -> [(B, 64, H/4, W/4)]."""
        maps = [self.maxpool(self.conv1(x))]
        for stage in (self.stage2, self.stage3, self.stage4):
            maps.append(stage(maps[-1]))
        return [self.neck(maps)]


BACKBONES["shufflenetv2"] = partial(ShuffleNet)

if __name__ == "__main__":
    sys.exit(main())
