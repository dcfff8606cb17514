"""What a neck is: several maps of a trunk become one."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from torch import Tensor, nn

from centernet.runtime.errors import UserError

UPSAMPLES = ("deconv", "bilinear", "nearest")
CONVS = ("normal", "separable", "dcn")
FUSIONS = ("sum", "concat", "weighted")


@dataclass(frozen=True)
class NeckOptions:
    """How a neck is built; "" and () stand for what is usual with that neck.

    `channels` is the width of its maps: one for all, or one for each upsampling step from coarse to
    fine. `layers` is how often a BiFPN goes down and up; `kernel` the size of learnt upsampling;
    `downsample` how PAN and BiFPN make the coarser map of a finer one: "max" pooling or "nearest".
    """

    channels: tuple[int, ...] = ()
    upsample: str = ""
    conv: str = ""
    fusion: str = ""
    layers: int = 0
    kernel: int = 4
    downsample: str = "max"


class Neck(nn.Module):
    """Maps from fine to coarse become one of `channels` channels at `stride`.

    `widths` and `strides` say what the trunk gives. A neck reads those from `stride` to 32, each
    twice the one before; UserError where the trunk lacks one, and for options it does not have.
    """

    usual = NeckOptions((64,), "deconv", "normal", "sum")
    fusions: tuple[str, ...] = FUSIONS

    def __init__(
        self, widths: Sequence[int], strides: Sequence[int], options: NeckOptions, stride: int
    ) -> None:
        super().__init__()
        name = type(self).__name__
        wanted = [s for s in (1, 2, 4, 8, 16, 32) if s >= stride]
        lacking = [s for s in wanted if s not in strides]
        if lacking or len(wanted) < 2:
            raise UserError(
                f"{name}: needs maps at strides {', '.join(map(str, wanted))}, the trunk has"
                f" {', '.join(map(str, strides))}; take another trunk or --down_ratio"
            )
        self.stride = stride
        self.first = list(strides).index(stride)
        self.widths = list(widths[self.first : self.first + len(wanted)])
        self.steps = len(wanted) - 1
        self.options = filled(options, self.usual, self.fusions, name)
        given = self.options.channels
        if len(given) not in (1, self.steps):
            raise UserError(
                f"--neck_channels: {name} takes one width, or {self.steps} of them from coarse to"
                f" fine; there are {len(given)}"
            )
        self.each = given * self.steps if len(given) == 1 else given
        self.channels = self.each[-1]

    def maps(self, maps: Sequence[Tensor]) -> Sequence[Tensor]:
        """Those of the trunk's maps that this neck reads."""
        return maps[self.first : self.first + self.steps + 1]

    def forward(self, maps: Sequence[Tensor]) -> Tensor:
        """The trunk's maps -> (B, channels, H/stride, W/stride)."""
        raise NotImplementedError


def filled(
    options: NeckOptions, usual: NeckOptions, fusions: Sequence[str], name: str
) -> NeckOptions:
    """`options` with what is `usual` where nothing is said; UserError for what does not exist."""
    full = NeckOptions(
        options.channels or usual.channels,
        options.upsample or usual.upsample,
        options.conv or usual.conv,
        options.fusion or usual.fusion,
        options.layers or usual.layers,
        options.kernel,
        options.downsample,
    )
    kinds = (
        ("--neck_upsample", full.upsample, UPSAMPLES),
        ("--neck_conv", full.conv, CONVS),
        ("--neck_fusion", full.fusion, fusions),
    )
    for flag, word, choices in kinds:
        if word not in choices:
            raise UserError(f"{flag} {word}: {name} has {', '.join(choices)}")
    if min(full.channels) < 1:
        raise UserError(f"--neck_channels {min(full.channels)}: widths are 1 or more")
    return full


def uniform(options: NeckOptions, name: str) -> None:
    """Raise UserError where the maps of a neck that has one width are given several."""
    if len(set(options.channels)) > 1:
        raise UserError(f"--neck_channels: {name} has one width for all of its maps; give one")
