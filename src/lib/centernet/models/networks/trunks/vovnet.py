"""VoVNetV2 (Lee and Park, "CenterMask", CVPR 2020) with the keys of its detectron2 form.

One-shot aggregation: a block runs its convolutions one after another and joins the outputs of all
of them once, at its end; then an effective squeeze-and-excitation (eSE) weighs the channels. Keys
have a "/" in them, as `stage2.OSA2_1.layers.0.OSA2_1_0/conv.weight`.
"""

from __future__ import annotations

from collections import OrderedDict
from dataclasses import dataclass, replace

import torch
from torch import Tensor, nn
from torch.nn.functional import adaptive_avg_pool2d, relu6

from centernet.models.networks.backbone import init_kaiming
from centernet.models.networks.trunks.trunk import Normalisation, Trunk


@dataclass(frozen=True)
class Size:
    """Widths and counts of a VoVNet: per stage, from stage 2 (stride 4) to stage 5 (stride 32)."""

    stem: tuple[int, int, int]
    inner: tuple[int, int, int, int]
    outer: tuple[int, int, int, int]
    layers: int  # convolutions in a block
    blocks: tuple[int, int, int, int]
    separable: bool = False
    ese: bool = True
    toolbox: bool = False  # the form of vision-toolbox: a stem of stride 2, pooling in each stage


_STEM = (64, 64, 128)
_SLIM, _WIDE = (64, 80, 96, 112), (128, 160, 192, 224)
_SLIM_OUT, _WIDE_OUT = (112, 256, 384, 512), (256, 512, 768, 1024)

SIZES = {
    "vovnet19_slim_dw": Size((64, 64, 64), _SLIM, _SLIM_OUT, 3, (1, 1, 1, 1), separable=True),
    "vovnet19_dw": Size((64, 64, 64), _WIDE, _WIDE_OUT, 3, (1, 1, 1, 1), separable=True),
    "vovnet19_slim": Size(_STEM, _SLIM, _SLIM_OUT, 3, (1, 1, 1, 1)),
    "vovnet19": Size(_STEM, _WIDE, _WIDE_OUT, 3, (1, 1, 1, 1)),
    "vovnet27s": Size(_STEM, _SLIM, (128, 256, 384, 512), 5, (1, 1, 1, 1)),
    "vovnet39": Size(_STEM, _WIDE, _WIDE_OUT, 5, (1, 1, 2, 2)),
    "vovnet57": Size(_STEM, _WIDE, _WIDE_OUT, 5, (1, 1, 4, 3)),
    "vovnet99": Size(_STEM, _WIDE, _WIDE_OUT, 5, (1, 3, 9, 3)),
}
# As centernet-lightning has them, by vision-toolbox's names; without eSE where the name lacks it.
_TOOLBOX = {
    "vovnet19_slim_ese": "vovnet19_slim",
    "vovnet19_ese": "vovnet19",
    "vovnet27_slim": "vovnet27s",
    "vovnet39": "vovnet39",
    "vovnet39_ese": "vovnet39",
    "vovnet57": "vovnet57",
    "vovnet57_ese": "vovnet57",
    "vovnet99_ese": "vovnet99",
}
TOOLBOX = {
    f"toolbox_{name}": replace(SIZES[own], ese=name.endswith("ese"), toolbox=True)
    for name, own in _TOOLBOX.items()
}


class VoVNet(Trunk):
    """The network of one of SIZES or TOOLBOX, with maps at strides 4 to 32."""

    normalisation = Normalisation(
        (103.53 / 255, 116.28 / 255, 123.675 / 255),
        (57.375 / 255, 57.12 / 255, 58.395 / 255),
        "bgr",
    )

    def __init__(self, name: str) -> None:
        super().__init__()
        size = (SIZES | TOOLBOX)[name]
        a, b, c = size.stem
        rest = separable if size.separable else convolution
        self.stem = nn.Sequential(
            OrderedDict(
                [
                    *convolution(3, a, "stem_1", stride=2),
                    *rest(a, b, "stem_2"),
                    *rest(b, c, "stem_3", stride=1 if size.toolbox else 2),
                ]
            )
        )
        width = c
        for number, inner, outer, count in zip(
            (2, 3, 4, 5), size.inner, size.outer, size.blocks, strict=True
        ):
            self.add_module(f"stage{number}", stage(number, width, inner, outer, count, size))
            width = outer
        self.steps = ("stem", "stage2", "stage3", "stage4", "stage5")
        self.taps, self.strides, self.widths = self.steps[1:], (4, 8, 16, 32), size.outer
        init_kaiming(self)


def stage(number: int, width: int, inner: int, outer: int, count: int, size: Size) -> nn.Sequential:
    """Pooling (but in stage 2 of a stem of stride 4) and `count` blocks."""
    parts: list[tuple[str, nn.Module]] = []
    if size.toolbox:
        parts.append(("Pooling", nn.MaxPool2d(3, stride=2, padding=1)))
    elif number > 2:
        parts.append(("Pooling", nn.MaxPool2d(3, stride=2, ceil_mode=True)))
    for index in range(1, count + 1):
        block = Block(width, inner, outer, f"OSA{number}_{index}", size, identity=index > 1)
        parts.append((f"OSA{number}_{index}", block))
        width = outer
    return nn.Sequential(OrderedDict(parts))


class Block(nn.Module):
    """One-shot aggregation with eSE; `identity` adds the input to the output."""

    def __init__(
        self, width: int, inner: int, outer: int, name: str, size: Size, identity: bool
    ) -> None:
        super().__init__()
        self.identity = identity
        total = width
        self.reduced = size.separable and width != inner
        if self.reduced:
            parts = convolution(width, inner, f"{name}_reduction_0", kernel=1)
            self.conv_reduction = nn.Sequential(OrderedDict(parts))
            width = inner
        self.layers = nn.ModuleList()
        for index in range(size.layers):
            make = separable if size.separable else convolution
            self.layers.append(nn.Sequential(OrderedDict(make(width, inner, f"{name}_{index}"))))
            width = inner
        total += size.layers * inner
        self.concat = nn.Sequential(
            OrderedDict(convolution(total, outer, f"{name}_concat", kernel=1))
        )
        self.ese = Excitation(outer) if size.ese else nn.Identity()

    def forward(self, x: Tensor) -> Tensor:
        """(B, width, H, W) -> (B, outer, H, W)."""
        maps, last = [x], x
        if self.reduced:
            last = self.conv_reduction(x)
        for layer in self.layers:
            last = layer(last)
            maps.append(last)
        out = self.ese(self.concat(torch.cat(maps, dim=1)))
        return out + x if self.identity else out


class Excitation(nn.Module):
    """Effective squeeze-and-excitation: channels weighed by a hard sigmoid of their means."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.fc = nn.Conv2d(width, width, 1)

    def forward(self, x: Tensor) -> Tensor:
        """`x`, each channel times its weight."""
        return x * (relu6(self.fc(adaptive_avg_pool2d(x, 1)) + 3) / 6)


def convolution(
    width: int, new_width: int, name: str, kernel: int = 3, stride: int = 1
) -> list[tuple[str, nn.Module]]:
    """Convolution, BN, ReLU, by the names of the detectron2 form."""
    conv = nn.Conv2d(width, new_width, kernel, stride, kernel // 2, bias=False)
    return [
        (f"{name}/conv", conv),
        (f"{name}/norm", nn.BatchNorm2d(new_width)),
        (f"{name}/relu", nn.ReLU(inplace=True)),
    ]


def separable(
    width: int, new_width: int, name: str, stride: int = 1
) -> list[tuple[str, nn.Module]]:
    """Depthwise 3x3, then 1x1 convolution; BN and ReLU once."""
    depthwise = nn.Conv2d(width, width, 3, stride, 1, groups=width, bias=False)
    return [
        (f"{name}/dw_conv3x3", depthwise),
        (f"{name}/pw_conv1x1", nn.Conv2d(width, new_width, 1, bias=False)),
        (f"{name}/pw_norm", nn.BatchNorm2d(new_width)),
        (f"{name}/pw_relu", nn.ReLU(inplace=True)),
    ]
