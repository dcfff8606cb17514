"""A task with further inputs, made up: ctdet that sees the previous frame too."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
from numpy.typing import NDArray
from torch import Tensor

from centernet.heads.head import Head
from centernet.heads.head_map import Maps
from centernet.heads.losses import AtCentres
from centernet.heads.part import Placing
from centernet.heads.recollection import Noise, disturbed, heat_of
from centernet.heads.term import Term
from centernet.models.inputs import Input
from centernet.structures.known import Known
from centernet.structures.objects import Objects
from centernet.tasks.ctdet import Ctdet


class Moving(Ctdet):
    """Boxes, and where each was a frame ago."""

    name = "moving"
    inputs: Mapping[str, Input] = {"image": Input(), "previous": Input(), "heat": Input(1)}

    def make_heads(self) -> dict[str, Head]:
        return {**super().make_heads(), "tracking": Head(2, reads="places")}

    def make_terms(self) -> list[Term]:
        back = AtCentres("tracking", mask="tracking_mask")
        return [*super().make_terms(), Term("tracking_loss", back, ("tracking",))]

    def encode(self, objects: Objects, size: tuple[int, int]) -> dict[str, NDArray]:
        return self._with_way_back(super().encode(objects, size), objects, size)

    def sketch(self, objects: Objects, size: tuple[int, int]) -> dict[str, NDArray]:
        return self._with_way_back(super().sketch(objects, size), objects, size)

    def _with_way_back(
        self, targets: dict[str, NDArray], objects: Objects, size: tuple[int, int]
    ) -> dict[str, NDArray]:
        rows = self.info.max_objects
        back, mask = np.zeros((rows, 2), np.float32), np.zeros((rows, 2), np.uint8)
        if objects.before is not None:
            count = len(objects)
            index = targets["ind"][:count]
            cells = np.stack([index % size[1], index // size[1]], axis=1)
            there = ~np.isnan(objects.before).any(axis=1) & (targets["reg_mask"][:count] > 0)
            back[:count][there] = (objects.before - cells)[there]
            mask[:count] = there[:, None]
        return {**targets, "tracking": back, "tracking_mask": mask}

    def remember(self, objects, view, size, rng=None) -> Known:
        known = super().remember(objects, view, size)
        return known if rng is None else disturbed(known, Noise(0.05, 0.5, 0.1), rng)

    def recall(self, known: Known) -> dict[str, NDArray[np.float32]]:
        return {"heat": heat_of(known)}

    def decode(self, maps: Maps, k: int) -> dict[str, Tensor]:
        found = super().decode(maps, k)
        peaks = maps["hm"].peaks(k)
        return {**found, "displacements": maps["tracking"].at(peaks.index)}

    def placed(self, arrays: Mapping[str, NDArray], placing: Placing) -> dict:
        fields = super().placed(arrays, placing)
        moved = placing.points(arrays["displacements"])
        still = placing.points(np.zeros_like(arrays["displacements"]))
        return {**fields, "displacements": moved - still}
