"""DLA-34 (Yu et al., Deep Layer Aggregation, 2018) with iterative upsampling, with or without DCN.

Two parts of a published checkpoint never reach the output: `base.fc`, the ImageNet classifier, and
the `project` of `base.level3` and `base.level4`. They stay ordinary parameters, because optimizer
states count every one; they never get a gradient (`leaves_unused`).
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor, nn

from centernet.io.remote import Remote
from centernet.models.networks.backbone import (
    Backbone,
    Pretrained,
    Stem,
    added,
    convolutions,
    fill_bias,
    init_bilinear,
    init_kaiming,
)
from centernet.models.networks.DCNv2.layer import DCN

WIDTHS = (16, 32, 64, 128, 256, 512)  # of levels 0 to 5, at strides 1 to 32
FIRST = 2  # the finest level that is aggregated, at stride 4


def conv_bn(width: int, new_width: int, kernel: int, stride: int = 1) -> list[nn.Module]:
    """Convolution that keeps the size (but for its stride), and BN."""
    conv = nn.Conv2d(width, new_width, kernel, stride, padding=kernel // 2, bias=False)
    return [conv, nn.BatchNorm2d(new_width)]


def rectified(width: int, new_width: int, kernel: int, stride: int = 1) -> nn.Sequential:
    """Convolution, BN, ReLU."""
    return nn.Sequential(*conv_bn(width, new_width, kernel, stride), nn.ReLU(inplace=True))


class Block(nn.Module):
    """Two 3x3 convolutions whose sum with `residual` is rectified."""

    def __init__(self, width: int, new_width: int, stride: int) -> None:
        super().__init__()
        self.conv1, self.bn1 = conv_bn(width, new_width, 3, stride)
        self.relu = nn.ReLU(inplace=True)
        self.conv2, self.bn2 = conv_bn(new_width, new_width, 3)

    def forward(self, x: Tensor, residual: Tensor) -> Tensor:
        x = self.relu(self.bn1(self.conv1(x)))
        return self.relu(self.bn2(self.conv2(x)) + residual)


class Root(nn.Module):
    """The aggregation node: concatenate, then a 1x1 convolution, BN and ReLU."""

    def __init__(self, width: int, new_width: int) -> None:
        super().__init__()
        self.conv, self.bn = conv_bn(width, new_width, 1)
        self.relu = nn.ReLU(inplace=True)

    def forward(self, *inputs: Tensor) -> Tensor:
        return self.relu(self.bn(self.conv(torch.cat(inputs, dim=1))))


class Leaf(nn.Module):
    """Hierarchical aggregation of depth one: two blocks and the root that joins them.

    `carried` counts the channels that the root takes in from outside, `keep_input` adds the pooled
    input to them.
    """

    def __init__(
        self, width: int, new_width: int, stride: int, carried: int = 0, keep_input: bool = False
    ) -> None:
        super().__init__()
        self.tree1 = Block(width, new_width, stride)
        self.tree2 = Block(new_width, new_width, 1)
        self.root = Root(2 * new_width + carried + (width if keep_input else 0), new_width)
        self.downsample = nn.MaxPool2d(stride) if stride > 1 else nn.Identity()
        self.project = projection(width, new_width)
        self.keep_input = keep_input

    def forward(self, x: Tensor, carried: Sequence[Tensor] = ()) -> Tensor:
        bottom = self.downsample(x)
        if self.keep_input:
            carried = [*carried, bottom]
        x1 = self.tree1(x, self.project(bottom))
        x2 = self.tree2(x1, x1)
        return self.root(x2, x1, *carried)


class Tree(nn.Module):
    """Hierarchical aggregation of depth two; the second half's root also sees the first half."""

    def __init__(self, width: int, new_width: int, stride: int) -> None:
        super().__init__()
        self.tree1 = Leaf(width, new_width, stride)
        self.tree2 = Leaf(new_width, new_width, 1, carried=width + new_width)
        self.downsample = nn.MaxPool2d(stride)
        self.project = projection(width, new_width)

    def forward(self, x: Tensor) -> Tensor:
        bottom = self.downsample(x)
        if self.training:
            # Nothing reads the result. Run for its BN statistics, so that a training leaves the
            # same numbers in the checkpoint as the original's.
            with torch.no_grad():
                self.project(bottom)
        x1 = self.tree1(x)
        return self.tree2(x1, [bottom, x1])


def projection(width: int, new_width: int) -> nn.Module:
    """What makes a residual fit a new width; nothing when it already fits."""
    return nn.Identity() if width == new_width else nn.Sequential(*conv_bn(width, new_width, 1))


class Trunk(nn.Module):
    """DLA-34 as published for ImageNet, read at its six levels instead of classifying."""

    def __init__(self) -> None:
        super().__init__()
        w = WIDTHS
        self.base_layer = rectified(3, w[0], 7)
        self.level0 = rectified(w[0], w[0], 3)
        self.level1 = rectified(w[0], w[1], 3, stride=2)
        self.level2 = Leaf(w[1], w[2], stride=2)
        self.level3 = Tree(w[2], w[3], stride=2)
        self.level4 = Tree(w[3], w[4], stride=2)
        self.level5 = Leaf(w[4], w[5], stride=2, keep_input=True)
        self.fc = nn.Conv2d(w[5], 1000, 1)
        init_kaiming(self)

    def forward(self, x: Tensor, beside: Tensor | None = None) -> list[Tensor]:
        x = added(self.base_layer(x), beside)
        levels = []
        for level in (
            self.level0, self.level1, self.level2, self.level3, self.level4, self.level5
        ):  # fmt: skip
            x = level(x)
            levels.append(x)
        return levels


class Deformable(nn.Module):
    """3x3 deformable convolution, BN, ReLU."""

    def __init__(self, width: int, new_width: int) -> None:
        super().__init__()
        self.actf = nn.Sequential(nn.BatchNorm2d(new_width), nn.ReLU(inplace=True))
        self.conv = DCN(width, new_width, kernel_size=3, stride=1, padding=1)

    def forward(self, x: Tensor) -> Tensor:
        return self.actf(self.conv(x))


class IDAUp(nn.Module):
    """Iterative aggregation: each coarser map is projected, upsampled and merged into the finer.

    With `dcn` projections and merges are deformable and maps are added; without, projections are
    1x1, maps are concatenated and merged by a 3x3 convolution.
    """

    def __init__(
        self, width: int, widths: Sequence[int], factors: Sequence[int], dcn: bool
    ) -> None:
        super().__init__()
        self.dcn = dcn
        parts: dict[str, nn.Module] = {}
        for i in range(1, len(widths)):
            wide = widths[i]
            parts[f"proj_{i}"] = Deformable(wide, width) if dcn else rectified(wide, width, 1)
            parts[f"up_{i}"] = upsampling(width, factors[i])
            parts[f"node_{i}"] = Deformable(width, width) if dcn else rectified(2 * width, width, 3)
        # Optimizer states count parameters in the published order, where dlav0 has its nodes last.
        names = sorted(parts, key=lambda name: not dcn and name.startswith("node"))
        for name in names:
            self.add_module(name, parts[name])
        init_kaiming(self)

    def forward(self, layers: Sequence[Tensor]) -> list[Tensor]:
        """Maps from fine to coarse -> the merged maps, one fewer, all at the finest size."""
        x, merged = layers[0], []
        for i in range(1, len(layers)):
            coarse = getattr(self, f"up_{i}")(getattr(self, f"proj_{i}")(layers[i]))
            both = coarse + x if self.dcn else torch.cat([x, coarse], dim=1)
            x = getattr(self, f"node_{i}")(both)
            merged.append(x)
        return merged


def upsampling(width: int, factor: int) -> nn.ConvTranspose2d:
    """Learnt depthwise upsampling that starts as bilinear interpolation."""
    up = nn.ConvTranspose2d(
        width, width, 2 * factor, factor, padding=factor // 2, groups=width, bias=False
    )
    init_bilinear(up)
    return up


class DLAUp(nn.Module):
    """Aggregates levels 2 to 5 until each has been carried up to the size of level 2."""

    def __init__(self, dcn: bool) -> None:
        super().__init__()
        widths = list(WIDTHS[FIRST:])
        self.steps = len(widths) - 1
        for i in range(self.steps):
            start = self.steps - 1 - i
            inputs = widths[start:]
            factors = [1] + [2] * (len(inputs) - 1)
            self.add_module(f"ida_{i}", IDAUp(inputs[0], inputs, factors, dcn))
            widths[start:] = [inputs[0]] * len(inputs)

    def forward(self, layers: Sequence[Tensor]) -> list[Tensor]:
        """Levels at strides 4, 8, 16, 32 -> one map for each of these strides, aggregated."""
        layers = list(layers)
        out = [layers[-1]]
        for i in range(self.steps):
            start = self.steps - 1 - i
            layers[start + 1 :] = getattr(self, f"ida_{i}")(layers[start:])
            out.insert(0, layers[-1])
        return out


ADDRESS = "http://dl.yf.io/dla/models/imagenet/dla34-ba72cf86.pth"  # often not there
SPARE = ("level3.project.", "level4.project.")  # run by the published code for nothing
MIRRORS = (
    Remote(
        "dla34-ba72cf86.pth",
        f"https://web.archive.org/web/2024id_/{ADDRESS}",
        "sha256:ba72cf86",
    ),
    # The same tensors without SPARE, under the same names.
    Remote(
        "dla34.in1k.bin", "https://huggingface.co/timm/dla34.in1k/resolve/main/pytorch_model.bin"
    ),
)


class DLA(Backbone):
    """`dla_34` with `dcn`, which aggregates once more over strides 4 to 16; else `dlav0_34`."""

    channels = WIDTHS[FIRST]
    head_conv = 256
    leaves_unused = True
    stem_shape = Stem(WIDTHS[0], 1)
    pretrained = Pretrained(
        ADDRESS,
        ("base.",),
        prefix="base.",
        spare=tuple(f"base.{n}" for n in SPARE),
        mirrors=MIRRORS,
    )

    def __init__(self, dcn: bool) -> None:
        super().__init__()
        self.dcn = dcn
        self.base = Trunk()
        self.dla_up = DLAUp(dcn)
        if dcn:
            self.ida_up = IDAUp(self.channels, WIDTHS[FIRST:-1], (1, 2, 4), dcn)

    def forward(self, x: Tensor, beside: Tensor | None = None) -> list[Tensor]:
        """(B, 3, H, W) -> [(B, 64, H/4, W/4)]."""
        maps = self.dla_up(self.base(x, beside)[FIRST:])
        return [self.ida_up(maps[:-1])[-1]] if self.dcn else [maps[0]]

    def init_regression(self, head: nn.Module) -> None:
        """As published: biases start at zero, and without DCN the weights near zero."""
        if not self.dcn:
            super().init_regression(head)
            return
        for conv in convolutions(head):
            fill_bias(conv, 0.0)
