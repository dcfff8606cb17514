"""A task of one's own: round objects as circles, a centre and a radius.

    python docs/examples/task.py train circle --dataset toy --arch mobilenetv3 --weights none
    python docs/examples/task.py demo circle --exp_id default --resume --demo cells/

is `centernet` with one more task. Method: Yang et al., "CircleNet: Anchor-free Detection with
Circle Representation", MICCAI 2020.
"""

from __future__ import annotations

import sys
from dataclasses import dataclass
from typing import ClassVar

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from centernet.cli import main
from centernet.heads.head import Head, sigmoid_heat
from centernet.heads.head_map import Maps
from centernet.heads.losses import Focal, Loss, at_centres, sigmoid_square
from centernet.heads.peaks import mirror
from centernet.heads.targets import draw_gaussian, object_radius
from centernet.heads.term import Term
from centernet.runtime.option import option
from centernet.structures.objects import Objects
from centernet.tasks import TASKS
from centernet.tasks.options import CentreOptions
from centernet.tasks.task import Task


@dataclass(frozen=True)
class CircleOptions(CentreOptions):
    """Flags of circles. Those of heat maps and offsets are inherited."""

    title: ClassVar[str] = "round objects: centre and radius"

    radius_weight: float = option(0.1, "weight of the radius loss", at_least=0)


class Circle(Task):
    """Circles of any number of classes; a result's box is the square around its circle."""

    name = "circle"
    needs = frozenset({"boxes"})
    Options = CircleOptions

    def make_heads(self) -> dict[str, Head]:
        heads = {"hm": sigmoid_heat(self.info.num_classes), "radius": Head(1, flip=mirror)}
        if not self.options.not_reg_offset:
            heads["reg"] = Head(2, oracle="offset")
        return heads

    def make_terms(self) -> list[Term]:
        options = self.options
        heat: Loss = sigmoid_square("hm") if options.mse_loss else Focal("hm")
        radius = at_centres("radius", options.reg_loss)
        terms = [
            Term("hm_loss", heat, ("hm",), options.hm_weight),
            Term("radius_loss", radius, ("radius",), options.radius_weight),
        ]
        if not options.not_reg_offset:
            offset = at_centres("reg", options.reg_loss)
            terms.append(Term("off_loss", offset, ("reg",), options.off_weight))
        return terms

    def encode(self, objects: Objects, size: tuple[int, int]) -> dict[str, NDArray]:
        """Heat map (classes, h, w); radius (N, 1), reg (N, 2), ind and reg_mask (N,).

        The radius of an object is half the mean side of its box; one whose centre is not on the map
        is not taught.
        """
        rows = self.info.max_objects
        targets: dict[str, NDArray] = {
            "hm": np.zeros((self.info.num_classes, *size), np.float32),
            "radius": np.zeros((rows, 1), np.float32),
            "reg": np.zeros((rows, 2), np.float32),
            "ind": np.zeros(rows, np.int64),
            "reg_mask": np.zeros(rows, np.uint8),
        }
        objects = objects.select(slice(rows))
        for row, (box, kind) in enumerate(zip(objects.boxes, objects.classes, strict=True)):
            centre = (box[:2] + box[2:]) / 2
            x, y = np.floor(centre).astype(int)
            w, h = box[2:] - box[:2]
            if kind < 0 or not (0 <= x < size[1] and 0 <= y < size[0]):
                continue
            draw_gaussian(targets["hm"][kind], x, y, object_radius(h, w))
            targets["radius"][row] = (w + h) / 4
            targets["reg"][row] = centre - (x, y)
            targets["ind"][row] = y * size[1] + x
            targets["reg_mask"][row] = 1
        return targets

    def decode(self, maps: Maps, k: int) -> dict[str, Tensor]:
        """Boxes (B, K, 4), scores and classes (B, K) of the `k` highest peaks, in map pixels."""
        peaks = maps["hm"].peaks(k)
        corner = torch.stack([peaks.x, peaks.y], dim=2)
        centres = corner + (maps["reg"].at(peaks.index) if "reg" in maps else 0.5)
        radius = maps["radius"].at(peaks.index)  # (B, K, 1)
        boxes = torch.cat([centres - radius, centres + radius], dim=2)
        return {"boxes": boxes, "scores": peaks.scores, "classes": peaks.classes}


TASKS[Circle.name] = Circle

if __name__ == "__main__":
    sys.exit(main())
