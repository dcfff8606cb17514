"""A task whose objects are peaks of one heat map, and whose parts are read off at the peaks.

Method: Zhou, Wang, Kraehenbuehl, "Objects as Points", arXiv 1904.07850.
"""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Mapping, Sequence
from functools import cached_property
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray
from torch import Tensor

from centernet.heads.head import Head, sigmoid_heat
from centernet.heads.head_map import Maps
from centernet.heads.losses import Focal, Loss, QualityFocal
from centernet.heads.part import Part, Placing
from centernet.heads.parts.offset import Offset
from centernet.heads.rows import PASSED, Rows, draw_objects, place
from centernet.heads.term import Term, true_maps
from centernet.structures.objects import Objects
from centernet.tasks.options import LossOptions
from centernet.tasks.task import Task


class PeakTask(Task):
    """Head `hm` (one channel a class) and those of `parts`.

    Targets: hm (classes, h, w), and for R rows (see `Rows`) ind, reg_mask (R,) and what the parts
    want.
    """

    options: LossOptions
    order: ClassVar[tuple[str, ...]] = ()  # of the heads in published checkpoints; others follow
    rounded: ClassVar[bool] = True  # gaussians of boxes with their sides rounded up
    regions: int = PASSED  # how regions to ignore are drawn (`rows.py`)

    @cached_property
    def offset(self) -> Offset:
        """The part that says where in their cells the centres are."""
        return self.make_offset()

    @cached_property
    def parts(self) -> tuple[Part, ...]:
        """All parts, in the order in which they decode."""
        return (self.offset, *self.make_parts())

    @abstractmethod
    def make_offset(self) -> Offset:
        """Where in their cells the centres are."""

    @abstractmethod
    def make_parts(self) -> Sequence[Part]:
        """What is read off at the centres; a part sees what those before it have decoded."""

    def heat(self) -> Head:
        """The heat map of the centres."""
        return sigmoid_heat(self.info.num_classes, reads="peaks")

    def heat_loss(self) -> Loss:
        """What the heat map learns from its target."""
        kinds = {"quality": 2.0, "binary": 0.0}
        kind = self.options.heat_loss
        return QualityFocal("hm", kinds[kind]) if kind in kinds else Focal("hm")

    def make_heads(self) -> dict[str, Head]:
        heads = {"hm": self.heat()}
        for part in self.parts:
            heads |= part.heads()
        return {name: heads[name] for name in sorted(heads, key=self._rank)}

    def make_terms(self) -> list[Term]:
        terms = [self._heat_term(), *(term for part in self.parts for term in part.terms())]
        return sorted(terms, key=lambda term: self._rank(term.heads[0]))

    def _heat_term(self) -> Term:
        return Term("hm_loss", self.heat_loss(), ("hm",), self.options.hm_weight)

    def _rank(self, head: str) -> int:
        return self.order.index(head) if head in self.order else len(self.order)

    def encode(self, objects: Objects, size: tuple[int, int]) -> dict[str, NDArray]:
        objects = objects.select(slice(self.info.max_objects))
        rows = self.rows(objects, size)
        heat = np.zeros((self.info.num_classes, *size), np.float32)
        draw_objects(heat, rows, self.regions)
        return {"hm": heat, **self.values(rows, objects)}

    def rows(self, objects: Objects, size: tuple[int, int]) -> Rows:
        """Which cells of maps of `size` learn from which object."""
        room = self.info.max_objects
        radius = self.options.radius
        boxes, classes = objects.boxes, objects.classes
        return place(boxes, classes, size, room, rounded=self.rounded, radius=radius)

    def values(self, rows: Rows, objects: Objects) -> dict[str, NDArray]:
        """The targets that are no heat map of the centres."""
        targets = {"ind": rows.index, **self.masks(rows, objects)}
        for part in self.parts:
            targets |= part.encode(rows, objects)
        return targets

    def masks(self, rows: Rows, objects: Objects) -> dict[str, NDArray]:
        """Which rows count: (R,) each, by the names that the losses of the parts know."""
        return {"reg_mask": rows.mask}

    def decode(self, maps: Maps, k: int) -> dict[str, Tensor]:
        """boxes (B, K, 4), scores, classes (B, K) and what the parts decode, at the `k` best peaks.

        In map pixels, best first.
        """
        at = self.offset.centres(maps, maps["hm"].peaks(k))
        found: dict[str, Tensor] = {}
        for part in self.parts:
            found |= part.decode(maps, at, found)
        boxes = found.pop("boxes")
        return {"boxes": boxes, "scores": at.peaks.scores, "classes": at.peaks.classes, **found}

    def placed(self, arrays: Mapping[str, NDArray], placing: Placing) -> dict[str, Any]:
        fields: dict[str, Any] = {name: arrays[name] for name in ("scores", "classes")}
        for part in self.parts:
            fields |= part.place(arrays, placing)
        return fields

    def truth(
        self, targets: Mapping[str, Tensor], size: tuple[int, int], wanted: frozenset[str]
    ) -> dict[str, Tensor]:
        found = true_maps([self._heat_term()], targets, size, wanted)
        for part in self.parts:
            found |= part.truth(targets, size, wanted)
        return found
