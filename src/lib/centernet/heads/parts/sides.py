"""A box as the distances of its sides from the cell that finds it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from centernet.heads.box_losses import BoxDistance, BoxLoss, Sides, boxes_of
from centernet.heads.head import Head
from centernet.heads.head_map import Maps
from centernet.heads.part import Centres, Part, Placing
from centernet.heads.rows import Rows, around
from centernet.heads.targets import write_heaviest
from centernet.heads.term import Term
from centernet.structures.objects import Objects

START = 4.0  # map pixels from a cell to each side before anything is learned
SAMPLES = ("centre", "3x3", "gaussian")


class SidesOfBox(Part):
    """Head `ltrb`: left, top, right and bottom side, counted from the middle of the cell.

    Targets `box` (R, 4), map pixels, of the cells `box_ind` (R,) with weights `box_mask` (R,).
    `samples` says which cells learn an object's box: that of its "centre" alone, also the eight
    beside it ("3x3", after CenterNet2, arXiv 2103.07461), or all under its "gaussian", each with
    its share of the logarithm of the box's area, where smaller objects go first (TTFNet, arXiv
    1909.00700).
    """

    needs = frozenset({"boxes"})

    def __init__(
        self, distance: BoxDistance, sides: Sides, weight: float, samples: str = "centre"
    ) -> None:
        self.sides, self.weight, self.samples = sides, weight, samples
        self.loss = BoxLoss("box", distance, sides, mask="box_mask", index="box_ind")

    def heads(self) -> dict[str, Head]:
        start = self.sides.inverse(torch.tensor(START)).item()
        return {"ltrb": Head(4, start, flip=mirror_sides, reads="places", oracle="wh")}

    def terms(self) -> Sequence[Term]:
        return (Term("wh_loss", self.loss, ("ltrb",), self.weight),)

    def encode(self, rows: Rows, objects: Objects) -> dict[str, NDArray]:
        if self.samples == "gaussian":
            return self._under_gaussians(rows)
        learning = around(rows) if self.samples == "3x3" else rows
        boxes = learning.filled(rows.boxes)
        mask = learning.mask.astype(np.float32)
        return {"box": boxes, "box_ind": learning.index, "box_mask": mask}

    def _under_gaussians(self, rows: Rows) -> dict[str, NDArray]:
        height, width = rows.size
        boxes = np.zeros((height, width, 4), np.float32)
        weights = np.zeros((height, width), np.float32)
        drawn = rows.drawn
        sides = rows.boxes[:, 2:] - rows.boxes[:, :2]
        largest_first = drawn[np.argsort(-sides[drawn].prod(axis=1), kind="stable")]
        for n in largest_first:
            share = float(np.log((sides[n] + 1).prod()))
            x, y = rows.cells[n]
            radii = int(rows.radii[n]), int(rows.down[n])
            write_heaviest(boxes, weights, int(x), int(y), radii, rows.boxes[n], share)
        index = np.arange(height * width)
        return {"box": boxes.reshape(-1, 4), "box_ind": index, "box_mask": weights.ravel()}

    def decode(self, maps: Maps, at: Centres, found: Mapping[str, Tensor]) -> dict[str, Tensor]:
        index = at.peaks.index
        sides = self.sides(maps["ltrb"].at(index))
        return {"boxes": boxes_of(sides, index, maps["ltrb"].shape[3])}

    def place(self, arrays: Mapping[str, NDArray], placing: Placing) -> dict[str, Any]:
        return {"boxes": placing.points(arrays["boxes"])}


def mirror_sides(maps: Tensor) -> Tensor:
    """The map (B, 4, H, W) of the mirrored image on the image itself: left is right there."""
    return maps[:, [2, 1, 0, 3]].flip(-1)
