"""Names of tensors in the checkpoints that others published, and how they become ours.

Our keys are `backbone.<name>`, `poolings.<name>` and `heads.<name>`; the published ones are the
bare `<name>`, often behind the `module.` that a data-parallel wrapper leaves. ExtremeNet (Zhou et
al., "Bottom-up Object Detection by Grouping Extreme and Center Points", CVPR 2019) is the same
two-stack hourglass as ours with other head names, so that its weights start the `exdet` task. Of
the keypoint triplets (Duan et al., ICCV 2019) there are two public programs, which name the same
tensors differently: the authors' calls the parts `tl_cnvs`, `tl_heats`, ..., the other one as we
do, but `top` what we call `up1`.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping

from torch import Tensor

# CenterTrack's layers for the previous frame (Zhou et al., ECCV 2020), and ours.
STEMS = {"base.pre_img_layer.": "stems.previous.", "base.pre_hm_layer.": "stems.heat."}
PREFIXES = ("backbone.", "poolings.", "heads.")
WRAPPERS = ("module.", "_orig_mod.")
EXTREMENET_HEADS = {
    "t_heats": "hm_t",
    "l_heats": "hm_l",
    "b_heats": "hm_b",
    "r_heats": "hm_r",
    "ct_heats": "hm_c",
    "t_regrs": "reg_t",
    "l_regrs": "reg_l",
    "b_regrs": "reg_b",
    "r_regrs": "reg_r",
}
CENTERFACE_PARTS = {"base": "trunk", "dla_up": "neck"}
TRIPLET_PARTS = {"cnvs": "cnvs", "heats": "hmap", "tags": "embd", "regrs": "regs"}
_TRIPLET_PART = re.compile(r"(tl|br|ct)_(cnvs|heats|tags|regrs)\.")


def published_key(key: str) -> str:
    """The published name of one of our keys: `heads.hm.2.weight` becomes `hm.2.weight`."""
    for published, ours in STEMS.items():
        if key.startswith(ours):
            return published + key[len(ours) :]
    for prefix in PREFIXES:
        if key.startswith(prefix):
            return key[len(prefix) :]
    return key


def unwrapped(weights: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """`weights` without the prefixes of data-parallel and compile wrappers."""
    return {_unwrap(key): value for key, value in weights.items()}


def _unwrap(key: str) -> str:
    while key.startswith(WRAPPERS):
        key = key.split(".", 1)[1]
    return key


def our_names(weights: Mapping[str, Tensor], keys: Iterable[str]) -> dict[str, Tensor]:
    """Rename the tensors of a checkpoint to `keys`, the names of the model at hand.

    Accepts our own names, published names, ExtremeNet's and those of both programs for triplets; a
    name that matches none of `keys` stays as it is (it belongs to a part that this model does not
    have).
    """
    ours = {published_key(key): key for key in keys}
    renamed = {}
    for key, value in unwrapped(weights).items():
        published = published_key(key)
        names = (
            published,
            _from_extremenet(published),
            _from_triplets(published),
            published.replace(".offset.", ".conv.conv_offset_mask."),  # CenterNet2's DLA
            _from_centerface(published),
        )
        renamed[next((ours[name] for name in names if name in ours), key)] = value
    return renamed


def _from_extremenet(name: str) -> str:
    head, dot, rest = name.partition(".")
    return EXTREMENET_HEADS.get(head, head) + dot + rest


def _from_centerface(name: str) -> str:
    """CenterFace.pytorch's: `base` is the trunk, `dla_up` the neck, `hm.0` a convolution."""
    part, _, rest = name.partition(".")
    if part == "hm":
        return f"hm.{rest.removeprefix('0.')}"
    return f"{CENTERFACE_PARTS.get(part, part)}.{rest}"


def _from_triplets(name: str) -> str:
    name = _TRIPLET_PART.sub(lambda part: f"{TRIPLET_PARTS[part[2]]}_{part[1]}.", name)
    name = name.replace(".P1_look_conv.", ".p1_look_conv.")
    name = name.replace(".P2_look_conv.", ".p2_look_conv.")
    return name.replace(".top.", ".up1.")
