"""A network from its description."""

from __future__ import annotations

from collections.abc import Mapping

from centernet.models.inputs import IMAGE_ALONE, Input
from centernet.models.model import CenterNet
from centernet.models.networks import make_backbone
from centernet.models.spec import HeadSpec, ModelSpec


def create_model(
    arch: str | ModelSpec,
    heads: Mapping[str, int | HeadSpec],
    head_conv: int | None = None,
    inputs: Mapping[str, Input] = IMAGE_ALONE,
) -> CenterNet:
    """The network of a spec, or of one by its name; UserError lists the names if it is unknown.

    `head_conv` None leaves the width of the heads to the spec.
    """
    spec = ModelSpec.named(arch) if isinstance(arch, str) else arch
    width = spec.head_conv if head_conv is None else head_conv
    return CenterNet(make_backbone(spec), heads, width, inputs, spec.layers, spec.prior)
