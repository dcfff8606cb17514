"""The 3D box of an object: depth, size and orientation at its centre, and the way into space.

Method: "Objects as Points", arXiv 1904.07850, section on 3D detection; depth after Eigen et al.,
arXiv 1406.2283; orientation in `heads/orientation.py`.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from centernet.geometry.cuboids import bounding_boxes, corners, rotation_from, unproject
from centernet.heads.head import Head
from centernet.heads.head_map import Maps
from centernet.heads.losses import AtCentres, Distance
from centernet.heads.orientation import CHANNELS, InBins, from_bins, mirror_bins, to_bins
from centernet.heads.part import Centres, Part, Placing
from centernet.heads.peaks import mirror
from centernet.heads.rows import Rows
from centernet.heads.term import Term
from centernet.structures.objects import Cuboids, Objects


def depth_of(raw: Tensor) -> Tensor:
    """Metres of a raw depth map: 1 / sigmoid - 1, so that 0 stands for one metre."""
    return 1 / (torch.sigmoid(raw) + 1e-6) - 1


def raw_depth(metres: Tensor) -> Tensor:
    """The raw map of depths: the inverse of `depth_of`."""
    return torch.logit(1 / (metres + 1) - 1e-6)


class Cuboid(Part):
    """Heads `dep` (metres), `rot` (orientation in bins) and `dim` (height, width, length, metres).

    Targets for R rows: dep (R, 1), dim (R, 3), rotbin, rotres (R, 2). `weights` are those of depth,
    orientation and size. The loss of depth and size goes by `reg_mask`, which a task may narrow to
    the views that do not change how large things look.
    """

    needs = frozenset({"cuboids"})

    def __init__(self, distance: Distance, weights: tuple[float, float, float]) -> None:
        self.distance, self.weights = distance, weights

    def heads(self) -> dict[str, Head]:
        return {
            "dep": Head(1, activation=depth_of, flip=mirror, reads="places"),
            "rot": Head(CHANNELS, flip=mirror_bins, reads="places"),
            "dim": Head(3, flip=mirror, reads="places"),
        }

    def terms(self) -> Sequence[Term]:
        of_depth, of_rotation, of_size = self.weights
        depth = AtCentres(
            "dep", distance=self.distance, over_all=True, activation=depth_of, inverse=raw_depth
        )
        size = AtCentres("dim", distance=self.distance, over_all=True)
        return (
            Term("dep_loss", depth, ("dep",), of_depth),
            Term("rot_loss", InBins(), ("rot",), of_rotation),
            Term("dim_loss", size, ("dim",), of_size),
        )

    def encode(self, rows: Rows, objects: Objects) -> dict[str, NDArray]:
        count = len(rows.there)
        depths, sizes = np.zeros((count, 1), np.float32), np.zeros((count, 3), np.float32)
        bins, residuals = np.zeros((count, 2), np.int64), np.zeros((count, 2), np.float32)
        cuboids = objects.cuboids
        if cuboids is not None:
            depths[:, 0] = cuboids.depths / objects.zoom  # as it looks
            sizes[:] = cuboids.dimensions
            used = rows.drawn
            bins[used], residuals[used] = to_bins(cuboids.alphas[used])
        return {
            "dep": rows.filled(depths),
            "dim": rows.filled(sizes),
            "rotbin": rows.filled(bins, np.int64),
            "rotres": rows.filled(residuals),
        }

    def decode(self, maps: Maps, at: Centres, found: Mapping[str, Tensor]) -> dict[str, Tensor]:
        """centres (B, K, 2) in map pixels; depths (B, K) and dimensions (B, K, 3: height width
        length) in metres; alphas (B, K), the observation angles.

        Where no part before has found boxes they have no extent: `place` finds it.
        """
        index = at.peaks.index
        boxes = {} if "boxes" in found else {"boxes": torch.cat([at.points, at.points], dim=2)}
        return boxes | {
            "centres": at.points,
            "depths": maps["dep"].at(index).squeeze(2),
            "dimensions": maps["dim"].at(index),
            "alphas": from_bins(maps["rot"].at(index)),
        }

    def place(self, arrays: Mapping[str, NDArray], placing: Placing) -> dict[str, Any]:
        """Cuboids before the cameras; their outlines as boxes where those have no extent.

        The centre of the image box is taken for that of the cuboid. At a test scale other than 1
        things look nearer by that factor, which is put right here.
        """
        centres = placing.points(arrays["centres"])
        cuboids = [
            lifted({name: arrays[name][row] for name in LIFTED}, middle, view.zoom, camera)
            for row, (middle, view, camera) in enumerate(
                zip(centres, placing.views, placing.cameras, strict=True)
            )
        ]
        return {"cuboids": cuboids, "calibration": list(placing.cameras)}


class FreeCuboid(Cuboid):
    """A cuboid without a box in the image: its outline is taken for that."""

    def place(self, arrays: Mapping[str, NDArray], placing: Placing) -> dict[str, Any]:
        found = super().place(arrays, placing)
        return found | {
            "boxes": [
                bounding_boxes(corners(c.dimensions, c.locations, c.rotations), camera)
                for c, camera in zip(found["cuboids"], found["calibration"], strict=True)
            ]
        }


LIFTED = ("depths", "dimensions", "alphas")


def lifted(
    arrays: Mapping[str, NDArray], centres: NDArray, zoom: float, camera: NDArray | None
) -> Cuboids:
    """One image's cuboids from its decoded arrays (K, ...) and `centres` (K, 2) in its pixels."""
    if camera is None:
        raise ValueError("3D detection needs the camera matrix of the image")
    dimensions = np.asarray(arrays["dimensions"], np.float32)
    places = unproject(centres, np.asarray(arrays["depths"]) * zoom, camera)
    places[:, 1] += dimensions[:, 0] / 2  # from the middle down to the bottom face
    rotations = rotation_from(arrays["alphas"], centres[:, 0], camera)
    return Cuboids(
        dimensions=dimensions,
        locations=places.astype(np.float32),
        rotations=rotations.astype(np.float32),
        alphas=np.asarray(arrays["alphas"], np.float32),
        depths=places[:, 2].astype(np.float32),
    )
