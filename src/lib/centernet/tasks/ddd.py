"""3D boxes from one image: at the peak of an object's centre stand depth, size and orientation.

The camera matrix turns the centre and its depth into a place in space. Method: Zhou, Wang,
Kraehenbuehl, "Objects as Points", arXiv 1904.07850, section on 3D detection; depth after Eigen et
al., arXiv 1406.2283; orientation in `orientation.py`.
"""

from __future__ import annotations

import sys
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from centernet.datasets.calibration import assumed_calibration, parse_calibration
from centernet.datasets.framing import Augmentation, WideFraming
from centernet.datasets.source import Info
from centernet.heads.losses import DISTANCES, AtCentres, Focal, Loss, sigmoid_square
from centernet.heads.part import Part
from centernet.heads.parts.cuboid import Cuboid, FreeCuboid
from centernet.heads.parts.offset import Offset
from centernet.heads.parts.size import Size
from centernet.heads.rows import MIDDLES, RECTANGLES, Rows
from centernet.structures.detections import Detections
from centernet.structures.objects import Objects
from centernet.tasks.options import DddOptions
from centernet.tasks.peak_task import PeakTask


class Ddd(PeakTask):
    """Cuboids standing on the ground, from a single image with a known camera."""

    name = "ddd"
    needs = frozenset({"boxes", "cuboids"})
    Options = DddOptions
    options: DddOptions
    framing = WideFraming()
    colour_jitter = False
    order = ("hm", "dep", "rot", "dim", "wh", "reg")
    rounded = False

    def __init__(self, info: Info, options: Any = None) -> None:
        super().__init__(info, options)
        self.regions = RECTANGLES if self.options.rect_mask else MIDDLES
        named = self.options.calib
        self._camera = parse_calibration(named) if named else None
        self._told = False

    def augmentation(self, common: Augmentation) -> Augmentation:
        return replace(common, crop_chance=self.options.aug_ddd)

    def heat_loss(self) -> Loss:
        return sigmoid_square("hm") if self.options.mse_loss else Focal("hm")

    def make_offset(self) -> Offset:
        options = self.options
        loss = None if options.not_reg_offset else self._over_all("reg")
        return Offset(loss, options.off_weight)

    def make_parts(self) -> list[Part]:
        options = self.options
        distance = DISTANCES[options.reg_loss]
        weights = options.dep_weight, options.rot_weight, options.dim_weight
        if options.not_reg_bbox:
            return [FreeCuboid(distance, weights)]
        return [Size(self._over_all("wh"), options.wh_weight), Cuboid(distance, weights)]

    def _over_all(self, target: str) -> AtCentres:
        """Divided by all values, as published; boxes are learned in every view."""
        distance = DISTANCES[self.options.reg_loss]
        return AtCentres(target, "rot_mask", distance=distance, over_all=True)

    def masks(self, rows: Rows, objects: Objects) -> dict[str, NDArray]:
        """rot_mask of the objects, reg_mask of those whose depth and size are learned.

        That is none in a view drawn at random, where things look nearer or farther than they are.
        """
        learns = np.zeros_like(rows.mask) if objects.strayed else rows.mask
        return {"rot_mask": rows.mask, "reg_mask": learns}

    def merge(self, parts: Sequence[Detections], *, nms: bool, limit: int = 100) -> Detections:
        """As every task's; then only what scores above `peak_thresh`."""
        return super().merge(parts, nms=nms, limit=limit).above(self.options.peak_thresh)

    def camera(self, size: tuple[int, int]) -> NDArray[np.float32]:
        """The matrix that --calib named, else one like KITTI's, which is told on standard error."""
        if self._camera is not None:
            return self._camera
        matrix = assumed_calibration(size)
        if not self._told:
            self._told = True
            line = ",".join(f"{v:g}" for v in (*matrix.diagonal(), *matrix[:2, 2]) if v != 1)
            print(
                f"ddd: CAMERA UNKNOWN, assumed {line} (fx,fy,cx,cy) for {size[1]} x {size[0]}"
                " pixels, a view as wide as KITTI's: depths and places are only as right as that;"
                " --calib FILE or --calib fx,fy,cx,cy tells the camera",
                file=sys.stderr,
                flush=True,
            )
        return matrix
