"""The backbones by their published names."""

from __future__ import annotations

from functools import partial
from typing import Any

from centernet.models.networks.backbone import Backbone
from centernet.models.networks.dla import DLA
from centernet.models.networks.hourglass import TINY_DIMS, Hourglass
from centernet.models.networks.mobilenet import MobileNet
from centernet.models.networks.necks import NECKS, NeckOptions, create_neck
from centernet.models.networks.resnet import ResNet
from centernet.models.networks.trunks import TRUNKS, create_trunk
from centernet.models.networks.trunks.trunk import nearest_names
from centernet.models.networks.unet import UNet
from centernet.models.spec import ALIASES, ModelSpec
from centernet.runtime.errors import UserError

DEPTHS = (18, 34, 50, 101, 152)

BACKBONES: dict[str, partial[Any]] = {
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

__all__ = ["BACKBONES", "create_backbone", "make_backbone"]


def create_backbone(
    name: str,
    *,
    options: NeckOptions | None = None,
    stride: int = 4,
) -> Backbone:
    """The backbone registered as `name`, or a trunk and a neck (`resnet34+fpn`), random weights.

    `options` are the neck's, `stride` that of its map. UserError for an unknown name.
    """
    name = ALIASES.get(name, name)
    if name not in BACKBONES and "+" in name:
        return trunk_and_neck(name, options or NeckOptions(), stride)
    if name not in BACKBONES:
        near = nearest_names(name, [*BACKBONES, *ALIASES])
        raise UserError(
            f"unknown architecture '{name}'{near}; choose one of:"
            f" {', '.join(BACKBONES)}; or a trunk and a neck, as resnet34+fpn (trunks:"
            f" {', '.join(TRUNKS)}, tv:NAME, timm:NAME; necks: {', '.join(NECKS)})"
        )
    return BACKBONES[name]()


def make_backbone(spec: ModelSpec) -> Backbone:
    """The backbone of a spec, with random weights; UserError for what does not fit."""
    if spec.neck is None and spec.neck_options != NeckOptions():
        raise UserError(
            f"--arch {spec.trunk}: its neck has no options; name a trunk and a neck, as"
            " resnet34+fpn"
        )
    made = create_backbone(spec.arch, options=spec.neck_options, stride=spec.stride)
    if made.stride != spec.stride:
        raise UserError(
            f"--down_ratio {spec.stride}: the output maps of {spec.arch} have stride"
            f" {made.stride}; a network of a trunk and a neck, as resnet34+fpn, has a choice"
        )
    if spec.frozen_stages:
        made.freeze(spec.frozen_stages)
    return made


def trunk_and_neck(name: str, options: NeckOptions, stride: int) -> Backbone:
    """The backbone of a trunk and a neck, `TRUNK+NECK`; UserError where they do not fit."""
    from centernet.models.networks.composite import Composite

    trunk_name, _, neck_name = name.rpartition("+")
    trunk = create_trunk(trunk_name)
    return Composite(trunk, create_neck(neck_name, trunk.widths, trunk.strides, options, stride))
