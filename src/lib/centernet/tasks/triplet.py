"""2D detection by keypoint triplets: two corners make a box, a centre inside confirms it.

Method: Duan, Bai, Xie, Qi, Huang, Tian, "CenterNet: Keypoint Triplets for Object Detection", ICCV
2019; corners and their embeddings after CornerNet (Law and Deng, ECCV 2018).
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from functools import partial
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from centernet.datasets.natural_framing import NaturalFraming
from centernet.datasets.source import Info
from centernet.external.nms import GAUSSIAN, soft_nms_merge
from centernet.geometry.view import View
from centernet.heads import flipped
from centernet.heads.centre_check import before_the_check, centre_scores, nearest_to_one
from centernet.heads.embedding import Pull, Push
from centernet.heads.head import Head, sigmoid_heat
from centernet.heads.head_map import Maps
from centernet.heads.losses import Focal, at_centres
from centernet.heads.targets import draw_gaussian
from centernet.heads.term import Term
from centernet.runtime.errors import UserError
from centernet.runtime.jit import njit
from centernet.structures.detections import Detections
from centernet.structures.merge import merge_scales
from centernet.structures.objects import Objects
from centernet.tasks.options import TripletOptions
from centernet.tasks.task import Task

POINTS = ("tl", "br", "ct")
PAIRS = 1000  # boxes read off the maps of one image
KERNEL = 3  # surroundings in which a peak is the highest
MARGIN = 5.0  # input pixels that a box may reach beyond the image
OVERLAP = 0.7  # with the object, of a box whose corners lie on the rims of their gaussians
DELTA = 6.0  # diameters of the corners' gaussians in their deviations
CENTRE_DELTA = 5.0


class Triplet(Task):
    """Boxes of any number of classes.

    `recorded` merges boxes as the published programs do, which give some the corner scores of
    others, to compare with what they found.
    """

    name = "triplet"
    needs = frozenset({"boxes"})
    framing = NaturalFraming()
    Options = TripletOptions
    options: TripletOptions

    def __init__(self, info: Info, options: Any = None, *, recorded: bool = False) -> None:
        super().__init__(info, options)
        self.recorded = recorded

    @classmethod
    def resolution(cls, info: Info, options: TripletOptions) -> tuple[int, int]:
        """One less than the data set's own: odd sizes are halved around a pixel."""
        if options.img_size == 0:
            raise UserError("--img_size 0: name the side of a crop in pixels, or -1 for the data's")
        if options.img_size > 0:
            return options.img_size, options.img_size
        return info.resolution[0] - 1, info.resolution[1] - 1

    def make_heads(self) -> dict[str, Head]:
        classes = self.info.num_classes
        read_off = partial(Head, reads="places")
        heads = {
            f"hmap_{point}": sigmoid_heat(
                classes, flip=None, pooling=f"cnvs_{point}", reads="peaks", oracle="hm"
            )
            for point in POINTS
        }
        for point in POINTS[:2]:
            heads[f"embd_{point}"] = read_off(1, pooling=f"cnvs_{point}", oracle="embd")
        for point in POINTS:
            heads[f"regs_{point}"] = read_off(2, pooling=f"cnvs_{point}", oracle="offset")
        return heads

    def make_terms(self) -> list[Term]:
        options = self.options
        corners, indices = ("embd_tl", "embd_br"), ("inds_tl", "inds_br")
        maps = [f"hmap_{point}" for point in POINTS]
        terms = [
            *(Term("hm_loss", Focal(name), (name,), options.hm_weight) for name in maps),
            Term("pull_loss", Pull(indices), corners, options.pull_weight),
            Term("push_loss", Push(indices), corners, options.push_weight),
        ]
        for point in POINTS:
            offset = at_centres(f"regs_{point}", "sl1", mask="ind_masks", index=f"inds_{point}")
            terms.append(Term("off_loss", offset, (f"regs_{point}",), options.off_weight))
        return terms

    def encode(self, objects: Objects, size: tuple[int, int]) -> dict[str, NDArray]:
        """Heat maps hmap_tl, hmap_br, hmap_ct (classes, h, w).

        For N = max_objects rows: regs_tl ... (N, 2), inds_tl ... (N,), ind_masks (N,).
        """
        rows, classes = self.info.max_objects, self.info.num_classes
        objects = objects.select(slice(rows))
        heat = np.zeros((3, classes, *size), np.float32)
        offsets = np.zeros((3, rows, 2), np.float32)
        index = np.zeros((3, rows), np.int64)
        mask = np.zeros(rows, np.uint8)
        boxes = np.ascontiguousarray(objects.boxes, np.float32)
        encode_triplets(boxes, objects.classes, heat, offsets, index, mask)
        targets: dict[str, NDArray] = {f"hmap_{p}": heat[i] for i, p in enumerate(POINTS)}
        targets |= {f"regs_{p}": offsets[i] for i, p in enumerate(POINTS)}
        targets |= {f"inds_{p}": index[i] for i, p in enumerate(POINTS)}
        return targets | {"ind_masks": mask}

    def merge_flip(self, maps: Maps) -> Maps:
        """Maps of [images, mirrored images], the latter as maps of their own."""
        return flipped.join_flipped(maps)

    def decode(self, maps: Maps, k: int) -> dict[str, Tensor]:
        """The PAIRS best pairs of corners, and the centres; `topk` of the options rules, not `k`.

        boxes (B, N, 4), scores, classes (B, N), corner_scores (B, N, 2): pairs that do not fit have
        score -1. centres (B, M, 4) x y class score. After `merge_flip` those of the mirrored image
        follow.
        """
        upright, *mirrored = (self._decode(each) for each in flipped.split_flipped(maps))
        if not mirrored:
            return upright
        back = mirror_pairs(mirrored[0], maps["hmap_ct"].shape[3])
        return {name: torch.cat([value, back[name]], dim=1) for name, value in upright.items()}

    def _decode(self, maps: Maps) -> dict[str, Tensor]:
        k = self.options.topk
        first, last, middle = (maps[f"hmap_{point}"].peaks(k, KERNEL) for point in POINTS)
        corners = [
            torch.stack([peaks.x, peaks.y], dim=2) + maps[f"regs_{point}"].at(peaks.index)
            for point, peaks in zip(POINTS, (first, last, middle), strict=True)
        ]
        shape = (-1, first.scores.shape[1], last.scores.shape[1])
        begin = corners[0].unsqueeze(2).expand(*shape, -1)  # (B, K, K, 2)
        end = corners[1].unsqueeze(1).expand(*shape, -1)
        tags = (maps[f"embd_{p}"].at(s.index) for p, s in (("tl", first), ("br", last)))
        tag_first, tag_last = (tag.squeeze(2) for tag in tags)
        fit = first.classes.unsqueeze(2) == last.classes.unsqueeze(1)
        fit = fit & ((tag_first.unsqueeze(2) - tag_last.unsqueeze(1)).abs() <= self._apart)
        fit = fit & (end >= begin).all(3)
        one, other = first.scores.unsqueeze(2).expand(shape), last.scores.unsqueeze(1).expand(shape)
        mean = torch.where(fit, (one + other) / 2, torch.full_like(one, -1))
        scores, order = mean.flatten(1).topk(min(PAIRS, mean[0].numel()))

        def chosen(values: Tensor) -> Tensor:
            return values.flatten(1, 2).gather(
                1, order.unsqueeze(2).expand(-1, -1, values.shape[3])
            )

        kinds = first.classes.unsqueeze(2).expand(shape).flatten(1).gather(1, order)
        kind, score = middle.classes.to(corners[2].dtype), middle.scores
        return {
            "boxes": chosen(torch.cat([begin, end], dim=3)),
            "scores": scores,
            "classes": kinds,
            "corner_scores": chosen(torch.stack([one, other], dim=3)),
            "centres": torch.cat([corners[2], torch.stack([kind, score], dim=2)], dim=2),
        }

    @property
    def _apart(self) -> float:
        return float(self.options.ae_threshold)

    def postprocess(
        self,
        arrays: Mapping[str, NDArray],
        views: Sequence[View],
        map_size: tuple[int, int],
        calibrations: Sequence[NDArray | None] = (),
    ) -> list[Detections]:
        """Pairs and centres in image pixels, without pairs that do not fit or leave the image."""
        placed = dict(arrays)
        placed["boxes"] = to_image(arrays["boxes"], views, map_size)
        centres = np.array(arrays["centres"], np.float32)
        centres[..., :2] = to_image(centres[..., :2], views, map_size)
        placed["centres"] = centres
        return [
            self._fitting({name: value[row] for name, value in placed.items()}, view)
            for row, view in enumerate(views)
        ]

    def _fitting(self, arrays: Mapping[str, NDArray], view: View) -> Detections:
        """One image's pairs (K, ...), in its pixels already, that fit and do not leave it."""
        boxes, real = arrays["boxes"], arrays["scores"] > 0
        if view.bounds is not None:
            limit = np.array([view.bounds[1], view.bounds[0]] * 2, np.float32)
            margin = MARGIN / view.zoom
            real &= (boxes[:, :2] > -margin).all(1) & (boxes[:, 2:] < limit[2:] + margin).all(1)
            boxes = boxes.clip(0, limit)
        pairs = Detections(
            boxes=boxes[real],
            scores=np.asarray(arrays["scores"], np.float32)[real],
            classes=np.asarray(arrays["classes"], np.int64)[real],
            class_names=self.info.class_names,
            columns={"corner_scores": np.asarray(arrays["corner_scores"], np.float32)[real]},
        )
        return before_the_check(pairs, np.asarray(arrays["centres"], np.float32), view.zoom)

    def merge(self, parts: Sequence[Detections], *, nms: bool, limit: int = 100) -> Detections:
        """Pairs of all scales that have a centre, weighed by it, after soft-NMS with merging.

        Centres come from the scale nearest to 1 alone. Soft-NMS runs whatever `nms` says.
        """
        pairs = [part.select(~part.columns["centre"]) for part in parts]
        boxes, scores, classes = (
            np.concatenate([getattr(part, name) for part in pairs])
            for name in ("boxes", "scores", "classes")
        )
        corners = np.concatenate([part.columns["corner_scores"] for part in pairs])
        middle = centre_scores(boxes, classes, nearest_to_one(parts))
        confirmed = middle >= 0
        scores = (2 * scores + middle) / 3
        table = np.column_stack([boxes, scores, corners]).astype(np.float32)
        order = np.argsort(-scores[confirmed], kind="stable")
        table, classes = table[confirmed][order], classes[confirmed][order]
        return merge_scales([self._softened(table, classes)], nms=False, limit=limit)

    def _softened(self, table: NDArray[np.float32], classes: NDArray[np.int64]) -> Detections:
        """Rows of box, score and two corner scores after soft-NMS class by class."""
        rows, kinds = [np.zeros((0, 7), np.float32)], [np.zeros(0, np.int64)]
        for kind in np.unique(classes):
            own = np.ascontiguousarray(table[classes == kind])
            kept = soft_nms_merge(
                own,
                Nt=self.options.nms_threshold,
                method=GAUSSIAN,
                weight_exp=self.options.w_exp,
                recorded=self.recorded,
            )
            rows.append(own[kept])
            kinds.append(np.full(len(kept), kind))
        joined = np.concatenate(rows)
        return Detections(
            boxes=joined[:, :4],
            scores=joined[:, 4],
            classes=np.concatenate(kinds),
            class_names=self.info.class_names,
        )


def to_image(
    points: NDArray, views: Sequence[View], map_size: tuple[int, int]
) -> NDArray[np.float32]:
    """Points (B, ...), x and y in turn, in pixels of maps of `map_size` (h, w), in their images'.

    Height and width of the view go by the maps' own: 2^n - 1 pixels are 2^(n-2) cells, and that is
    not the same scale for every n.
    """
    size = np.array([map_size[1], map_size[0]], np.float64)
    scales = [view.scale for view in views]
    seen = [each if isinstance(each, tuple) else each * size / size[0] for each in scales]
    centres = np.array([view.center for view in views])
    places = points.reshape(len(views), points[0].size // 2, 2)
    moved = (places - size / 2) * (np.array(seen)[:, None] / size) + centres[:, None]
    return moved.astype(np.float32).reshape(points.shape)


def mirror_pairs(found: dict[str, Tensor], width: int) -> dict[str, Tensor]:
    """Detections of a mirrored image, in pixels of maps `width` wide, on the image itself."""
    boxes = flipped.mirror_boxes(found["boxes"], width)
    x, *rest = found["centres"].unbind(2)
    return found | {"boxes": boxes, "centres": torch.stack([width - x, *rest], dim=2)}


@njit
def encode_triplets(
    boxes: NDArray[np.float32],
    classes: NDArray[np.int64],
    heat: NDArray[np.float32],
    offsets: NDArray[np.float32],
    index: NDArray[np.int64],
    mask: NDArray[np.uint8],
) -> None:
    """Fill the targets from `boxes` (N, 4) in map pixels; object n goes to row n.

    Boxes are clipped to the last pixel of the input, which is odd: of 4 h - 1 by 4 w - 1 pixels.
    Those with nothing inside are passed over.
    """
    height, width = heat.shape[2:]
    right = width * (4 * width - 2) / (4 * width - 1)
    bottom = height * (4 * height - 2) / (4 * height - 1)
    for n in range(boxes.shape[0]):
        if classes[n] < 0:
            continue
        x1, x2 = min(max(boxes[n, 0], 0.0), right), min(max(boxes[n, 2], 0.0), right)
        y1, y2 = min(max(boxes[n, 1], 0.0), bottom), min(max(boxes[n, 3], 0.0), bottom)
        if not (x2 > x1 and y2 > y1):  # also of a box that is NaN
            continue
        radius = max(0, int(rim_radius(math.ceil(y2 - y1), math.ceil(x2 - x1), OVERLAP)))
        points = ((x1, y1), (x2, y2), ((x1 + x2) / 2, (y1 + y2) / 2))
        for kind, (x, y) in enumerate(points):
            column, row = int(x), int(y)
            delta = CENTRE_DELTA if kind == 2 else DELTA
            draw_gaussian(heat[kind, classes[n]], column, row, radius, 1.0, delta)
            offsets[kind, n, 0], offsets[kind, n, 1] = x - column, y - row
            index[kind, n] = row * width + column
        mask[n] = 1


@njit
def rim_radius(height: float, width: float, overlap: float) -> float:
    """How far both corners may be off before the box overlaps less than `overlap`, in map pixels.

    CornerNet's three cases: one corner inside and one outside, both inside, both outside. These are
    the roots as its text has them; `gaussian_radius` has them as other weights were trained.
    """
    total, area = height + width, height * width
    mixed = (total - math.sqrt(total * total - 4 * area * (1 - overlap) / (1 + overlap))) / 2
    inside = (total - math.sqrt(total * total - 4 * area * (1 - overlap))) / 4
    both = 2 * overlap * total
    outside = (math.sqrt(both * both + 16 * overlap * (1 - overlap) * area) - both) / (8 * overlap)
    return min(mixed, inside, outside)
