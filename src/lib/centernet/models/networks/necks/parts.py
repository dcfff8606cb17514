"""What necks are made of: convolutions of three kinds, upsampling by two, fusion."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor, nn
from torch.nn.functional import interpolate, max_pool2d

from centernet.models.networks.backbone import init_bilinear
from centernet.models.networks.DCNv2.layer import DCN

EPSILON = 1e-6  # in the sum of the weights of a fusion


def convolution(
    width: int, new_width: int, kind: str, separated: type[nn.ReLU] | type[nn.ReLU6] = nn.ReLU6
) -> nn.Sequential:
    """3x3 convolution to `new_width`, BN, ReLU; `kind` is "normal", "separable" or "dcn".

    The separable one is depthwise 3x3, then 1x1, an eighth of the work, each with BN and ReLU6
    (MobileNet's parts) or what else is `separated`.
    """
    if kind == "separable":
        return nn.Sequential(
            nn.Conv2d(width, width, 3, padding=1, groups=width, bias=False),
            nn.BatchNorm2d(width),
            separated(inplace=True),
            nn.Conv2d(width, new_width, 1, bias=False),
            nn.BatchNorm2d(new_width),
            separated(inplace=True),
        )
    conv: nn.Module
    if kind == "dcn":
        conv = DCN(width, new_width, kernel_size=3, stride=1, padding=1)
    else:
        conv = nn.Conv2d(width, new_width, 3, padding=1, bias=False)
    return nn.Sequential(conv, nn.BatchNorm2d(new_width), nn.ReLU(inplace=True))


def lateral(width: int, new_width: int) -> nn.Sequential:
    """1x1 convolution to `new_width`, and BN."""
    return nn.Sequential(nn.Conv2d(width, new_width, 1, bias=False), nn.BatchNorm2d(new_width))


def upsampling(width: int, kind: str, kernel: int) -> nn.Module:
    """Twice the size: "nearest", "bilinear", or learnt ("deconv") with BN and ReLU."""
    if kind == "nearest":
        return nn.Upsample(scale_factor=2)
    if kind == "bilinear":
        return nn.Upsample(scale_factor=2, mode="bilinear", align_corners=False)
    up = nn.ConvTranspose2d(
        width, width, kernel, stride=2, padding=(kernel - 1) // 2, output_padding=kernel % 2,
        bias=False,
    )  # fmt: skip
    init_bilinear(up)
    return nn.Sequential(up, nn.BatchNorm2d(width), nn.ReLU(inplace=True))


def halved(x: Tensor, kind: str) -> Tensor:
    """Half the size: the largest of each 2 x 2 ("max"), or every second value ("nearest")."""
    return max_pool2d(x, 2) if kind == "max" else interpolate(x, scale_factor=0.5, mode="nearest")


class Fusion(nn.Module):
    """Several maps of one size become one: their sum, a learnt mean, or one beside the other.

    The learnt mean has weights that are kept positive and add up to 1 (Tan et al., "EfficientDet",
    CVPR 2020, "fast normalized fusion").
    """

    def __init__(self, count: int, kind: str) -> None:
        super().__init__()
        self.kind = kind
        if kind == "weighted":
            self.weights = nn.Parameter(torch.ones(count))

    def forward(self, maps: Sequence[Tensor]) -> Tensor:
        """`count` maps (B, C, H, W) -> (B, C, H, W), or (B, count C, H, W) if put side by side."""
        if self.kind == "concat":
            return torch.cat(list(maps), dim=1)
        if self.kind == "sum":
            total = maps[0]
            for other in maps[1:]:
                total = total + other
            return total
        weights = self.weights.relu()
        weights = weights / (weights.sum() + EPSILON)
        total = maps[0] * weights[0]
        for index, other in enumerate(maps[1:], start=1):
            total = total + other * weights[index]
        return total


class Skip(nn.Module):
    """A finer map and an upsampled coarser one become one: sum, learnt mean, or side by side.

    The learnt mean has one weight, that of the coarser map; the finer one's is 1.
    """

    def __init__(self, kind: str) -> None:
        super().__init__()
        self.kind = kind
        if kind == "weighted":
            self.weight = nn.Parameter(torch.tensor(1.0))

    def forward(self, fine: Tensor, coarse: Tensor) -> Tensor:
        """Two maps (B, C, H, W) -> one, of twice the channels if put side by side."""
        if self.kind == "concat":
            return torch.cat([coarse, fine], dim=1)
        if self.kind == "sum":
            return fine + coarse
        weight = self.weight.relu()
        return (fine + weight * coarse) / (1 + weight)
