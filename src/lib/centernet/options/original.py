"""Flags of the published command lines whose task is not a part of this program yet.

They are accepted by every task, so that an old command runs, and the answer to one that is given is
a line that says it does nothing. A task that declares one of them itself takes it over.
"""

from __future__ import annotations

from dataclasses import dataclass

from centernet.options.field import option


@dataclass(frozen=True)
class MultiPose:
    """multi_pose"""

    hp_weight: float = option(1.0, "weight of the keypoint offset loss")
    hm_hp_weight: float = option(1.0, "weight of the keypoint heat map loss")
    dense_hp: bool = option(False, "learn keypoints all over a gaussian")
    not_hm_hp: bool = option(False, "no keypoint heat maps")
    not_reg_hp_offset: bool = option(False, "no sub-pixel offset of the keypoints")
    not_reg_bbox: bool = option(False, "no box sizes")
    eval_oracle_kps: bool = option(False, "test with the true keypoint offsets")
    eval_oracle_hmhp: bool = option(False, "test with the true keypoint heat maps")
    eval_oracle_hp_offset: bool = option(False, "test with the true keypoint sub-pixel offsets")


@dataclass(frozen=True)
class Ddd:
    """ddd"""

    aug_ddd: float = option(0.5, "how often the view is cropped")
    rect_mask: bool = option(False, "ignore the whole box of an object that does not count")
    dep_weight: float = option(1.0, "weight of the depth loss")
    dim_weight: float = option(1.0, "weight of the dimension loss")
    rot_weight: float = option(1.0, "weight of the orientation loss")
    peak_thresh: float = option(0.2, "lowest score of a detection")
    eval_oracle_dep: bool = option(False, "test with the true depths")


@dataclass(frozen=True)
class Exdet:
    """exdet"""

    agnostic_ex: bool = option(False, "one heat map of extreme points for all classes")
    scores_thresh: float = option(0.1, "lowest score of an extreme point")
    center_thresh: float = option(0.1, "lowest score of a centre")
    aggr_weight: float = option(0.0, "weight of the scores gathered along the edges")


@dataclass(frozen=True)
class Oracle:
    """evaluation of single heads"""

    eval_oracle_hm: bool = option(False, "test with the true heat maps")
    eval_oracle_wh: bool = option(False, "test with the true box sizes")
    eval_oracle_offset: bool = option(False, "test with the true offsets")


ORIGINAL: tuple[type, ...] = (MultiPose, Ddd, Exdet, Oracle)
