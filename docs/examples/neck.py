"""A neck of one's own: every map of the trunk at the size of the finest, added up.

    python docs/examples/neck.py train ctdet --dataset toy --arch resnet18+hypercolumn

is `centernet` with one more neck, for every trunk. Method: Hariharan et al., "Hypercolumns for
Object Segmentation and Fine-grained Localization", CVPR 2015.
"""

from __future__ import annotations

import sys
from collections.abc import Sequence

from torch import Tensor, nn
from torch.nn.functional import interpolate

from centernet.cli import main
from centernet.models.networks.necks import NECKS, Neck, NeckOptions
from centernet.models.networks.necks.neck import uniform
from centernet.models.networks.necks.parts import convolution


class Hypercolumn(Neck):
    """1x1 convolutions to one width, bilinear upsampling to the finest map, sum, a convolution."""

    usual = NeckOptions((64,), "bilinear", "normal", "sum")
    fusions = ("sum",)

    def __init__(
        self, widths: Sequence[int], strides: Sequence[int], options: NeckOptions, stride: int
    ) -> None:
        super().__init__(widths, strides, options, stride)  # self.widths: of the maps it reads
        uniform(self.options, "Hypercolumn")  # self.options: what was given, else what is usual
        self.sides = nn.ModuleList(nn.Conv2d(width, self.channels, 1) for width in self.widths)
        self.output = convolution(self.channels, self.channels, self.options.conv)

    def forward(self, maps: Sequence[Tensor]) -> Tensor:
        """The trunk's maps -> (B, channels, H/stride, W/stride)."""
        finest, *coarser = [side(x) for side, x in zip(self.sides, self.maps(maps), strict=True)]
        for x in coarser:
            finest = finest + interpolate(x, finest.shape[-2:], mode="bilinear")
        return self.output(finest)


NECKS["hypercolumn"] = Hypercolumn

if __name__ == "__main__":
    sys.exit(main())
