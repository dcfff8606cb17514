"""Stacked hourglasses (Newell et al., 2016) in the form of CornerNet (Law and Deng, 2018)."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise

from torch import Tensor, nn

from centernet.models.networks.backbone import Backbone, Stem, added, convolutions, fill_bias
from centernet.models.networks.head_layers import PUBLISHED_HEAD, HeadLayers
from centernet.models.networks.segment import Segment
from centernet.runtime.errors import UserError

DIMS = (256, 256, 384, 384, 384, 512)  # width at strides 4, 8, ... 128
TINY_DIMS = (256, 128, 256, 256, 256, 384)
MODULES = (2, 2, 2, 2, 2, 4)  # residual blocks at each


class Convolution(nn.Module):
    """Convolution, BN unless `bn` is off (then it has a bias), ReLU."""

    def __init__(
        self, kernel: int, width: int, new_width: int, stride: int = 1, bn: bool = True
    ) -> None:
        super().__init__()
        self.conv = nn.Conv2d(width, new_width, kernel, stride, padding=kernel // 2, bias=not bn)
        self.bn = nn.BatchNorm2d(new_width) if bn else nn.Identity()
        self.relu = nn.ReLU(inplace=True)

    def forward(self, x: Tensor) -> Tensor:
        return self.relu(self.bn(self.conv(x)))


class Residual(nn.Module):
    """Two 3x3 convolutions and a shortcut, which is a 1x1 convolution where shapes change."""

    def __init__(self, width: int, new_width: int, stride: int = 1) -> None:
        super().__init__()
        self.conv1 = nn.Conv2d(width, new_width, 3, stride, padding=1, bias=False)
        self.bn1 = nn.BatchNorm2d(new_width)
        self.relu = nn.ReLU(inplace=True)
        self.conv2 = nn.Conv2d(new_width, new_width, 3, padding=1, bias=False)
        self.bn2 = nn.BatchNorm2d(new_width)
        changes = stride != 1 or width != new_width
        self.skip = shortcut(width, new_width, stride) if changes else nn.Identity()

    def forward(self, x: Tensor) -> Tensor:
        y = self.bn2(self.conv2(self.relu(self.bn1(self.conv1(x)))))
        return self.relu(y + self.skip(x))


def shortcut(width: int, new_width: int, stride: int = 1) -> Segment:
    """1x1 convolution and BN, without an activation."""
    conv = nn.Conv2d(width, new_width, 1, stride, bias=False)
    return Segment(conv, nn.BatchNorm2d(new_width))


def residuals(widths: Sequence[int], stride: int = 1) -> Segment:
    """A chain of residual blocks through `widths`; the first one has the stride."""
    first, *rest = pairwise(widths)
    return Segment(Residual(*first, stride), *(Residual(*pair) for pair in rest))


class Pyramid(nn.Module):
    """One hourglass: keep a copy, halve the size, recurse, double the size, add.

    `dims` and `modules` give width and number of blocks at each size, so there is one more of them
    than halvings.
    """

    def __init__(self, dims: Sequence[int], modules: Sequence[int]) -> None:
        super().__init__()
        here, below, count = dims[0], dims[1], modules[0]
        self.up1 = residuals([here] * (count + 1))
        self.low1 = residuals([here] + [below] * count, stride=2)
        self.low2 = (
            Pyramid(dims[1:], modules[1:])
            if len(dims) > 2
            else residuals([below] * (modules[1] + 1))
        )
        self.low3 = residuals([below] * count + [here])
        self.up2 = nn.Upsample(scale_factor=2)

    def forward(self, x: Tensor) -> Tensor:
        return self.up1(x) + self.up2(self.low3(self.low2(self.low1(x))))


class Hourglass(Backbone):
    """`stacks` hourglasses, each with a feature map for heads of its own.

    The defaults with two stacks are Hourglass-104 (`hourglass`), with one Hourglass-52. Losses
    average over the stacks, predictions come from the last. No ImageNet weights exist: it is
    trained from scratch or from a checkpoint of a relative. `feature_dim` is the width of the maps
    that the heads see.
    """

    head_conv = 256  # published heads have no other width, whatever was asked for

    def __init__(
        self,
        stacks: int,
        dims: Sequence[int] = DIMS,
        modules: Sequence[int] = MODULES,
        feature_dim: int = 256,
    ) -> None:
        super().__init__()
        dim = dims[0]
        self.channels = feature_dim
        self.pad = self.stride * 2 ** (len(dims) - 1) - 1
        self.stages = stacks
        self.stem_shape = Stem(dim, self.stride)
        self.dim = dim
        between = range(stacks - 1)
        self.pre = Segment(Convolution(7, 3, 128, stride=2), Residual(128, dim, stride=2))
        self.kps = nn.ModuleList([Pyramid(dims, modules) for _ in range(stacks)])
        self.cnvs = nn.ModuleList([Convolution(3, dim, feature_dim) for _ in range(stacks)])
        self.inters = nn.ModuleList([Residual(dim, dim) for _ in between])
        self.inters_ = nn.ModuleList([shortcut(dim, dim) for _ in between])
        self.cnvs_ = nn.ModuleList([shortcut(feature_dim, dim) for _ in between])
        self.relu = nn.ReLU(inplace=True)

    def forward(self, x: Tensor, beside: Tensor | None = None) -> list[Tensor]:
        """(B, 3, H, W) -> [(B, feature_dim, H/4, W/4)] * stacks."""
        x = added(self.pre(x), beside)
        features = []
        for i in range(self.stages):
            feature = self.cnvs[i](self.kps[i](x))
            features.append(feature)
            if i < self.stages - 1:
                x = self.inters[i](self.relu(self.inters_[i](x) + self.cnvs_[i](feature)))
        return features

    def make_head(
        self,
        channels: int,
        head_conv: int,
        bias: float | None,
        layers: HeadLayers = PUBLISHED_HEAD,
    ) -> nn.ModuleList:
        """One head a stack, conv3x3-ReLU-conv1x1, always of the hourglass's own width.

        `head_conv` is not used: published checkpoints have the same heads whatever was asked for.
        Weights keep PyTorch's initialisation, for regressions too. UserError for other `layers`.
        """
        if layers != PUBLISHED_HEAD:
            raise UserError(
                "--head_depth, --head_norm: an hourglass has the published heads alone; take"
                " another network, as resnet34+fpn"
            )
        heads = nn.ModuleList(
            Segment(
                Convolution(3, self.channels, self.dim, bn=False), nn.Conv2d(self.dim, channels, 1)
            )
            for _ in range(self.stages)
        )
        if bias is not None:
            for head in heads:
                fill_bias(convolutions(head)[-1], bias)
        return heads
