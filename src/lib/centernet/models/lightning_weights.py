"""The tensors of whole centernet-lightning networks under our names.

The first generation calls the parts of its network `backbone`, `neck`, `output_heads`; the second
`model.backbone`, `model.neck`, `model.heads`. The trunks are torchvision's or vision-toolbox's with
other names for the same tensors in the same order, so these are matched by order and shape.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from torch import Tensor, nn

from centernet.datasets.published import PUBLISHED
from centernet.models.lightning import NECK_NAMES, neck_renamed, spec_in
from centernet.models.networks.backbone import Normalisation
from centernet.models.networks.necks.neck import Neck
from centernet.runtime.errors import UserError

HEADS = {"heatmap": "hm", "box_2d": "ltrb"}  # and what they are called here
# What the configurations of the first and of the second generation do with colours.
NORMAL = (Normalisation(), Normalisation((0.5,) * 3, (0.5,) * 3))
COUNTER = "num_batches_tracked"
TRUNK, NECK = "backbone.trunk.", "backbone.neck."
_FIRST_HEAD = re.compile(r"output_heads\.(\w+)\.head\.(.+)$")
_SECOND_HEAD = re.compile(r"heads\.(\w+)\.(?:block_(\d+)\.(conv|bn)|(out_conv))\.(\w+)$")


def recognised(weights: Mapping[str, Tensor]) -> bool:
    """Whether these are the tensors of one of centernet-lightning's networks."""
    return any(key.startswith(("output_heads.", "model.heads.")) for key in weights)


def in_our_names(
    weights: Mapping[str, Tensor], model: nn.Module, heads: Mapping[str, str], name: str
) -> dict[str, Tensor]:
    """`weights` by the names of `model`, a network of a trunk and a neck.

    `heads` says what their heads are called here; others (a classifier of identities) are left out.
    `name` is for messages: UserError where the network is another one.
    """
    neck = getattr(getattr(model, "backbone", None), "neck", None)
    kind = type(neck).__name__.lower()
    if not isinstance(neck, Neck) or kind not in NECK_NAMES.values():
        raise UserError(
            f"{name}: a checkpoint of centernet-lightning, which fits a network of a trunk and one"
            f" of the necks {', '.join(NECK_NAMES.values())}; leave out --arch"
        )
    weights = {key.removeprefix("model."): value for key, value in weights.items()}
    theirs = {k.partition(".")[2]: v for k, v in weights.items() if k.startswith("backbone.")}
    renamed = trunk_renamed(theirs, model, name)
    inside = {k.partition(".")[2]: v for k, v in weights.items() if k.startswith("neck.")}
    for key, value in neck_renamed(inside, kind, neck.steps).items():
        renamed[f"{NECK}{key}"] = value
    depth = len([k for k in weights if re.search(r"heads\.heatmap\.block_\d+\.conv\.weight", k)])
    for key, value in weights.items():
        own = _head_key(key, heads, depth)
        if own is not None:
            renamed[own] = value
    return renamed


def trunk_renamed(theirs: Mapping[str, Tensor], model: nn.Module, name: str) -> dict[str, Tensor]:
    """The tensors of a trunk, matched with those of `model` by their order."""
    own = [k for k in model.state_dict() if k.startswith(TRUNK) and not k.endswith(COUNTER)]
    given = [key for key in theirs if not key.endswith(COUNTER)]
    state = model.state_dict()
    fits = len(own) == len(given) and all(
        state[a].shape == theirs[b].shape for a, b in zip(own, given, strict=True)
    )
    if not fits:
        raise UserError(f"{name}: its backbone is another one than that of this network")
    renamed = {a: theirs[b] for a, b in zip(own, given, strict=True)}
    for a, b in zip(own, given, strict=True):
        counter = f"{b.rpartition('.')[0]}.{COUNTER}"
        if a.endswith("running_var") and counter in theirs:
            renamed[f"{a.rpartition('.')[0]}.{COUNTER}"] = theirs[counter]
    return renamed


def _head_key(key: str, heads: Mapping[str, str], depth: int) -> str | None:
    """Our name of a tensor of a head of theirs; None for what has none."""
    first = _FIRST_HEAD.match(key)
    if first:
        return f"heads.{heads[first[1]]}.{first[2]}" if first[1] in heads else None
    second = _SECOND_HEAD.match(key)
    if not second or second[1] not in heads:
        return None
    # A module of ours each for convolution, BN and ReLU; theirs are counted from 1.
    place = 3 * depth if second[4] else 3 * (int(second[2]) - 1) + (second[3] == "bn")
    return f"heads.{heads[second[1]]}.{place}.{second[5]}"


def described(
    weights: Mapping[str, Tensor], settings: Mapping[str, Any], name: str
) -> tuple[dict[str, Tensor], dict[str, Any]]:
    """(weights, still under their names, for BGR; description) of one of its checkpoints.

    `settings` are the file's `hyper_parameters`. Boxes are the four sides of ctdet's `--box ltrb`;
    a head of identities is left out. UserError for a network that has no counterpart.
    """
    try:
        spec = spec_in(settings)
    except UserError as error:
        raise UserError(f"{name}: a checkpoint of centernet-lightning: {error}") from error
    first = next((k for k, v in weights.items() if v.ndim == 4 and v.shape[1] == 3), None)
    if first is not None:
        weights = {**weights, first: weights[first].flip(1)}
    second = isinstance(settings.get("backbone"), str)
    mean, std = NORMAL[second].bgr
    classes = len(spec.classes)
    spec = spec.changed(task="ctdet", classes=())
    said: dict[str, Any] = {
        "task": "ctdet",
        "options": {
            "box": "ltrb",
            "box_multiplier": float(settings.get("box_multiplier", 1.0)),
            "box_log": bool(settings.get("box_log", False)),
        },
        "arch": spec.arch,
        "head_conv": spec.head_conv,
        "network": spec.plain(),
        "heads": {"hm": classes, "ltrb": 4},
        "mean": mean,
        "std": std,
        "input_size": (512, 512),
        "name": "centernet-lightning",
    }
    coco = PUBLISHED["coco"]
    if classes == coco.num_classes:
        said |= {"class_names": coco.class_names, "category_ids": coco.category_ids}
        said["dataset"] = "coco"
    return dict(weights), said
