"""2D detection: a box's centre is a peak, its size and sub-pixel place are read off there.

Method: Zhou, Wang, Kraehenbuehl, "Objects as Points", arXiv 1904.07850.
"""

from __future__ import annotations

import torch
from numpy.typing import NDArray

from centernet.heads.box_losses import BOX_DISTANCES, Sides
from centernet.heads.head import Head
from centernet.heads.losses import Loss, MeanSquare, at_centres
from centernet.heads.part import Part
from centernet.heads.parts.offset import Offset
from centernet.heads.parts.sides import SidesOfBox
from centernet.heads.parts.size import DenseSize, Size, SizeByClass
from centernet.heads.peaks import mirror
from centernet.heads.spots import SUFFIX
from centernet.runtime.errors import UserError
from centernet.structures.objects import Objects
from centernet.tasks.options import CtdetOptions
from centernet.tasks.peak_task import PeakTask


class Ctdet(PeakTask):
    """Boxes of any number of classes."""

    name = "ctdet"
    needs = frozenset({"boxes"})
    Options = CtdetOptions
    options: CtdetOptions
    order = ("hm", "wh", "ltrb", "reg")

    def heat(self) -> Head:
        """Probabilities or, for the squared error, which is that of raw maps, those themselves."""
        if self.options.mse_loss:
            return Head(self.info.num_classes, activation=torch.relu, flip=mirror)
        return super().heat()

    def heat_loss(self) -> Loss:
        return MeanSquare("hm") if self.options.mse_loss else super().heat_loss()

    def make_offset(self) -> Offset:
        options = self.options
        none = options.not_reg_offset or options.box == "ltrb"  # whose sides end where they end
        loss = None if none else at_centres("reg", options.reg_loss)
        return Offset(loss, options.off_weight)

    def make_parts(self) -> list[Part]:
        options = self.options
        if options.box == "ltrb":
            return [self.make_sides()]
        self.refuse_flags_of_sides()
        if options.dense_wh and options.cat_spec_wh:
            raise UserError("--dense_wh spreads one size over all classes: leave out --cat_spec_wh")
        if options.dense_wh:
            return [DenseSize(options.wh_weight)]
        if options.cat_spec_wh:
            return [SizeByClass(self.info.num_classes, options.wh_weight)]
        loss = at_centres("wh", options.reg_loss, relative=options.norm_wh)
        return [Size(loss, options.wh_weight)]

    def make_sides(self) -> SidesOfBox:
        """The box as its four sides; UserError for flags of the other form."""
        options = self.options
        for name in ("norm_wh", "dense_wh", "cat_spec_wh"):
            if getattr(options, name):
                raise UserError(f"--{name} is of --box wh: leave it out with --box ltrb")
        if options.box_multiplier == 0:
            raise UserError("--box_multiplier 0: boxes without any size; give a number above 0")
        sides = Sides(options.box_multiplier, options.box_log)
        distance = BOX_DISTANCES[options.box_loss or "giou"]
        return SidesOfBox(distance, sides, options.wh_weight, options.box_samples)

    def refuse_flags_of_sides(self) -> None:
        """Raise UserError for flags of --box ltrb without it."""
        options, usual = self.options, CtdetOptions()
        for name in ("box_loss", "box_samples", "box_multiplier", "box_log"):
            if getattr(options, name) != getattr(usual, name):
                raise UserError(f"--{name} is of --box ltrb: add that, or leave it out")

    def sketch(self, objects: Objects, size: tuple[int, int]) -> dict[str, NDArray]:
        """As `encode`, with spots (N, 4) in place of the heat map."""
        objects = objects.select(slice(self.info.max_objects))
        rows = self.rows(objects, size)
        if (rows.radii != rows.down).any():
            return self.encode(objects, size)  # spots are round
        return {f"hm{SUFFIX}": rows.spots(), **self.values(rows, objects)}
