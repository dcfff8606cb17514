"""The backbones by their published names."""

from __future__ import annotations

from functools import partial

from centernet.models.networks.backbone import Backbone
from centernet.models.networks.dla import DLA
from centernet.models.networks.hourglass import TINY_DIMS, Hourglass
from centernet.models.networks.mobilenet import MobileNet
from centernet.models.networks.resnet import ResNet
from centernet.models.networks.unet import UNet
from centernet.runtime.errors import UserError

DEPTHS = (18, 34, 50, 101, 152)

BACKBONES: dict[str, partial[Backbone]] = {
    **{f"res_{depth}": partial(ResNet, depth, dcn=False) for depth in DEPTHS},
    **{f"resdcn_{depth}": partial(ResNet, depth, dcn=True) for depth in DEPTHS},
    **{f"resconv_{depth}": partial(ResNet, depth, dcn=False, conv=True) for depth in DEPTHS},
    "dlav0_34": partial(DLA, dcn=False),
    "dla_34": partial(DLA, dcn=True),
    "hourglass": partial(Hourglass, stacks=2),
    "hourglass_52": partial(Hourglass, stacks=1),
    "tiny_hourglass": partial(Hourglass, stacks=1, dims=TINY_DIMS),
    "mobilenetv3": partial(MobileNet),
    "unet": partial(UNet),
}

# Other programs' names for some of them.
ALIASES = {"large_hourglass": "hourglass", "small_hourglass": "hourglass_52"}

__all__ = ["BACKBONES", "Backbone", "create_backbone"]


def create_backbone(name: str, dcn: bool | None = None) -> Backbone:
    """The backbone registered as `name`, with random weights.

    `dcn` overrides whether it has deformable convolutions: `res_18` with True is `resdcn_18`.
    UserError for an unknown name, and for `dcn` where the family has no such choice.
    """
    name = ALIASES.get(name, name)
    if name not in BACKBONES:
        raise UserError(f"unknown architecture '{name}', choose one of: {', '.join(BACKBONES)}")
    build = BACKBONES[name]
    if dcn is None:
        return build()
    if "dcn" not in build.keywords:
        raise UserError(f"architecture '{name}' has no variant with or without DCN")
    return build(dcn=dcn)
