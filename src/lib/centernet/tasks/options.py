"""What the command line knows of each task: its flags, its title, its published data set.

Nothing here needs PyTorch, so that `--help` answers at once.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, ClassVar

from centernet.runtime.option import option


@dataclass(frozen=True)
class TaskOptions:
    """The flags of a task; `title` is its line in --help."""

    title: ClassVar[str]
    default_dataset: ClassVar[str] = "coco"  # where the command names none
    presets: ClassVar[Mapping[str, Any]] = {}  # other defaults of flags that all tasks have


@dataclass(frozen=True)
class CentreOptions(TaskOptions):
    """Flags that the losses of all tasks with heat maps and offsets share."""

    mse_loss: bool = option(False, "mean squared error in place of the focal loss for heat maps")
    reg_loss: str = option("l1", "distance at the centres", ("l1", "sl1", "l2"))
    hm_weight: float = option(1.0, "weight of the heat map loss", at_least=0)
    off_weight: float = option(1.0, "weight of the offset loss", at_least=0)
    not_reg_offset: bool = option(False, "learn no sub-pixel offset of the peaks")


@dataclass(frozen=True)
class LossOptions(CentreOptions):
    """Those of tasks that also learn box sizes."""

    wh_weight: float = option(0.1, "weight of the box size loss", at_least=0)
    heat_loss: str = option(
        "focal",
        "loss of the heat map of the centres: focal, quality (quality focal loss), binary (cross"
        " entropy)",
        ("focal", "quality", "binary"),
    )
    radius: str = option(
        "published",
        "radius of the gaussians: published, exact (the roots as in CornerNet's text, smaller), ttf"
        " (of each side of the box) or fixed:N (N cells)",
    )


@dataclass(frozen=True)
class CtdetOptions(LossOptions):
    """Flags of 2D detection."""

    title: ClassVar[str] = "2D boxes: centre, size, offset"

    norm_wh: bool = option(False, "box sizes are learned relative to the true ones")
    dense_wh: bool = option(False, "box sizes are learned all over a gaussian, not at its centre")
    cat_spec_wh: bool = option(False, "one pair of size maps for every class")
    box: str = option(
        "wh", "what a box is learned as: width and height, or its four sides", ("wh", "ltrb")
    )
    box_loss: str | None = option(
        None,
        "loss of the boxes of --box ltrb (not given: giou), weighed by --wh_weight",
        ("l1", "smooth_l1", "l2", "iou", "giou", "diou", "ciou"),
    )
    box_samples: str = option(
        "centre", "cells that learn a box of --box ltrb", ("centre", "3x3", "gaussian")
    )
    box_multiplier: float = option(
        1.0, "map pixels that a value of 1 of --box ltrb stands for", at_least=0
    )
    box_log: bool = option(False, "--box ltrb learns the logarithms of the distances")


@dataclass(frozen=True)
class MultiPoseOptions(LossOptions):
    """Flags of pose estimation."""

    title: ClassVar[str] = "human (or any jointed) pose: box and joints"
    default_dataset: ClassVar[str] = "coco_hp"

    mse_loss: bool = option(False, "mean squared error for the heat maps of the joints")
    dense_hp: bool = option(False, "joints are learned all over a gaussian, not at the centre")
    not_hm_hp: bool = option(False, "learn no heat maps of the joints (and no offsets in them)")
    not_reg_hp_offset: bool = option(False, "learn no sub-pixel offset of the joints")
    not_reg_bbox: bool = option(False, "learn no box sizes: a box is what its joints span")
    hp_weight: float = option(1.0, "weight of the loss of the vectors to the joints", at_least=0)
    hm_hp_weight: float = option(1.0, "weight of the joints' heat map loss", at_least=0)


@dataclass(frozen=True)
class DddOptions(LossOptions):
    """Flags of 3D detection."""

    title: ClassVar[str] = "3D boxes from one image: centre, depth, size, orientation"
    default_dataset: ClassVar[str] = "kitti"

    dep_weight: float = option(1.0, "weight of the depth loss", at_least=0)
    dim_weight: float = option(1.0, "weight of the loss of the sizes in metres", at_least=0)
    rot_weight: float = option(1.0, "weight of the orientation loss", at_least=0)
    not_reg_bbox: bool = option(
        False, "learn no image boxes: a box is where the cuboid's corners are seen"
    )
    rect_mask: bool = option(
        False, "regions to ignore are whole rectangles in the heat map, not only their middles"
    )
    aug_ddd: float = option(0.5, "how often a training view shifts and scales", at_least=0)
    peak_thresh: float = option(0.2, "lowest score of a detection", at_least=0)
    calib: str = option(
        "",
        "camera of the pictures: a KITTI calibration file (its P2), or fx,fy,cx,cy in pixels (not"
        " given: one like KITTI's is assumed)",
    )


@dataclass(frozen=True)
class TrackingOptions(TaskOptions):
    """Flags of tracking by offsets."""

    title: ClassVar[str] = "2D boxes with identities: where each object was a moment ago"
    # As CenterTrack has them: shift and scale are those of the previous frame beside this one.
    presets: ClassVar[Mapping[str, Any]] = {
        "tracker": "center",
        "shift": 0.0,
        "scale": 0.0,
        "num_epochs": 70,
        "lr_step": (60,),
    }

    pre_hm: bool = option(False, "the network sees a heat map of the previous frame's objects")
    no_pre_img: bool = option(False, "the network does not see the previous frame")
    zero_pre_hm: bool = option(False, "the heat map of the previous frame's objects is empty")
    pre_thresh: float = option(0.3, "score of an object that the next frame is told of", at_least=0)
    same_aug_pre: bool = option(
        False, "training sees the previous frame through the very view of this one (--shift and"
        " --scale move it against this one otherwise)"
    )  # fmt: skip
    max_frame_dist: int = option(
        3, "the previous frame is drawn from those less than so many away", at_least=1
    )
    hm_disturb: float = option(
        0.0, "how far known objects are displaced, in their sides", at_least=0
    )
    lost_disturb: float = option(0.0, "how often a known object is left out", at_least=0)
    fp_disturb: float = option(0.0, "how often a false object is added beside one", at_least=0)
    ltrb: bool = option(False, "learn the distances to the four sides of the visible box too")
    ltrb_amodal: bool = option(
        False, "learn the distances to the four sides, beyond the edge of the image too"
    )
    zero_tracking: bool = option(False, "test with displacements of 0")
    prior_bias: float = option(-4.6, "what the heat map's logits start with")
    hm_weight: float = option(1.0, "weight of the heat map loss", at_least=0)
    off_weight: float = option(1.0, "weight of the offset loss", at_least=0)
    wh_weight: float = option(0.1, "weight of the box size loss", at_least=0)
    tracking_weight: float = option(1.0, "weight of the displacement loss", at_least=0)
    ltrb_weight: float = option(0.1, "weight of the loss of the sides", at_least=0)
    ltrb_amodal_weight: float = option(
        0.1, "weight of the loss of the sides beyond the image", at_least=0
    )


@dataclass(frozen=True)
class ExdetOptions(CentreOptions):
    """Flags of detection by extreme points."""

    title: ClassVar[str] = "2D boxes from their extreme points"

    agnostic_ex: bool = option(False, "one heat map of each side for all classes")
    scores_thresh: float = option(0.1, "lowest score of an extreme point", at_least=0)
    center_thresh: float = option(0.1, "lowest score of a centre", at_least=0)
    aggr_weight: float = option(
        0.0, "weight of the scores gathered along an edge, such as 0.1", at_least=0
    )


@dataclass(frozen=True)
class TripletOptions(TaskOptions):
    """Flags of detection by keypoint triplets."""

    title: ClassVar[str] = "2D boxes from two corners and a centre"

    img_size: int = option(
        -1,
        "height and width of a training crop; -1 for one less than the data set's own, 511 of COCO",
        at_least=-1,
    )
    topk: int = option(70, "peaks taken from each map, in place of --K", at_least=1)
    ae_threshold: float = option(
        0.5, "largest difference of the embeddings of two corners of a box", at_least=0
    )
    nms_threshold: float = option(
        0.5, "overlap of soft-NMS (the Gaussian form, which always runs, has no use for it)"
    )
    w_exp: float = option(
        10.0, "how sharply soft-NMS weighs the boxes that it merges into a better one", at_least=0
    )
    hm_weight: float = option(1.0, "weight of the heat map loss", at_least=0)
    off_weight: float = option(1.0, "weight of the offset loss", at_least=0)
    pull_weight: float = option(
        0.1, "weight of the loss that draws the embeddings of an object together", at_least=0
    )
    push_weight: float = option(
        0.1, "weight of the loss that drives those of different objects apart", at_least=0
    )
