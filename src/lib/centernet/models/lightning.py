"""Networks of centernet-lightning in our names, of both generations of its files.

The first (2021) calls its parts `backbone`, `neck`, `output_heads`; the second (2022)
`model.backbone`, `model.neck`, `model.heads`. A Lightning file keeps how the network was made under
`hyper_parameters`.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

import torch
from torch import Tensor

from centernet.models.networks.necks.neck import NeckOptions
from centernet.models.spec import ModelSpec
from centernet.runtime.errors import UserError

NECK_NAMES = {"simple": "simple", "fpn": "fpn", "ida": "ida", "bifpn": "bifpn"}
UPSAMPLES = {"conv_transpose": "deconv", "nearest": "nearest", "bilinear": "bilinear"}
CONVS = {"normal": "normal", "separable": "separable", "deformable": "dcn"}

# What the neck of the first generation calls its parts, and what ours does.
_FIRST: dict[str, tuple[tuple[str, str], ...]] = {
    "simple": (),
    "fpn": (
        (r"^top_conv\.", "laterals.0."),
        (r"^skip_connections\.(\d+)\.", "laterals.{+1}."),
        (r"^conv_layers\.", "smooths."),
        (r"^up_layers\.", "ups."),
        (r"^weights\.(\d+)$", "skips.{+0}.weight"),
    ),
    "ida": (
        (r"^(layers\.\d+\.\d+)\.weights$", r"\1.fuse.weights"),
        (r"^(layers\.\d+\.\d+)\.output_conv\.", r"\1.output."),
        (r"^(layers\.\d+\.\d+)\.upsample\.", r"\1.up."),
    ),
    "bifpn": (
        (r"^(layers\.\d+)\.top_down\.(\d+)\.", r"\1.down.\2."),
        (r"^(layers\.\d+)\.bottom_up\.(\d+)\.", r"\1.climb.\2."),
        (r"^(layers\.\d+)\.last_fuse\.", r"\1.climb.{last}."),
        (r"^(layers\.\d+\.\w+\.\d+)\.weights$", r"\1.fuse.weights"),
        (r"^(layers\.\d+\.\w+\.\d+)\.output_conv\.", r"\1.output."),
    ),
}
_SECOND: dict[str, tuple[tuple[str, str], ...]] = {
    "fpn": (
        (r"^lateral_convs\.(\d+)\.", "laterals.{-}."),
        (r"^output_convs\.(\d+)\.", "smooths.{+0}."),
    ),
    "bifpn": (
        (r"^laterals\.", "project."),
        (r"^(layers\.\d+)\.inter_convs\.(\d+)\.", r"\1.down.{+0}.output."),
        (r"^(layers\.\d+)\.output_convs\.", r"\1.climb.OUT"),
    ),
}


def neck_options(name: str, options: Mapping[str, Any]) -> tuple[str, NeckOptions]:
    """Our name of a neck of theirs, and its options in our words.

    UserError for a neck or an option that has no counterpart.
    """
    ours = NECK_NAMES.get(name.lower())
    if ours is None:
        raise UserError(f"neck {name!r} of centernet-lightning: has no counterpart here")
    second = name != name.lower()
    known = {
        *("upsample_channels", "num_channels", "out_channels", "upsample_type", "conv_type"),
        *("weighted_fusion", "fuse_fn", "num_layers", "deconv_kernel", "deconv_init_bilinear"),
        *("downsample_type", "num_features", "name"),
    }
    other = sorted(set(options) - known)
    if other:
        raise UserError(f"neck {name!r} of centernet-lightning: option {other[0]!r} is unknown")
    widths = next(
        (options[n] for n in ("upsample_channels", "num_channels", "out_channels") if n in options),
        64 if ours == "bifpn" else (256, 128, 64) if not second else 64,
    )
    weighted = options.get("weighted_fusion", ours == "bifpn" and not second)
    learnt = options.get("upsample_type", "conv_transpose" if ours == "simple" else "nearest")
    return ours, NeckOptions(
        channels=(widths,) if isinstance(widths, int) else tuple(widths),
        upsample=UPSAMPLES[learnt],
        conv=CONVS[options.get("conv_type", "normal")],
        fusion="weighted" if weighted else options.get("fuse_fn", "sum"),
        layers=options.get("num_layers", 3),
        kernel=options.get("deconv_kernel", 3),
        downsample="nearest" if second else "max",
    )


def neck_renamed(weights: Mapping[str, Tensor], name: str, steps: int) -> dict[str, Tensor]:
    """The tensors of a neck (keys without its prefix) under our names.

    `name` is ours, `steps` how often the neck doubles its map.
    """
    second = any(re.search(r"\.(conv|bn)\.\w+$", key) for key in weights)
    rules = (_SECOND if second else _FIRST)[name]
    renamed = {}
    for key, value in joined_offsets(weights).items():
        renamed[_renamed(key, rules, steps) if rules else key] = value
    return renamed


def _renamed(key: str, rules: tuple[tuple[str, str], ...], steps: int) -> str:
    for pattern, new in rules:
        found = re.search(pattern, key)
        if not found:
            continue
        number = next((int(g) for g in reversed(found.groups()) if g.isdecimal()), 0)
        new = new.replace("{last}", str(steps - 1))
        for mark, value in (
            ("{+1}", number + 1), ("{+0}", number), ("{-}", steps - number),
            ("{~}", steps - 1 - number),
        ):  # fmt: skip
            new = new.replace(mark, str(value))
        key = re.sub(pattern, new, key)
    key = re.sub(r"\.climb\.OUT(\d+)\.", r".climb.\1.output.", key)
    return re.sub(r"\.conv\.(weight)$", r".0.\1", re.sub(r"\.bn\.(\w+)$", r".1.\1", key))


def joined_offsets(weights: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """`weights` with the offset and the mask convolution of each deformable one joined to ours."""
    joined = {}
    for key, value in weights.items():
        if ".mask_conv." in key:
            continue
        if ".offset_conv." in key:
            mask = weights[key.replace(".offset_conv.", ".mask_conv.0.")]
            joined[key.replace(".offset_conv.", ".conv_offset_mask.")] = torch.cat([value, mask])
        elif ".deform_conv." in key:
            joined[key.replace(".deform_conv.", ".")] = value
            bias = key.replace(".deform_conv.weight", ".bias")
            joined[bias] = value.new_zeros(value.shape[0])
        else:
            joined[key] = value
    return joined


def spec_in(section: Mapping[str, Any]) -> ModelSpec:
    """The network that a model section of either generation describes, with its number of classes.

    First: `backbone: {name}`, `neck: {name, ...}`, `output_heads: {heatmap: {num_classes}}`; the
    second: names, with `neck_config`, `head_config` and `num_classes`. UserError
    for what has no counterpart.
    """
    backbone, neck = section.get("backbone"), section.get("neck")
    if isinstance(backbone, Mapping) and isinstance(neck, Mapping):
        trunk = str(backbone.get("name"))
        frozen = backbone.get("frozen_stages", 0)
        neck_name, options = neck_options(
            str(neck.get("name")), {k: v for k, v in neck.items() if k != "name"}
        )
        heat = (section.get("output_heads") or {}).get("heatmap") or {}
        classes, width = heat.get("num_classes", 80), 256
        depth, norm = 1, "none"
    elif isinstance(backbone, str) and isinstance(neck, str):
        trunk, frozen = toolbox_name(backbone), 0
        neck_name, options = neck_options(neck, section.get("neck_config") or {})
        head = section.get("head_config") or {}
        heat = (section.get("heads") or {}).get("heatmap") or {}
        classes = section.get("num_classes", heat.get("out_channels", 80))
        width, depth, norm = head.get("width", 256), head.get("depth", 1), "bn"
    else:
        raise UserError("model: names no backbone and neck, as backbone: {name: resnet34}")
    counts = {"num_classes": classes, "frozen_stages": frozen, "width": width, "depth": depth}
    for name, count in counts.items():
        if not isinstance(count, int):
            raise UserError(f"model: {name} is {count!r}, where a whole number is expected")
    return ModelSpec(
        trunk_name(trunk),
        neck_name,
        options,
        head_conv=width,
        head_depth=depth,
        head_norm=norm,
        frozen_stages=max(frozen, 0),
        task="ctdet",
        classes=tuple(map(str, range(1, classes + 1))),
    )


def trunk_name(name: str) -> str:
    """Our name of a backbone of theirs: timm_NAME is timm:NAME."""
    if name.startswith("timm_"):
        return f"timm:{name.removeprefix('timm_')}"
    return name


def toolbox_name(name: str) -> str:
    """Our name of a backbone of the second generation's, whose VoVNets are vision-toolbox's."""
    return f"toolbox_{name}" if name.startswith("vovnet") else name
