"""What every backbone states about itself, and the heads that sit on it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from centernet.io.remote import Remote
from centernet.models.networks.head_layers import PUBLISHED_HEAD, HeadLayers
from centernet.runtime.errors import UserError

Triple = tuple[float, float, float]


@dataclass(frozen=True)
class Normalisation:
    """What a classifier's weights expect of an image: (value / 255 - mean) / std per channel.

    `colour` is the order of the channels, "rgb" or "bgr", which `mean` and `std` follow.
    """

    mean: Triple = (0.485, 0.456, 0.406)
    std: Triple = (0.229, 0.224, 0.225)
    colour: str = "rgb"

    @property
    def bgr(self) -> tuple[Triple, Triple]:
        """(mean, std) in the order B, G, R, in which images are read."""
        if self.colour == "bgr":
            return self.mean, self.std
        (r, g, b), (x, y, z) = self.mean, self.std
        return (b, g, r), (z, y, x)


@dataclass(frozen=True)
class Pretrained:
    """Where the ImageNet classifier of a backbone is published, and how its keys become ours.

    `prefix` is put before each key of the file, `trunk` says which keys of the backbone the file
    must then fill, and keys that begin with one of `ignored` (the classifier) are left out. Of the
    trunk those that begin with one of `spare` may be missing: nothing uses them. `name` is that of
    the file in models/ where the address does not end with it. `mirrors` are further addresses of
    the same tensors, tried in turn.
    """

    url: str
    trunk: tuple[str, ...]
    prefix: str = ""
    ignored: tuple[str, ...] = ()
    spare: tuple[str, ...] = ()
    name: str = ""
    mirrors: tuple[Remote, ...] = ()


@dataclass(frozen=True)
class Stem:
    """The first map that a backbone makes of an image, to which further inputs are added."""

    channels: int
    stride: int


class Backbone(nn.Module):
    """An image (B, 3, H, W) becomes one feature map (B, channels, H/stride, W/stride) a stage.

    A concrete backbone overrides the facts below that differ, and `forward`; one without a
    `stem_shape` need not know of `beside`. H and W must be multiples of `pad + 1`. Constructors
    never download: `pretrained` only says what there is.
    """

    channels: int = 64
    stride: int = 4
    pad: int = 31
    head_conv: int = 64  # default width of the hidden layer of a head
    stages: int = 1
    sorted_heads: bool = False  # heads are registered by name, not in the order of the task
    leaves_unused: bool = False  # has parameters that never reach the output
    pretrained: Pretrained | None = None
    stem_shape: Stem | None = None  # None: it takes an image alone
    normalisation: Normalisation | None = None  # of its classifier; None: as the data set's

    def forward(self, x: Tensor, beside: Tensor | None = None) -> list[Tensor]:
        """Feature maps of `x`, the last stage last.

        `beside`, the map of further inputs, is added to the first, whose shape `stem_shape` tells.
        """
        raise NotImplementedError

    def make_stem(self, channels: int) -> nn.Module:
        """What brings a further input of `channels` to the first map: conv7x7, BN, ReLU.

        As CenterTrack (Zhou et al., ECCV 2020) takes in the previous frame. UserError where the
        network has no place for it.
        """
        if self.stem_shape is None:
            raise UserError(
                f"{type(self).__name__} takes an image alone, this task has further inputs; take"
                " --arch dla_34"
            )
        conv = nn.Conv2d(
            channels, self.stem_shape.channels, 7, self.stem_shape.stride, padding=3, bias=False
        )
        stem = nn.Sequential(conv, nn.BatchNorm2d(self.stem_shape.channels), nn.ReLU(inplace=True))
        init_kaiming(stem)
        return stem

    def renamed(self, state: Mapping[str, Tensor]) -> Mapping[str, Tensor]:
        """The tensors of a classifier under the names that `pretrained` speaks of."""
        return state

    def freeze(self, stages: int) -> None:
        """Keep the first `stages` stages as they are, BatchNorm too; UserError without stages."""
        raise UserError(
            f"--frozen_stages {stages}: this network cannot freeze a part of itself; take a trunk"
            " and a neck, as resnet34+fpn"
        )

    @property
    def has_depth(self) -> bool:
        """Whether `trunk_depth` distinguishes the stages of the trunk."""
        return False

    def trunk_depth(self, name: str) -> int | None:
        """How many stages of the trunk come after that of the parameter `name`.

        0 for all of the trunk where its stages are not known, None outside of it.
        """
        trunk = () if self.pretrained is None else self.pretrained.trunk
        return 0 if name.startswith(trunk) else None

    def make_head(
        self,
        channels: int,
        head_conv: int,
        bias: float | None,
        layers: HeadLayers = PUBLISHED_HEAD,
    ) -> nn.Module:
        """A head for the feature map: conv3x3, ReLU, conv1x1; only the conv1x1 if `head_conv` is 0.

        `layers` may ask for more hidden ones. `bias` is that of the last convolution at the start
        of a training (heat maps: -2.19, that is a probability of 0.1; see Lin et al., Focal Loss,
        2017). None means a regression, whose weights `init_regression` chooses; of one with other
        layers than the published ones only the last starts near zero.
        """
        head = layers.tower(self.channels, head_conv, channels)
        if bias is None and layers != PUBLISHED_HEAD:
            init_near_zero(convolutions(head)[-1])
        elif bias is None:
            self.init_regression(head)
        else:
            fill_bias(convolutions(head)[-1], bias)
        return head

    def init_regression(self, head: nn.Module) -> None:
        """Start a regression head near zero: every weight from N(0, 0.001), every bias 0."""
        for conv in convolutions(head):
            init_near_zero(conv)


def added(x: Tensor, beside: Tensor | None) -> Tensor:
    """The first map `x` with that of further inputs, if there are any."""
    return x if beside is None else x + beside


def convolutions(module: nn.Module) -> list[nn.Conv2d]:
    """The plain convolutions inside `module` (itself included), in order of registration."""
    return [m for m in module.modules() if isinstance(m, nn.Conv2d)]


def fill_bias(conv: nn.Conv2d, value: float) -> None:
    """Start the bias of `conv`, if it has one, at `value`."""
    if conv.bias is not None:
        nn.init.constant_(conv.bias, value)


def init_near_zero(conv: nn.Conv2d | nn.ConvTranspose2d) -> None:
    """Weights from N(0, 0.001), bias 0."""
    nn.init.normal_(conv.weight, std=0.001)
    if conv.bias is not None:
        nn.init.zeros_(conv.bias)


def init_kaiming(module: nn.Module) -> None:
    """He et al., 2015: N(0, 2 / fan_out) for every plain convolution inside `module`."""
    for conv in convolutions(module):
        nn.init.kaiming_normal_(conv.weight, mode="fan_out", nonlinearity="relu")


@torch.no_grad()
def init_bilinear(up: nn.ConvTranspose2d) -> None:
    """Fill `up` with bilinear interpolation by its stride (Long et al., 2015).

    Only [:, 0] is written. For the depthwise convolutions of DLA that is all there is; for the
    dense ones of the DCN ResNets it is the first output channel, and the others keep PyTorch's
    initialisation. The published weights were trained from this start, so it is kept.
    """
    size = up.weight.shape[-1]
    factor = (size + 1) // 2
    centre = (2 * factor - 1 - factor % 2) / (2 * factor)
    ramp = 1 - (torch.arange(size, device=up.weight.device) / factor - centre).abs()
    up.weight[:, 0] = torch.outer(ramp, ramp)
