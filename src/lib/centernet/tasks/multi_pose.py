"""Poses: a person's centre is a peak, the joints are vectors from it and peaks of their own.

The vectors tell which joint belongs to whom, the joints' heat maps where exactly it is.
Method: Zhou, Wang, Kraehenbuehl, "Objects as Points", arXiv 1904.07850, section on pose.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from functools import partial

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from centernet.datasets.source import Info
from centernet.heads.head_map import HeadMap, Maps
from centernet.heads.losses import AtCentres, Dense, Focal, Loss, MeanSquare, at_centres
from centernet.heads.peaks import (
    mirror,
    mirror_channels,
    mirror_vectors,
)
from centernet.heads.pose_targets import PoseTargets, encode_people
from centernet.heads.term import Term
from centernet.runtime.errors import UserError
from centernet.structures.objects import Objects
from centernet.tasks.options import MultiPoseOptions
from centernet.tasks.task import Head, Task, sigmoid_heat

IGNORED = 0.9999  # of a heat map: no peak, and hardly any loss for whatever is predicted
SNAP_SCORE = 0.1  # a peak of a joint counts above this
SNAP_REACH = 0.3  # and no farther away than this part of the longer side of the box


class MultiPose(Task):
    """Boxes with any number of joints; how many, and which mirror which, the data set says."""

    name = "multi_pose"
    needs = frozenset({"boxes", "keypoints"})
    Options = MultiPoseOptions
    options: MultiPoseOptions

    def __init__(self, info: Info, options: MultiPoseOptions | None = None) -> None:
        if not info.joints:
            raise UserError(
                f"task multi_pose needs keypoints, but data set {info.name} names no joints: list"
                " them under 'keypoints' of its category"
            )
        super().__init__(info, options)

    def make_heads(self) -> dict[str, Head]:
        options, joints = self.options, len(self.info.joints)
        vectors = partial(mirror_vectors, pairs=self.info.flip_pairs)
        heads = {"hm": sigmoid_heat(self.info.num_classes, reads="peaks")}
        if not options.not_reg_bbox:
            heads["wh"] = Head(2, flip=mirror, reads="places")
        heads["hps"] = Head(2 * joints, flip=vectors, reads="places", oracle="kps")
        if not options.not_reg_offset:
            heads["reg"] = Head(2, reads="places", oracle="offset")
        if not options.not_hm_hp:
            heads["hm_hp"] = self._joint_heat()
        if not options.not_hm_hp and not options.not_reg_hp_offset:
            heads["hp_offset"] = Head(2, reads="places")
        return heads

    def _joint_heat(self) -> Head:
        """Probabilities or, as published for the squared error, the raw values themselves."""
        joints = len(self.info.joints)
        flip = partial(mirror_channels, pairs=self.info.flip_pairs)
        if self.options.mse_loss:
            return Head(joints, flip=flip, oracle="hmhp")
        return sigmoid_heat(joints, flip=flip, reads="peaks", oracle="hmhp")

    def make_terms(self) -> list[Term]:
        options, kind = self.options, self.options.reg_loss
        vectors: Loss = AtCentres("hps", mask="hps_mask")
        if options.dense_hp:
            vectors = Dense("dense_hps", "dense_hps_mask")
        joint_heat: Loss = MeanSquare("hm_hp") if options.mse_loss else Focal("hm_hp")
        place = at_centres("hp_offset", kind, mask="hp_mask", index="hp_ind")
        terms = {
            "hm": Term("hm_loss", Focal("hm"), ("hm",), options.hm_weight),
            "wh": Term("wh_loss", at_centres("wh", kind), ("wh",), options.wh_weight),
            "hps": Term("hp_loss", vectors, ("hps",), options.hp_weight),
            "reg": Term("off_loss", at_centres("reg", kind), ("reg",), options.off_weight),
            "hm_hp": Term("hm_hp_loss", joint_heat, ("hm_hp",), options.hm_hp_weight),
            "hp_offset": Term("hp_offset_loss", place, ("hp_offset",), options.off_weight),
        }
        return [terms[name] for name in self.heads]

    def encode(self, objects: Objects, size: tuple[int, int]) -> dict[str, NDArray]:
        """Maps hm (classes, h, w) and hm_hp (J, h, w), and rows for N = max_objects.

        Rows of an object: wh, reg (N, 2), ind, reg_mask (N,), hps, hps_mask (N, 2 J). Rows of a
        joint: hp_offset (N * J, 2), hp_ind, hp_mask (N * J,). With `dense_hp` maps dense_hps,
        dense_hps_mask (2 J, h, w) in place of hps. What has no head is left out.

        An object none of whose joints is labelled is a peak of hm but teaches no size, as in
        published training. In a turned view the upright box is not tight any more: then hm is
        ignored all over and only the joints' heat maps are learned.
        """
        objects = objects.select(slice(self.info.max_objects))
        joints = len(self.info.joints)
        keypoints = objects.keypoints
        if keypoints is None:
            keypoints = np.zeros((len(objects), joints, 3), np.float32)
        if keypoints.shape[1:] != (joints, 3):  # the compiled loops would write beyond their arrays
            raise ValueError(f"keypoints {keypoints.shape} where the data has {joints} joints")
        targets = self._empty_targets(size)
        boxes = np.ascontiguousarray(objects.boxes, np.float32)
        keypoints = np.ascontiguousarray(keypoints, np.float32)
        encode_people(boxes, objects.classes, keypoints, objects.rotated, targets)
        if objects.rotated:
            targets.hm[:] = IGNORED
            for mask in (targets.reg_mask, targets.hps_mask, targets.dense_hps_mask):
                mask[:] = 0
        return self._with_heads(targets)

    def _empty_targets(self, size: tuple[int, int]) -> PoseTargets:
        rows, joints = self.info.max_objects, len(self.info.joints)
        drawn = 0 if self.options.not_hm_hp else joints
        spread = joints if self.options.dense_hp else 0
        return PoseTargets(
            hm=np.zeros((self.info.num_classes, *size), np.float32),
            reg_mask=np.zeros(rows, np.uint8),
            ind=np.zeros(rows, np.int64),
            wh=np.zeros((rows, 2), np.float32),
            reg=np.zeros((rows, 2), np.float32),
            hps=np.zeros((rows, joints, 2), np.float32),
            hps_mask=np.zeros((rows, joints, 2), np.uint8),
            hm_hp=np.zeros((drawn, *size), np.float32),
            hp_offset=np.zeros((rows * joints, 2), np.float32),
            hp_ind=np.zeros(rows * joints, np.int64),
            hp_mask=np.zeros(rows * joints, np.int64),
            dense_hps=np.zeros((spread, 2, *size), np.float32),
            dense_hps_mask=np.zeros((spread, 2, *size), np.float32),
        )

    def _with_heads(self, targets: PoseTargets) -> dict[str, NDArray]:
        """The targets that some head learns, in the shapes of their losses."""
        options, named = self.options, targets._asdict()
        for name in ("hps", "hps_mask"):
            named[name] = named[name].reshape(self.info.max_objects, -1)
        for name in ("dense_hps", "dense_hps_mask"):
            named[name] = named[name].reshape(-1, *targets.hm.shape[1:])
        unused = {"hps", "hps_mask"} if options.dense_hp else {"dense_hps", "dense_hps_mask"}
        unused |= {"wh", "reg", "hm_hp", "hp_offset"} - set(self.heads)
        if "hp_offset" in unused:
            unused |= {"hp_ind", "hp_mask"}
        return {name: value for name, value in named.items() if name not in unused}

    def decode(self, maps: Maps, k: int) -> dict[str, Tensor]:
        """The `k` highest centres: boxes (B, K, 4), scores, classes (B, K), and their joints.

        keypoints (B, K, J, 2) are in map pixels; joint_scores (B, K, J) is the joint's heat where
        it lies, 0 outside the map, or the score of its object without heat maps of the joints.
        """
        peaks = maps["hm"].peaks(k)
        cells = torch.stack([peaks.x, peaks.y], dim=2)
        vectors = maps["hps"].at(peaks.index).unflatten(2, (-1, 2))
        joints = cells.unsqueeze(2) + vectors
        boxes = torch.cat([joints.amin(2), joints.amax(2)], dim=2)
        if "wh" in maps:
            half = maps["wh"].at(peaks.index) / 2
            centres = cells + (maps["reg"].at(peaks.index) if "reg" in maps else 0.5)
            boxes = torch.cat([centres - half, centres + half], dim=2)
        scores = peaks.scores.unsqueeze(2).expand(-1, -1, joints.shape[2])
        if "hm_hp" in maps:
            joints, scores = snap(joints, boxes, maps, k, within="wh" in maps)
            if "wh" not in maps:
                boxes = torch.cat([joints.amin(2), joints.amax(2)], dim=2)
        return {
            "boxes": boxes,
            "scores": peaks.scores,
            "classes": peaks.classes,
            "keypoints": joints,
            "joint_scores": scores,
        }

    def placed(self, arrays: Mapping[str, NDArray], back: NDArray) -> dict[str, NDArray]:
        """As every task's, with joints (B, K, J, 3): x y in image pixels, score in [0, 1]."""
        fields = super().placed(arrays, back)
        scores = np.clip(arrays["joint_scores"], 0, 1)[..., None]
        joints = np.concatenate([fields["keypoints"], scores], axis=3)
        return fields | {"keypoints": joints.astype(np.float32)}


def snap(
    joints: Tensor, boxes: Tensor, maps: Maps, k: int, *, within: bool = True
) -> tuple[Tensor, Tensor]:
    """Move `joints` (B, K, J, 2) to the nearest of the `k` best peaks of their heat maps.

    Only to a peak above SNAP_SCORE, inside the object's box (if `within`) and in its reach; other
    joints stay where the vectors put them. Returns the joints and their scores (B, K, J).
    """
    peaks = maps["hm_hp"].peaks_of_each(k)  # each (B, J, M)
    places = torch.stack([peaks.x, peaks.y], dim=3)
    if "hp_offset" in maps:
        offsets = maps["hp_offset"].at(peaks.index.flatten(1))
        places = places + offsets.unflatten(1, peaks.index.shape[1:])
    else:
        places = places + 0.5
    regressed = joints.transpose(1, 2)  # (B, J, K, 2)
    squared = (regressed.unsqueeze(3) - places.unsqueeze(2)).square().sum(4)  # (B, J, K, M)
    weak = (peaks.scores <= SNAP_SCORE).unsqueeze(2)
    nearest, which = squared.masked_fill(weak, math.inf).min(3)
    chosen = places.gather(2, which.unsqueeze(3).expand(-1, -1, -1, 2))
    low, high = boxes.unsqueeze(1).split(2, dim=3)  # (B, 1, K, 2)
    moved = nearest <= (SNAP_REACH * (high - low).amax(3)).square()
    if within:
        moved = moved & ((chosen >= low) & (chosen <= high)).all(3)
    placed = torch.where(moved.unsqueeze(3), chosen, regressed)
    scores = torch.where(moved, peaks.scores.gather(2, which), heat_at(maps["hm_hp"], regressed))
    return placed.transpose(1, 2), scores.transpose(1, 2)


def heat_at(heat: HeadMap, points: Tensor) -> Tensor:
    """`heat` (B, J, H, W) in the cells of `points` (B, J, K, 2 as x y); 0 outside: (B, J, K)."""
    height, width = heat.shape[-2:]
    x, y = points.floor().unbind(3)
    inside = (x >= 0) & (x < width) & (y >= 0) & (y < height)
    index = torch.where(inside, y * width + x, 0).long()  # a NaN is outside too
    return heat.at_each(index) * inside
