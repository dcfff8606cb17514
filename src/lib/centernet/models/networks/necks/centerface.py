"""CenterFace's neck (Xu et al., "CenterFace", 2019)."""

from __future__ import annotations

from collections.abc import Sequence

from torch import Tensor, nn

from centernet.models.networks.necks.neck import Neck, NeckOptions, uniform
from centernet.models.networks.necks.parts import convolution

EPS = 1e-3  # of BatchNorm, but for the last one, as in the trained network


class Step(nn.Module):
    """The coarse map doubled by a transposed 2x2 convolution, plus the trunk's own map."""

    def __init__(self, fine: int, width: int, dense: bool) -> None:
        super().__init__()
        groups = 1 if dense else width
        up = nn.ConvTranspose2d(width, width, 2, stride=2, groups=groups, bias=False)
        self.up = nn.Sequential(up, nn.BatchNorm2d(width, eps=EPS), nn.ReLU(inplace=True))
        self.conv = lateral(fine, width)

    def forward(self, fine: Tensor, coarse: Tensor) -> Tensor:
        """(B, fine, H, W), (B, width, H/2, W/2) -> (B, width, H, W)."""
        return self.up(coarse) + self.conv(fine)


def lateral(width: int, new_width: int) -> nn.Sequential:
    """1x1 convolution, BN, ReLU."""
    conv = nn.Conv2d(width, new_width, 1, bias=False)
    return nn.Sequential(conv, nn.BatchNorm2d(new_width, eps=EPS), nn.ReLU(inplace=True))


class CenterFaceNeck(Neck):
    """24 channels at stride 4, by the keys of CenterFace.pytorch; dense transposed convolutions.

    `conv` "separable" makes them depthwise, as CenterFace.pytorch has them.
    """

    usual = NeckOptions((24,), "deconv", "normal", "sum")
    fusions = ("sum",)

    def __init__(
        self, widths: Sequence[int], strides: Sequence[int], options: NeckOptions, stride: int
    ) -> None:
        super().__init__(widths, strides, options, stride)
        uniform(self.options, "CenterFaceNeck")
        width = self.channels
        self.conv = lateral(self.widths[-1], width)
        for step in range(self.steps):
            fine = self.widths[-2 - step]
            self.add_module(f"up_{step}", Step(fine, width, self.options.conv != "separable"))
        self.conv_last = convolution(width, width, "normal")

    def forward(self, maps: Sequence[Tensor]) -> Tensor:
        """The trunk's maps -> (B, channels, H/stride, W/stride)."""
        coarse = list(self.maps(maps))[::-1]
        x = self.conv(coarse[0])
        for step in range(self.steps):
            x = self.get_submodule(f"up_{step}")(coarse[step + 1], x)
        return self.conv_last(x)
