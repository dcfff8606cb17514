"""A part of one's own: how much of each object is cut off by the edge of the picture.

    python docs/examples/part.py train cut --dataset toy --arch mobilenetv3 --weights none
    python docs/examples/part.py demo cut --exp_id default --resume --demo cells/

is `ctdet` with one more number read off at every centre. KITTI's labels call it the truncation.
"""

from __future__ import annotations

import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from centernet.cli import main
from centernet.heads.head import Head
from centernet.heads.head_map import Maps
from centernet.heads.losses import AtCentres
from centernet.heads.part import Centres, Part, Placing
from centernet.heads.peaks import mirror
from centernet.heads.rows import Rows
from centernet.heads.term import Term
from centernet.runtime.option import option
from centernet.structures.objects import Objects
from centernet.tasks import TASKS
from centernet.tasks.ctdet import Ctdet
from centernet.tasks.options import CtdetOptions


class Truncation(Part):
    """Head `trunc`: the part of a box, in [0, 1], that lies beyond the map; target (R, 1)."""

    def __init__(self, weight: float) -> None:
        self.weight = weight

    def heads(self) -> dict[str, Head]:
        return {"trunc": Head(1, activation=torch.sigmoid, flip=mirror, reads="places")}

    def terms(self) -> Sequence[Term]:
        loss = AtCentres("trunc", activation=torch.sigmoid, inverse=torch.logit)
        return (Term("trunc_loss", loss, ("trunc",), self.weight),)

    def encode(self, rows: Rows, objects: Objects) -> dict[str, NDArray]:
        whole, seen = areas(objects.boxes), areas(rows.boxes)
        return {"trunc": rows.filled(1 - seen[:, None] / np.maximum(whole[:, None], 1e-6))}

    def decode(self, maps: Maps, at: Centres, found: Mapping[str, Tensor]) -> dict[str, Tensor]:
        return {"truncation": maps["trunc"].at(at.peaks.index).squeeze(2)}

    def place(self, arrays: Mapping[str, NDArray], placing: Placing) -> dict[str, Any]:
        """No field of Detections, and so a column: `found.columns["truncation"]` (N,)."""
        return {"truncation": arrays["truncation"]}


def areas(boxes: NDArray[np.float32]) -> NDArray[np.float32]:
    """(N,) of `boxes` (N, 4)."""
    sides: NDArray[np.float32] = boxes[:, 2:] - boxes[:, :2]
    return sides.prod(axis=1)


@dataclass(frozen=True)
class CutOptions(CtdetOptions):
    """Flags of ctdet and of the part."""

    title: ClassVar[str] = "2D boxes, and how much of each the picture's edge cuts off"

    trunc_weight: float = option(0.1, "weight of the truncation loss", at_least=0)


class Cut(Ctdet):
    """Boxes with what is cut off; the parts are read off at the same peaks."""

    name = "cut"
    Options = CutOptions
    options: CutOptions

    def make_parts(self) -> list[Part]:
        return [*super().make_parts(), Truncation(self.options.trunc_weight)]


TASKS[Cut.name] = Cut

if __name__ == "__main__":
    sys.exit(main())
