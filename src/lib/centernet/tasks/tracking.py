"""Tracking: boxes that also say where each object was a moment ago.

The network sees the previous frame too, and a heat map of what was there. A vector at each centre
leads back to the object's centre in the previous frame.
Method: Zhou, Koltun, Krähenbühl, "Tracking Objects as Points", ECCV 2020.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from centernet.datasets.framing import Augmentation
from centernet.datasets.source import Info
from centernet.geometry.view import View
from centernet.heads.focal_at import FocalAt
from centernet.heads.head import Head, sigmoid_heat
from centernet.heads.head_map import Maps
from centernet.heads.losses import AtCentres
from centernet.heads.part import Placing
from centernet.heads.peaks import mirror
from centernet.heads.recollection import Noise, disturbed, heat_of
from centernet.heads.term import Term
from centernet.heads.tracked_targets import TrackedTargets
from centernet.models.inputs import IMAGE, PREVIOUS, Input
from centernet.structures.detections import Detections
from centernet.structures.known import Known
from centernet.structures.objects import Objects
from centernet.tasks.options import TrackingOptions
from centernet.tasks.task import Task

HEAT = "heat"  # the input that shows what was there


class Tracking(Task):
    """Boxes of any number of classes, with a vector to where each was in the previous frame."""

    name = "tracking"
    needs = frozenset({"boxes", "identities"})
    spares = frozenset({"identities"})
    Options = TrackingOptions
    options: TrackingOptions

    def __init__(self, info: Info, options: TrackingOptions | None = None) -> None:
        super().__init__(info, options)
        self.inputs = {IMAGE: Input()}
        if not self.options.no_pre_img:
            self.inputs[PREVIOUS] = Input()
        if self.options.pre_hm:
            self.inputs[HEAT] = Input(1)

    def make_heads(self) -> dict[str, Head]:
        options = self.options
        bias = options.prior_bias
        heat = replace(sigmoid_heat(self.info.num_classes, reads="peaks"), bias=bias)
        heads = {
            "hm": heat,
            "reg": Head(2, reads="places", oracle="offset"),
            "wh": Head(2, flip=mirror, reads="places"),
            "tracking": Head(2, reads="places"),
        }
        for name in ("ltrb", "ltrb_amodal"):
            if getattr(options, name):
                heads[name] = Head(4, reads="places")
        return heads

    def make_terms(self) -> list[Term]:
        options = self.options
        weights = {
            "reg": options.off_weight,
            "wh": options.wh_weight,
            "tracking": options.tracking_weight,
            "ltrb": options.ltrb_weight,
            "ltrb_amodal": options.ltrb_amodal_weight,
        }
        terms = [Term("hm_loss", FocalAt("hm"), ("hm",), options.hm_weight)]
        for name in [name for name in self.heads if name != "hm"]:
            mask = "tracking_mask" if name == "tracking" else "mask"
            terms.append(Term(f"{name}_loss", AtCentres(name, mask), (name,), weights[name]))
        return terms

    def augmentation(self, common: Augmentation) -> Augmentation:
        return replace(
            common, within=self.options.max_frame_dist, same_before=self.options.same_aug_pre
        )

    def encode(self, objects: Objects, size: tuple[int, int]) -> dict[str, NDArray]:
        """Heat map hm (classes, h, w) and rows for N = max_objects, see `TrackedTargets`."""
        targets = TrackedTargets(self.info.max_objects, self.info.num_classes, size)
        targets.fill(objects)
        own = {"ind", "cat", "mask", "tracking_mask", *self.heads}
        return {name: value for name, value in targets.arrays.items() if name in own}

    def remember(
        self,
        objects: Objects | Detections,
        view: View,
        size: tuple[int, int],
        rng: np.random.Generator | None = None,
    ) -> Known:
        """Of detections those of at least `--pre_thresh`; of true objects all but crowds."""
        options = self.options
        if isinstance(objects, Detections):
            told = objects.select(objects.scores >= options.pre_thresh)
            return Known.of(told.boxes, told.identities, view, size)
        kept = objects.classes > -99
        if objects.crowd is not None:
            kept &= ~(objects.crowd & (objects.classes >= 0))
        told_of = objects.select(kept)
        known = Known.of(told_of.boxes, told_of.identities, view, size)
        noise = Noise(options.hm_disturb, options.lost_disturb, options.fp_disturb)
        return known if rng is None else disturbed(known, noise, rng)

    def recall(self, known: Known) -> dict[str, NDArray[np.float32]]:
        """The heat map of what was there; empty with `--zero_pre_hm`."""
        seen = Known.nothing(known.size) if self.options.zero_pre_hm else known
        return {HEAT: heat_of(seen)}

    def decode(self, maps: Maps, k: int) -> dict[str, Tensor]:
        """Boxes, scores, classes of the `k` highest peaks, centres (B, K, 2) and displacements.

        `centers` are whole cells, as published, displacements lead from them to the centre in the
        previous frame; all in map pixels. Boxes are those of ltrb_amodal, ltrb or wh, the first
        that there is; distances of the former two are measured from the cell.
        """
        peaks = maps["hm"].peaks(k)
        cells = torch.stack([peaks.x, peaks.y], dim=2)
        sides = next((name for name in ("ltrb_amodal", "ltrb") if name in maps), None)
        if sides is not None:
            boxes = maps[sides].at(peaks.index) + cells.repeat(1, 1, 2)
        else:
            centres = cells + maps["reg"].at(peaks.index)
            half = maps["wh"].at(peaks.index).clamp(min=0) / 2
            boxes = torch.cat([centres - half, centres + half], dim=2)
        back = maps["tracking"].at(peaks.index)
        return {
            "boxes": boxes,
            "scores": peaks.scores,
            "classes": peaks.classes,
            "centers": cells,
            "displacements": torch.zeros_like(back) if self.options.zero_tracking else back,
        }

    def placed(self, arrays: Mapping[str, NDArray], placing: Placing) -> dict[str, Any]:
        """As every task's, with columns `centers` and `displacements` in image pixels."""
        centres = placing.points(arrays["centers"])
        before = placing.points(arrays["centers"] + arrays["displacements"])
        found = super().placed(arrays, placing)
        return {**found, "centers": centres, "displacements": before - centres}
