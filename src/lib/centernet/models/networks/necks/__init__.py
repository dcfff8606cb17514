"""Necks by name."""

from __future__ import annotations

from collections.abc import Sequence

from centernet.models.networks.necks.bifpn import BiFPN
from centernet.models.networks.necks.centerface import CenterFaceNeck
from centernet.models.networks.necks.fpn import FPN, PAN
from centernet.models.networks.necks.ida import IDA
from centernet.models.networks.necks.neck import CONVS, FUSIONS, UPSAMPLES, Neck, NeckOptions
from centernet.models.networks.necks.simple import Deconv, Simple
from centernet.runtime.errors import UserError

NECKS: dict[str, type[Neck]] = {
    "deconv": Deconv,
    "simple": Simple,
    "fpn": FPN,
    "bifpn": BiFPN,
    "ida": IDA,
    "pan": PAN,
    "centerface": CenterFaceNeck,
}

__all__ = ["CONVS", "FPN", "FUSIONS", "NECKS", "UPSAMPLES", "Neck", "NeckOptions", "create_neck"]


def create_neck(
    name: str, widths: Sequence[int], strides: Sequence[int], options: NeckOptions, stride: int = 4
) -> Neck:
    """The neck called `name` on maps of `widths` at `strides`; UserError for an unknown name."""
    if name not in NECKS:
        raise UserError(f"unknown neck '{name}'; there are {', '.join(NECKS)}")
    return NECKS[name](widths, strides, options, stride)
