"""Checkpoints of mmdetection's CenterNet with a ResNet: names, colours and way of testing.

Read from its configurations and modules (releases 2.13 to 3.x): a ResNet, `CTResNetNeck` (in each
step a convolution, deformable or not, and a transposed convolution) and `CenterNetHead`. It feeds
RGB; exchanging the input channels of the first convolution makes that BGR, exactly. It tests each
image in its own size, padded around to (side | 31) + 1, with 100 peaks and no flip: that is
`keep_res` with the decoding of ctdet, which its own equals up to the scale of the coordinates.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

import torch
from torch import Tensor

from centernet.datasets.published import COCO_CLASSES, PUBLISHED
from centernet.runtime.errors import UserError

HEADS = {"heatmap_head": "hm", "wh_head": "wh", "offset_head": "reg"}
HEAT = "bbox_head.heatmap_head."
NECK = "neck.deconv_layers."
# (blocks of the third layer, whether a block has three convolutions) of each ResNet
DEPTHS = {(2, False): 18, (6, False): 34, (6, True): 50, (23, True): 101, (36, True): 152}
# What its published configurations subtract and divide by, RGB, of colours in [0, 255].
MEAN, STD = (123.675, 116.28, 103.53), (58.395, 57.12, 57.375)
_NUMBERS = r"\s*=\s*[\[(]([^\])]*)[\])]"
_NORMALISATION = re.compile(
    rf"mean{_NUMBERS}\s*,\s*std{_NUMBERS}\s*,\s*(?:bgr_)?to_rgb\s*=\s*(True|False)", re.DOTALL
)
_NONE = ((0.0,) * 3, (1.0,) * 3)  # what the padding step is configured with


def recognised(weights: Mapping[str, Tensor]) -> bool:
    """Whether the names are those of mmdetection's CenterNet."""
    return any(key.startswith(HEAT) for key in weights)


def converted(
    weights: Mapping[str, Tensor], meta: Mapping[str, Any], name: str
) -> tuple[dict[str, Tensor], dict[str, Any]]:
    """(weights under our names and for BGR, description) of such a checkpoint.

    `meta` is what the file says beside the weights; `name` is for messages. Raises UserError for a
    network that is not a ResNet with CTResNetNeck.
    """
    if not any(key.startswith(NECK) for key in weights) or "backbone.conv1.weight" not in weights:
        raise UserError(
            f"{name}: an mmdetection CenterNet, but not one of a ResNet with CTResNetNeck; only"
            " those are read here"
        )
    mean, std, rgb = normalisation(_config(meta), name)
    ours = {our_name(key): value for key, value in weights.items()}
    if rgb:
        first = "backbone.conv1.weight"
        ours[first] = ours[first].flip(1)
        mean, std = mean[::-1], std[::-1]
    for key in [key for key in ours if key.endswith("conv_offset_mask.weight")]:
        plain = key.removesuffix("conv_offset_mask.weight")
        ours.setdefault(f"{plain}bias", torch.zeros(len(ours[f"{plain}weight"])))
    return ours, _description(ours, meta, mean, std, name)


def our_name(key: str) -> str:
    """`bbox_head.wh_head.2.bias` becomes `heads.wh.2.bias`; names that are the same stay."""
    part, _, rest = key.partition(".")
    if part == "bbox_head":
        head, _, rest = rest.partition(".")
        return f"heads.{HEADS.get(head, head)}.{rest}"
    if not key.startswith(NECK):
        return key
    number, module, rest = key.removeprefix(NECK).split(".", 2)
    # A module of ours each for convolution, BN and ReLU; of theirs one for the three.
    place = 3 * int(number) + (module == "bn")
    rest = rest.replace("conv_offset.", "conv_offset_mask.")
    return f"backbone.deconv_layers.{place}.{rest}"


def normalisation(config: str, name: str) -> tuple[tuple[float, ...], tuple[float, ...], bool]:
    """(mean, std, whether the network takes RGB) of colours in [0, 1], from the text of a config.

    The published figures where the text has none; UserError where it has several.
    """
    found = set()
    for mean, std, rgb in _NORMALISATION.findall(config):
        figures = tuple(tuple(float(v) for v in text.split(",")) for text in (mean, std))
        if figures != _NONE:
            found.add((*figures, rgb == "True"))
    if len(found) > 1:
        raise UserError(f"{name}: its configuration normalises images in {len(found)} ways")
    mean, std, rgb = found.pop() if found else (MEAN, STD, True)
    return tuple(v / 255 for v in mean), tuple(v / 255 for v in std), rgb


def _config(meta: Mapping[str, Any]) -> str:
    return str(meta.get("config") or meta.get("cfg") or "")


def _description(
    ours: Mapping[str, Tensor],
    meta: Mapping[str, Any],
    mean: tuple[float, ...],
    std: tuple[float, ...],
    name: str,
) -> dict[str, Any]:
    classes = len(ours["heads.hm.2.weight"])
    said: dict[str, Any] = {
        "task": "ctdet",
        "arch": _arch(ours, name),
        "head_conv": len(ours["heads.hm.0.weight"]),
        "mean": mean,
        "std": std,
        "colour": "BGR",
        "input_size": (512, 512),
        "keep_res": True,
        "name": "mmdetection",
    }
    names = _class_names(meta) or (COCO_CLASSES if classes == len(COCO_CLASSES) else ())
    if names == COCO_CLASSES:
        said |= {"dataset": "coco", "category_ids": PUBLISHED["coco"].category_ids}
    elif len(names) == classes:
        said |= {"category_ids": tuple(range(1, classes + 1))}
    return said | ({"class_names": names} if len(names) == classes else {})


def _class_names(meta: Mapping[str, Any]) -> tuple[str, ...]:
    data = meta.get("dataset_meta") or {}
    names = data.get("classes") or data.get("CLASSES") or meta.get("CLASSES") or ()
    return (names,) if isinstance(names, str) else tuple(names)


def _arch(ours: Mapping[str, Tensor], name: str) -> str:
    blocks = len({key.split(".")[2] for key in ours if key.startswith("backbone.layer3.")})
    depth = DEPTHS.get((blocks, "backbone.layer1.0.conv3.weight" in ours))
    if depth is None:
        raise UserError(f"{name}: an mmdetection CenterNet of a ResNet of unknown depth")
    deformable = any("conv_offset_mask" in key for key in ours)
    return f"{'resdcn' if deformable else 'resconv'}_{depth}"
