"""Poses: a person's centre is a peak, the joints are vectors from it and peaks of their own.

Method: Zhou, Wang, Kraehenbuehl, "Objects as Points", arXiv 1904.07850, section on pose.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from centernet.datasets.source import Info
from centernet.heads.losses import at_centres
from centernet.heads.part import Part
from centernet.heads.parts.joints import Joints
from centernet.heads.parts.offset import Offset
from centernet.heads.parts.size import Size
from centernet.heads.rows import IGNORED, Rows, place
from centernet.runtime.errors import UserError
from centernet.structures.objects import Objects
from centernet.tasks.options import MultiPoseOptions
from centernet.tasks.peak_task import PeakTask


class MultiPose(PeakTask):
    """Boxes with any number of joints; how many, and which mirror which, the data set says.

    An object none of whose joints is labelled is a peak of hm but has no size to learn, as in
    published training. In a turned view the upright box is not tight any more: then hm is ignored
    all over and only the joints' heat maps are learned.
    """

    name = "multi_pose"
    needs = frozenset({"boxes", "keypoints"})
    Options = MultiPoseOptions
    options: MultiPoseOptions
    order = ("hm", "wh", "hps", "reg", "hm_hp", "hp_offset")

    def __init__(self, info: Info, options: MultiPoseOptions | None = None) -> None:
        if not info.joints:
            raise UserError(
                f"task multi_pose needs keypoints, but data set {info.name} names no joints: list"
                " them under 'keypoints' of its category"
            )
        super().__init__(info, options)

    def make_offset(self) -> Offset:
        options = self.options
        loss = None if options.not_reg_offset else at_centres("reg", options.reg_loss)
        return Offset(loss, options.off_weight)

    def make_parts(self) -> list[Part]:
        options = self.options
        self.joints = Joints(
            len(self.info.joints),
            self.info.flip_pairs,
            heat=not options.not_hm_hp,
            offset=not options.not_reg_hp_offset,
            dense=options.dense_hp,
            squared=options.mse_loss,
            distance=options.reg_loss,
            weights=(options.hp_weight, options.hm_hp_weight, options.off_weight),
        )
        size = Size(at_centres("wh", options.reg_loss), options.wh_weight)
        return [self.joints] if options.not_reg_bbox else [size, self.joints]

    def encode(self, objects: Objects, size: tuple[int, int]) -> dict[str, NDArray]:
        targets = super().encode(objects, size)
        if objects.rotated:
            targets["hm"][:] = IGNORED
        return targets

    def rows(self, objects: Objects, size: tuple[int, int]) -> Rows:
        room = self.info.max_objects
        boxes, classes, radius = objects.boxes, objects.classes, self.options.radius
        return place(boxes, classes, size, room, outside=objects.rotated, radius=radius)

    def masks(self, rows: Rows, objects: Objects) -> dict[str, NDArray]:
        learns = rows.mask * rows.filled(self.joints.labelled(objects), np.uint8)
        return {"reg_mask": np.zeros_like(learns) if objects.rotated else learns}
