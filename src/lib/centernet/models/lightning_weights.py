"""The tensors of whole centernet-lightning networks under our names.

The first generation calls the parts of its network `backbone`, `neck`, `output_heads`; the second
`model.backbone`, `model.neck`, `model.heads`. The trunks are torchvision's or vision-toolbox's with
other names for the same tensors in the same order, so these are matched by order and shape.
"""

from __future__ import annotations

import re
from collections.abc import Mapping

from torch import Tensor

from centernet.models.lightning import neck_renamed
from centernet.models.model import CenterNet
from centernet.models.networks.composite import Composite
from centernet.runtime.errors import UserError

COUNTER = "num_batches_tracked"
TRUNK, NECK = "backbone.trunk.", "backbone.neck."
_FIRST_HEAD = re.compile(r"output_heads\.(\w+)\.head\.(.+)$")
_SECOND_HEAD = re.compile(r"heads\.(\w+)\.(?:block_(\d+)\.(conv|bn)|(out_conv))\.(\w+)$")


def recognised(weights: Mapping[str, Tensor]) -> bool:
    """Whether these are the tensors of one of centernet-lightning's networks."""
    return any(key.startswith(("output_heads.", "model.heads.")) for key in weights)


def in_our_names(
    weights: Mapping[str, Tensor], model: CenterNet, neck: str, heads: Mapping[str, str], name: str
) -> dict[str, Tensor]:
    """`weights` by the names of `model`, whose neck is called `neck` here.

    `heads` says what their heads are called here; others (a classifier of identities) are left out.
    `name` is for messages: UserError where the trunk is another one.
    """
    backbone = model.backbone
    assert isinstance(backbone, Composite)
    weights = {key.removeprefix("model."): value for key, value in weights.items()}
    theirs = {k.partition(".")[2]: v for k, v in weights.items() if k.startswith("backbone.")}
    renamed = trunk_renamed(theirs, model, name)
    inside = {k.partition(".")[2]: v for k, v in weights.items() if k.startswith("neck.")}
    for key, value in neck_renamed(inside, neck, backbone.neck.steps).items():
        renamed[f"{NECK}{key}"] = value
    depth = len([k for k in weights if re.search(r"heads\.heatmap\.block_\d+\.conv\.weight", k)])
    for key, value in weights.items():
        own = _head_key(key, heads, depth)
        if own is not None:
            renamed[own] = value
    return renamed


def trunk_renamed(theirs: Mapping[str, Tensor], model: CenterNet, name: str) -> dict[str, Tensor]:
    """The tensors of a trunk, matched with those of `model` by their order."""
    own = [k for k in model.state_dict() if k.startswith(TRUNK) and not k.endswith(COUNTER)]
    given = [key for key in theirs if not key.endswith(COUNTER)]
    state = model.state_dict()
    fits = len(own) == len(given) and all(
        state[a].shape == theirs[b].shape for a, b in zip(own, given, strict=True)
    )
    if not fits:
        raise UserError(f"{name}: its backbone is not {type(model.backbone).__name__.lower()}'s")
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
