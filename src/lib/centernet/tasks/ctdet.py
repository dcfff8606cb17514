"""2D detection: a box's centre is a peak, its size and sub-pixel place are read off there.

Method: Zhou, Wang, Kraehenbuehl, "Objects as Points", arXiv 1904.07850.
"""

from __future__ import annotations

import torch
from numpy.typing import NDArray

from centernet.heads.head import Head
from centernet.heads.losses import Focal, Loss, MeanSquare, at_centres
from centernet.heads.parts.offset import Offset
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
    order = ("hm", "wh", "reg")

    def heat(self) -> Head:
        """Probabilities or, for the squared error, which is that of raw maps, those themselves."""
        if self.options.mse_loss:
            return Head(self.info.num_classes, activation=torch.relu, flip=mirror)
        return super().heat()

    def heat_loss(self) -> Loss:
        return MeanSquare("hm") if self.options.mse_loss else Focal("hm")

    def make_offset(self) -> Offset:
        options = self.options
        loss = None if options.not_reg_offset else at_centres("reg", options.reg_loss)
        return Offset(loss, options.off_weight)

    def make_parts(self) -> list[Size]:
        options = self.options
        if options.dense_wh and options.cat_spec_wh:
            raise UserError("--dense_wh spreads one size over all classes: leave out --cat_spec_wh")
        if options.dense_wh:
            return [DenseSize(options.wh_weight)]
        if options.cat_spec_wh:
            return [SizeByClass(self.info.num_classes, options.wh_weight)]
        loss = at_centres("wh", options.reg_loss, relative=options.norm_wh)
        return [Size(loss, options.wh_weight)]

    def sketch(self, objects: Objects, size: tuple[int, int]) -> dict[str, NDArray]:
        """As `encode`, with spots (N, 4) in place of the heat map."""
        objects = objects.select(slice(self.info.max_objects))
        rows = self.rows(objects, size)
        return {f"hm{SUFFIX}": rows.spots(), **self.values(rows, objects)}
