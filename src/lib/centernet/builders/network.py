"""The network that options name."""

from __future__ import annotations

from typing import Any

from centernet.models.checkpoint import Checkpoint
from centernet.models.description import spec_of
from centernet.models.networks.necks import NeckOptions
from centernet.models.spec import ModelSpec
from centernet.options.groups import Model
from centernet.runtime.errors import UserError


def network_spec(asked: Model, checkpoint: Checkpoint | None = None) -> ModelSpec:
    """The spec that the flags name; what they leave open is as `checkpoint` says.

    UserError for --backbone without --neck or the other way round.
    """
    own = NeckOptions(
        asked.neck_channels,
        asked.neck_upsample or "",
        asked.neck_conv or "",
        asked.neck_fusion or "",
    )
    named = asked.arch
    if asked.backbone or asked.neck:
        if not (asked.backbone and asked.neck):
            raise UserError(
                "--backbone and --neck belong together, as --backbone resnet34 --neck fpn"
            )
        named = f"{asked.backbone}+{asked.neck}"
    heads: dict[str, Any] = {"head_conv": asked.head_conv}
    for name in ("head_depth", "head_norm", "prior"):
        if getattr(asked, name) is not None:
            heads[name] = getattr(asked, name)
    if asked.prior is not None and not 0 < asked.prior < 1:
        raise UserError(f"--prior {asked.prior:g}: a probability between 0 and 1")
    described = None if checkpoint is None else spec_of(checkpoint.description)
    if described is not None and described.arch == named and own == NeckOptions():
        return described.changed(frozen_stages=asked.frozen_stages, **heads)
    return ModelSpec.named(
        named,
        neck_options=own,
        **heads,
        stride=asked.down_ratio,
        frozen_stages=asked.frozen_stages,
    )
