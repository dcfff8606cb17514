"""Necks that read the coarsest map alone and make it larger step by step."""

from __future__ import annotations

from collections.abc import Sequence

from torch import Tensor, nn

from centernet.models.networks.necks.neck import Neck, NeckOptions
from centernet.models.networks.necks.parts import convolution, upsampling


class Simple(Neck):
    """A convolution and an upsampling by two, as often as needed (Xiao et al., ECCV 2018)."""

    usual = NeckOptions((256, 128, 64), "deconv", "normal", "sum")
    fusions = ("sum",)

    def __init__(
        self, widths: Sequence[int], strides: Sequence[int], options: NeckOptions, stride: int
    ) -> None:
        if not options.channels:
            options = NeckOptions(**{**vars(options), "channels": steps_down(stride)})
        super().__init__(widths, strides, options, stride)
        kinds = self.options
        parts: list[nn.Module] = []
        width = self.widths[-1]
        for new_width in self.each:
            parts.append(convolution(width, new_width, kinds.conv))
            parts.append(upsampling(new_width, kinds.upsample, kinds.kernel))
            width = new_width
        self.upsample = nn.Sequential(*parts)

    def forward(self, maps: Sequence[Tensor]) -> Tensor:
        """The trunk's maps -> (B, channels, H/stride, W/stride)."""
        return self.upsample(self.maps(maps)[-1])


class Deconv(Simple):
    """CenterNet's own: deformable convolutions and learnt upsampling (Zhou et al., 2019)."""

    usual = NeckOptions((256, 128, 64), "deconv", "dcn", "sum")


def steps_down(stride: int) -> tuple[int, ...]:
    """Widths from stride 32 to `stride`: 256 first, then half, 64 at least."""
    widths: list[int] = []
    at = 32
    while at > stride:
        widths.append(max(256 >> len(widths), 64))
        at //= 2
    return tuple(widths) or (256,)
