"""2D detection by extreme points: four peaks of an outline and one of the middle make an object.

Method: Zhou, Zhuo, Kraehenbuehl, "Bottom-up Object Detection by Grouping Extreme and Center
Points", CVPR 2019.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import partial
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from centernet.datasets.source import Info
from centernet.geometry.view import View
from centernet.heads import flipped
from centernet.heads.grouping import BOTTOM, LEFT, RIGHT, TOP, aggregate_edges, group
from centernet.heads.head import Head, sigmoid_heat
from centernet.heads.head_map import Maps
from centernet.heads.losses import Focal, Loss, at_centres, sigmoid_square
from centernet.heads.peaks import Peaks, local_maxima, top_k_by_class
from centernet.heads.targets import draw_gaussian, draw_wide_gaussian, object_radius
from centernet.heads.term import Term
from centernet.runtime.jit import njit
from centernet.structures.detections import Detections
from centernet.structures.merge import merge_scales
from centernet.structures.objects import Objects
from centernet.tasks.options import ExdetOptions
from centernet.tasks.task import Task

SIDES = ("t", "l", "b", "r")
GROUPS = 1000  # objects read off the maps of one image


class Exdet(Task):
    """Boxes and their extreme points, of any number of classes.

    `half_mirrored` repeats a fault of the published detector, to compare with what it found:
    without the flip test it mirrored the lower half of its ranking.
    """

    name = "exdet"
    needs = frozenset({"boxes", "extremes"})
    Options = ExdetOptions
    options: ExdetOptions

    def __init__(self, info: Info, options: Any = None, *, half_mirrored: bool = False) -> None:
        super().__init__(info, options)
        self.half_mirrored = half_mirrored

    def make_heads(self) -> dict[str, Head]:
        classes = self.info.num_classes
        points = 1 if self.options.agnostic_ex else classes
        heat = partial(sigmoid_heat, flip=None, oracle="hm")
        heads = {f"hm_{side}": heat(points) for side in SIDES}
        heads["hm_c"] = heat(classes)
        if not self.options.not_reg_offset:
            heads |= {f"reg_{side}": Head(2, reads="places", oracle="offset") for side in SIDES}
        return heads

    def make_terms(self) -> list[Term]:
        options = self.options
        terms = []
        for name in (*(f"hm_{side}" for side in SIDES), "hm_c"):
            heat: Loss = sigmoid_square(name) if options.mse_loss else Focal(name)
            terms.append(Term("hm_loss", heat, (name,), options.hm_weight))
        if not options.not_reg_offset:
            for side in SIDES:
                offset = at_centres(f"reg_{side}", options.reg_loss, index=f"ind_{side}")
                terms.append(Term("off_loss", offset, (f"reg_{side}",), options.off_weight))
        return terms

    def encode(self, objects: Objects, size: tuple[int, int]) -> dict[str, NDArray]:
        """Heat maps hm_t, hm_l, hm_b, hm_r (classes or 1, h, w) and hm_c (classes, h, w).

        For N = max_objects rows: reg_t ... (N, 2), ind_t ... (N,) of each side, reg_mask (N,).
        """
        rows, classes = self.info.max_objects, self.info.num_classes
        objects = objects.select(slice(rows))
        extremes = objects.extremes
        if extremes is None:
            if len(objects):
                raise ValueError("exdet encodes objects with extreme points")
            extremes = np.zeros((0, 4, 2), np.float32)
        sides = np.zeros((4, 1 if self.options.agnostic_ex else classes, *size), np.float32)
        centre = np.zeros((classes, *size), np.float32)
        offsets = np.zeros((4, rows, 2), np.float32)
        index = np.zeros((4, rows), np.int64)
        mask = np.zeros(rows, np.uint8)
        points = np.ascontiguousarray(extremes, np.float32)
        wide = bool(self.options.mse_loss)
        encode_extremes(points, objects.classes, wide, sides, centre, offsets, index, mask)
        targets: dict[str, NDArray] = {f"hm_{s}": sides[i] for i, s in enumerate(SIDES)}
        targets["hm_c"] = centre
        if not self.options.not_reg_offset:
            targets["reg_mask"] = mask
            for i, side in enumerate(SIDES):
                targets |= {f"reg_{side}": offsets[i], f"ind_{side}": index[i]}
        return targets

    def merge_flip(self, maps: Maps) -> Maps:
        """Maps of [images, mirrored images], the latter as maps of their own."""
        return flipped.join_flipped(maps)

    def decode(self, maps: Maps, k: int) -> dict[str, Tensor]:
        """The GROUPS best groups of the `k` highest peaks of each side; rows of score 0 are none.

        boxes (B, N, 4), scores, classes (B, N), extremes (B, N, 4, 2) as top left bottom right.
        After `merge_flip` those of the mirrored image follow.
        """
        width = maps["hm_c"].shape[3]
        upright, *mirrored = (self._decode(each, k) for each in flipped.split_flipped(maps))
        if mirrored:
            parts = [upright, mirror_groups(mirrored[0], width)]
        elif self.half_mirrored:
            first, last = ({n: v.chunk(2, 1)[half] for n, v in upright.items()} for half in (0, 1))
            parts = [first, mirror_groups(last, width)]
        else:
            return upright
        return {name: torch.cat([part[name] for part in parts], 1) for name in upright}

    def _decode(self, maps: Maps, k: int) -> dict[str, Tensor]:
        peaks = self._peaks(maps, k)
        scores, classes, members = group(
            peaks,
            maps["hm_c"].whole(),
            agnostic=self.options.agnostic_ex,
            scores_thresh=self.options.scores_thresh,
            center_thresh=self.options.center_thresh,
            limit=GROUPS,
        )
        points = torch.stack([peaks.x, peaks.y], dim=3)  # (B, 4, K, 2)
        if "reg_t" in maps:
            offsets = [maps[f"reg_{s}"].at(peaks.index[:, i]) for i, s in enumerate(SIDES)]
            points = points + torch.stack(offsets, dim=1)
        else:
            points = points + 0.5
        chosen = members.transpose(1, 2).unsqueeze(3).expand(-1, -1, -1, 2)  # (B, 4, N, 2)
        extremes = points.gather(2, chosen).transpose(1, 2)
        outermost = (LEFT, 0), (TOP, 1), (RIGHT, 0), (BOTTOM, 1)
        boxes = torch.stack([extremes[:, :, side, axis] for side, axis in outermost], dim=2)
        return {"boxes": boxes, "scores": scores, "classes": classes, "extremes": extremes}

    def _peaks(self, maps: Maps, k: int) -> Peaks:
        """The `k` best of each side; fields are (B, 4, K)."""
        heat = torch.stack([maps[f"hm_{side}"].whole() for side in SIDES], dim=1)
        weight = self.options.aggr_weight
        if weight > 0:
            along_x = aggregate_edges(heat[:, TOP :: BOTTOM - TOP], -1, weight)
            along_y = aggregate_edges(heat[:, LEFT :: RIGHT - LEFT], -2, weight)
            heat = torch.stack([along_x, along_y], dim=2).flatten(1, 2)
        peaks = top_k_by_class(local_maxima(heat.flatten(0, 1)).clamp(max=1), k)
        return Peaks(*(field.unflatten(0, (-1, 4)) for field in peaks))

    def postprocess(
        self,
        arrays: Mapping[str, NDArray],
        views: Sequence[View],
        map_size: tuple[int, int],
        calibrations: Sequence[NDArray | None] = (),
    ) -> list[Detections]:
        """As every task's, without the rows that are no detection."""
        found = super().postprocess(arrays, views, map_size, calibrations)
        return [each.select(each.scores > 0) for each in found]

    def merge(self, parts: Sequence[Detections], *, nms: bool, limit: int = 100) -> Detections:
        """Soft-NMS class by class whatever `nms` says: one object makes many groups."""
        return merge_scales(parts, nms=True, limit=limit)


def mirror_groups(found: dict[str, Tensor], width: int) -> dict[str, Tensor]:
    """Detections of a mirrored image, in pixels of maps `width` wide, on the image itself."""
    boxes = flipped.mirror_boxes(found["boxes"], width)
    sides = found["extremes"].unbind(2)  # taken one by one: a list of indices exports as GatherND
    x, y = torch.stack([sides[i] for i in (TOP, RIGHT, BOTTOM, LEFT)], dim=2).unbind(3)
    return found | {"boxes": boxes, "extremes": torch.stack([width - x, y], dim=3)}


@njit
def encode_extremes(
    points: NDArray[np.float32],
    classes: NDArray[np.int64],
    wide: bool,
    sides: NDArray[np.float32],
    centre: NDArray[np.float32],
    offsets: NDArray[np.float32],
    index: NDArray[np.int64],
    mask: NDArray[np.uint8],
) -> None:
    """Fill the targets from `points` (N, 4, 2) in map pixels; object n goes to row n.

    Points are clipped to the map; an object of which nothing is left is passed over. `wide` draws
    the gaussians of the squared error.
    """
    height, width = centre.shape[1:]
    edge = np.array([width - 1, height - 1], np.float32)
    for n in range(points.shape[0]):
        if classes[n] < 0:
            continue
        p = np.minimum(np.maximum(points[n], np.float32(0)), edge)
        w, h = p[RIGHT, 0] - p[LEFT, 0], p[BOTTOM, 1] - p[TOP, 1]
        if not (w > 0 and h > 0):  # also of an object whose points are unknown, NaN
            continue
        radius = object_radius(h, w)
        channel = 0 if sides.shape[1] == 1 else classes[n]
        for side in range(4):
            x, y = int(p[side, 0]), int(p[side, 1])
            draw_peak(sides[side, channel], x, y, radius, wide)
            offsets[side, n, 0], offsets[side, n, 1] = p[side, 0] - x, p[side, 1] - y
            index[side, n] = y * width + x
        x = int((p[RIGHT, 0] + p[LEFT, 0]) / 2)
        y = int((p[TOP, 1] + p[BOTTOM, 1]) / 2)
        draw_peak(centre[classes[n]], x, y, radius, wide)
        mask[n] = 1


@njit
def draw_peak(heat: NDArray[np.float32], x: int, y: int, radius: int, wide: bool) -> None:
    """A gaussian of `radius`, or of that deviation if `wide`; one pixel if it is 0."""
    if wide and radius > 0:
        draw_wide_gaussian(heat, x, y, radius)
    else:
        draw_gaussian(heat, x, y, radius)
