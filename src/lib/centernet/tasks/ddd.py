"""3D boxes from one image: at the peak of an object's centre stand depth, size and orientation.

The camera matrix turns the centre and its depth into a place in space. Method: Zhou, Wang,
Kraehenbuehl, "Objects as Points", arXiv 1904.07850, section on 3D detection; depth after Eigen et
al., arXiv 1406.2283; orientation in `orientation.py`.
"""

from __future__ import annotations

import sys
from collections.abc import Mapping, Sequence
from dataclasses import replace
from functools import partial
from typing import Any, NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from centernet.datasets.calibration import assumed_calibration, parse_calibration
from centernet.datasets.framing import Augmentation, WideFraming
from centernet.datasets.source import Info
from centernet.geometry.affine import transform
from centernet.geometry.cuboids import bounding_boxes, corners, rotation_from, unproject
from centernet.geometry.view import View
from centernet.heads.head_map import Maps
from centernet.heads.losses import DISTANCES, AtCentres, Focal, Loss, sigmoid_square
from centernet.heads.orientation import CHANNELS, InBins, from_bins, mirror_bins, to_bins
from centernet.heads.peaks import mirror
from centernet.heads.targets import draw_gaussian, gaussian_radius
from centernet.heads.term import Term
from centernet.runtime.jit import njit
from centernet.structures.detections import Detections
from centernet.structures.objects import Cuboids, Objects
from centernet.tasks.options import DddOptions
from centernet.tasks.task import Head, Task, sigmoid_heat, ways_back

IGNORED = 0.9999  # of a heat map: no peak, and hardly any loss for whatever is predicted


def depth_of(raw: Tensor) -> Tensor:
    """Metres of a raw depth map: 1 / sigmoid - 1, so that 0 stands for one metre."""
    return 1 / (torch.sigmoid(raw) + 1e-6) - 1


def raw_depth(metres: Tensor) -> Tensor:
    """The raw map of depths: the inverse of `depth_of`."""
    return torch.logit(1 / (metres + 1) - 1e-6)


class Ddd(Task):
    """Cuboids standing on the ground, from a single image with a known camera."""

    name = "ddd"
    needs = frozenset({"boxes", "cuboids"})
    Options = DddOptions
    options: DddOptions
    framing = WideFraming()
    colour_jitter = False

    def __init__(self, info: Info, options: Any = None) -> None:
        super().__init__(info, options)
        named = self.options.calib
        self._camera = parse_calibration(named) if named else None
        self._told = False

    def augmentation(self, common: Augmentation) -> Augmentation:
        return replace(common, crop_chance=self.options.aug_ddd)

    def make_heads(self) -> dict[str, Head]:
        options = self.options
        read_off = partial(Head, reads="places")
        heads = {
            "hm": sigmoid_heat(self.info.num_classes, reads="peaks"),
            "dep": read_off(1, activation=depth_of, flip=mirror),
            "rot": read_off(CHANNELS, flip=mirror_bins),
            "dim": read_off(3, flip=mirror),
        }
        if not options.not_reg_bbox:
            heads["wh"] = read_off(2, flip=mirror)
        if not options.not_reg_offset:
            heads["reg"] = read_off(2, oracle="offset")
        return heads

    def make_terms(self) -> list[Term]:
        options = self.options

        def at_centres(target: str, mask: str, **more: Any) -> Loss:
            distance = DISTANCES[options.reg_loss]
            return AtCentres(target, mask, distance=distance, over_all=True, **more)

        heat: Loss = sigmoid_square("hm") if options.mse_loss else Focal("hm")
        depth = at_centres("dep", "reg_mask", activation=depth_of, inverse=raw_depth)
        terms = {
            "hm": Term("hm_loss", heat, ("hm",), options.hm_weight),
            "dep": Term("dep_loss", depth, ("dep",), options.dep_weight),
            "rot": Term("rot_loss", InBins(), ("rot",), options.rot_weight),
            "dim": Term("dim_loss", at_centres("dim", "reg_mask"), ("dim",), options.dim_weight),
            "wh": Term("wh_loss", at_centres("wh", "rot_mask"), ("wh",), options.wh_weight),
            "reg": Term("off_loss", at_centres("reg", "rot_mask"), ("reg",), options.off_weight),
        }
        return [terms[name] for name in self.heads]

    def encode(self, objects: Objects, size: tuple[int, int]) -> dict[str, NDArray]:
        """Heat map hm (classes, h, w), and rows for N = max_objects.

        dep (N, 1) and dim (N, 3) in metres, rotbin, rotres (N, 2), wh, reg (N, 2) in map pixels,
        ind, rot_mask, reg_mask (N,). reg_mask marks the objects that teach depth and size: none
        in a view that strayed, where things look nearer or farther than they are.
        """
        objects = objects.select(slice(self.info.max_objects))
        targets = self._empty_targets(size)
        boxes = np.ascontiguousarray(objects.boxes, np.float32)
        encode_boxes(boxes, objects.classes, self.options.rect_mask, targets)
        taught, cuboids = np.flatnonzero(targets.rot_mask), objects.cuboids
        if cuboids is not None:
            bins, residuals = to_bins(cuboids.alphas[taught])
            targets.rotbin[taught], targets.rotres[taught] = bins, residuals
            targets.dep[taught, 0] = cuboids.depths[taught] / objects.zoom  # as it looks
            targets.dim[taught] = cuboids.dimensions[taught]
        if not objects.strayed:
            targets.reg_mask[:] = targets.rot_mask
        left_out = {"wh", "reg"} - set(self.heads)
        return {name: v for name, v in targets._asdict().items() if name not in left_out}

    def _empty_targets(self, size: tuple[int, int]) -> CuboidTargets:
        rows = self.info.max_objects
        return CuboidTargets(
            hm=np.zeros((self.info.num_classes, *size), np.float32),
            dep=np.zeros((rows, 1), np.float32),
            dim=np.zeros((rows, 3), np.float32),
            rotbin=np.zeros((rows, 2), np.int64),
            rotres=np.zeros((rows, 2), np.float32),
            wh=np.zeros((rows, 2), np.float32),
            reg=np.zeros((rows, 2), np.float32),
            ind=np.zeros(rows, np.int64),
            reg_mask=np.zeros(rows, np.uint8),
            rot_mask=np.zeros(rows, np.uint8),
        )

    def decode(self, maps: Maps, k: int) -> dict[str, Tensor]:
        """The `k` highest peaks of every image, best first.

        scores, classes (B, K); centres (B, K, 2) and boxes (B, K, 4) in map pixels; depths (B, K)
        and dimensions (B, K, 3: height width length) in metres; alphas (B, K), the observation
        angles. With `not_reg_bbox` a box has no extent; `finish` finds it.
        """
        peaks = maps["hm"].peaks(k)
        corner = torch.stack([peaks.x, peaks.y], dim=2)
        centres = corner + (maps["reg"].at(peaks.index) if "reg" in maps else 0.5)
        half = maps["wh"].at(peaks.index) / 2 if "wh" in maps else torch.zeros_like(centres)
        return {
            "boxes": torch.cat([centres - half, centres + half], dim=2),
            "scores": peaks.scores,
            "classes": peaks.classes,
            "centres": centres,
            "depths": maps["dep"].at(peaks.index).squeeze(2),
            "dimensions": maps["dim"].at(peaks.index),
            "alphas": from_bins(maps["rot"].at(peaks.index)),
        }

    def finish(
        self,
        arrays: Mapping[str, NDArray],
        views: Sequence[View],
        map_size: tuple[int, int],
        calibrations: Sequence[NDArray | None] = (),
    ) -> list[Detections]:
        """As every task's, with cuboids before the cameras `calibrations` (3, 4).

        The centre of the image box is taken for that of the cuboid. At a test scale other than 1
        things look nearer by that factor, which is put right here.
        """
        found = super().finish(arrays, views, map_size, calibrations)
        centres = transform(arrays["centres"], ways_back(views, map_size))
        cameras = calibrations or [None] * len(views)
        one_by_one = zip(found, centres, views, cameras, strict=True)
        return [
            self._lifted(
                flat,
                {name: value[row] for name, value in arrays.items()},
                middle,
                view.zoom,
                camera,
            )
            for row, (flat, middle, view, camera) in enumerate(one_by_one)
        ]

    def _lifted(
        self,
        found: Detections,
        arrays: Mapping[str, NDArray],
        centres: NDArray[np.float32],
        zoom: float,
        calibration: NDArray | None,
    ) -> Detections:
        """One image's detections with their cuboids, from its decoded arrays (K, ...)."""
        if calibration is None:
            raise ValueError("3D detection needs the camera matrix of the image")
        dimensions = np.asarray(arrays["dimensions"], np.float32)
        depths = np.asarray(arrays["depths"]) * zoom
        places = unproject(centres, depths, calibration)
        places[:, 1] += dimensions[:, 0] / 2  # from the middle down to the bottom face
        rotations = rotation_from(arrays["alphas"], centres[:, 0], calibration)
        boxes = found.boxes
        if "wh" not in self.heads:
            boxes = bounding_boxes(corners(dimensions, places, rotations), calibration)
        cuboids = Cuboids(
            dimensions=dimensions,
            locations=places.astype(np.float32),
            rotations=rotations.astype(np.float32),
            alphas=np.asarray(arrays["alphas"], np.float32),
            depths=places[:, 2].astype(np.float32),
        )
        return replace(found, boxes=boxes, cuboids=cuboids, calibration=calibration)

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


class CuboidTargets(NamedTuple):
    """What `Ddd.encode` fills; shapes are given there."""

    hm: NDArray[np.float32]
    dep: NDArray[np.float32]
    dim: NDArray[np.float32]
    rotbin: NDArray[np.int64]
    rotres: NDArray[np.float32]
    wh: NDArray[np.float32]
    reg: NDArray[np.float32]
    ind: NDArray[np.int64]
    reg_mask: NDArray[np.uint8]
    rot_mask: NDArray[np.uint8]


@njit
def encode_boxes(
    boxes: NDArray[np.float32],
    classes: NDArray[np.int64],
    rectangles: bool,
    targets: CuboidTargets,
) -> None:
    """Fill hm, wh, reg, ind and rot_mask from `boxes` (N, 4) in map pixels; n goes to row n.

    Boxes are clipped to the map and those with nothing inside are passed over. A class below 0 is a
    region to ignore (see Objects): IGNORED at its middle in a gaussian or, as `rectangles`, all
    over it. Later regions overwrite earlier peaks, as published.
    """
    heat = targets.hm
    count, height, width = heat.shape
    for n in range(boxes.shape[0]):
        x1 = min(max(boxes[n, 0], np.float32(0)), np.float32(width - 1))
        y1 = min(max(boxes[n, 1], np.float32(0)), np.float32(height - 1))
        x2 = min(max(boxes[n, 2], np.float32(0)), np.float32(width - 1))
        y2 = min(max(boxes[n, 3], np.float32(0)), np.float32(height - 1))
        w, h, kind = x2 - x1, y2 - y1, classes[n]
        if not (w > 0 and h > 0) or kind < -1 - count:  # also of a box that is NaN
            continue
        centre_x, centre_y = np.float32((x1 + x2) / 2), np.float32((y1 + y2) / 2)
        x, y = int(centre_x), int(centre_y)
        radius = max(0, int(gaussian_radius(h, w)))
        first, last = kind, kind + 1
        if kind == -1:
            first, last = 0, count
        elif kind < -1:
            first, last = -2 - kind, -1 - kind
        for c in range(first, last):
            if kind < 0 and rectangles:
                heat[c, int(y1) : int(y2) + 1, int(x1) : int(x2) + 1] = IGNORED
            else:
                draw_gaussian(heat[c], x, y, radius)
                if kind < 0:
                    heat[c, y, x] = IGNORED
        if kind < 0:
            continue
        targets.wh[n, 0], targets.wh[n, 1] = w, h
        targets.reg[n, 0], targets.reg[n, 1] = centre_x - x, centre_y - y
        targets.ind[n] = y * width + x
        targets.rot_mask[n] = 1
