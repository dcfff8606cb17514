"""Where in its cell a centre lies."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import torch
from numpy.typing import NDArray
from torch import Tensor

from centernet.heads.head import Head
from centernet.heads.head_map import Maps
from centernet.heads.losses import Loss
from centernet.heads.part import Centres, Part
from centernet.heads.peaks import Peaks
from centernet.heads.rows import Rows
from centernet.heads.term import Term
from centernet.structures.objects import Objects


class Offset(Part):
    """Head `reg`: from the corner of the cell to the centre, lost when that was rounded down.

    Targets `reg` (R, 2). Without a `loss` there is no head, and centres are in the middle of cells.
    """

    def __init__(self, loss: Loss | None, weight: float = 1.0) -> None:
        self.loss, self.weight = loss, weight

    def heads(self) -> dict[str, Head]:
        return {} if self.loss is None else {"reg": Head(2, reads="places", oracle="offset")}

    def terms(self) -> Sequence[Term]:
        return () if self.loss is None else (Term("off_loss", self.loss, ("reg",), self.weight),)

    def encode(self, rows: Rows, objects: Objects) -> dict[str, NDArray]:
        return {} if self.loss is None else {"reg": rows.offsets(rows.centres)}

    def decode(self, maps: Maps, at: Centres, found: Mapping[str, Tensor]) -> dict[str, Tensor]:
        return {}

    def centres(self, maps: Maps, peaks: Peaks) -> Centres:
        """The `peaks` with the points that they stand for."""
        corner = torch.stack([peaks.x, peaks.y], dim=2)
        moved = corner + (0.5 if self.loss is None else maps["reg"].at(peaks.index))
        return Centres(peaks, moved)
