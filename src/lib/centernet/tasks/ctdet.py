"""2D detection: a box's centre is a peak, its size and sub-pixel place are read off there.

Method: Zhou, Wang, Kraehenbuehl, "Objects as Points", arXiv 1904.07850.
"""

from __future__ import annotations

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from centernet.heads.head_map import Maps
from centernet.heads.losses import Dense, Focal, Loss, MeanSquare, at_centres
from centernet.heads.peaks import mirror
from centernet.heads.spots import SUFFIX, no_spots
from centernet.heads.targets import draw_gaussian, object_radius, spread_value
from centernet.heads.term import Term
from centernet.runtime.jit import njit
from centernet.structures.objects import Objects
from centernet.tasks.options import CtdetOptions
from centernet.tasks.task import Head, Task, sigmoid_heat


class Ctdet(Task):
    """Boxes of any number of classes."""

    name = "ctdet"
    needs = frozenset({"boxes"})
    Options = CtdetOptions
    options: CtdetOptions

    def make_heads(self) -> dict[str, Head]:
        options, classes = self.options, self.info.num_classes
        sizes = 2 * classes if options.cat_spec_wh else 2
        heads = {"hm": self._heat(), "wh": Head(sizes, flip=mirror, reads="places")}
        if not options.not_reg_offset:
            heads["reg"] = Head(2, reads="places", oracle="offset")
        return heads

    def _heat(self) -> Head:
        """Probabilities or, for the squared error, which is that of raw maps, those themselves."""
        classes = self.info.num_classes
        if self.options.mse_loss:
            return Head(classes, activation=torch.relu, flip=mirror)
        return sigmoid_heat(classes, reads="peaks")

    def make_terms(self) -> list[Term]:
        options = self.options
        heat: Loss = MeanSquare("hm") if options.mse_loss else Focal("hm")
        terms = [
            Term("hm_loss", heat, ("hm",), options.hm_weight),
            Term("wh_loss", self._size_loss(), ("wh",), options.wh_weight),
        ]
        if not options.not_reg_offset:
            offset = at_centres("reg", options.reg_loss)
            terms.append(Term("off_loss", offset, ("reg",), options.off_weight))
        return terms

    def _size_loss(self) -> Loss:
        options = self.options
        if options.dense_wh:
            return Dense("dense_wh", "dense_wh_mask")
        if options.cat_spec_wh:
            return at_centres("cat_spec_wh", "l1", mask="cat_spec_mask")
        return at_centres("wh", options.reg_loss, relative=options.norm_wh)

    def encode(self, objects: Objects, size: tuple[int, int]) -> dict[str, NDArray]:
        """Heat map (classes, h, w); wh, reg (N, 2), ind and reg_mask (N,) for N = max_objects.

        With `dense_wh` maps (2, h, w), with `cat_spec_wh` rows (N, 2 * classes) in place of wh.
        """
        return self._targets(objects, size, size)[0]

    def sketch(self, objects: Objects, size: tuple[int, int]) -> dict[str, NDArray]:
        """As `encode`, with spots (N, 4) in place of the heat map; not so with `dense_wh`."""
        if self.options.dense_wh:  # each size is spread where the gaussians so far leave room
            return self.encode(objects, size)
        targets, spots = self._targets(objects, size, (0, 0))
        del targets["hm"]
        return {f"hm{SUFFIX}": spots, **targets}

    def _targets(
        self, objects: Objects, size: tuple[int, int], drawn: tuple[int, int]
    ) -> tuple[dict[str, NDArray], NDArray[np.int32]]:
        """Targets with a heat map of the size `drawn`, if any, and the spots that are on it."""
        rows, classes = self.info.max_objects, self.info.num_classes
        objects = objects.select(slice(rows))
        spots = no_spots(rows)
        targets: dict[str, NDArray] = {
            "hm": np.zeros((classes, *drawn), np.float32),
            "reg_mask": np.zeros(rows, np.uint8),
            "ind": np.zeros(rows, np.int64),
            "wh": np.zeros((rows, 2), np.float32),
            "reg": np.zeros((rows, 2), np.float32),
        }
        dense = np.zeros((2, *size) if self.options.dense_wh else (0, 1, 1), np.float32)
        boxes = np.ascontiguousarray(objects.boxes, np.float32)
        encode_boxes(boxes, objects.classes, size, spots, *targets.values(), dense)
        if self.options.dense_wh:
            highest = targets["hm"].max(axis=0)
            targets |= {"dense_wh": dense, "dense_wh_mask": np.stack([highest, highest])}
        if self.options.cat_spec_wh:
            targets |= self._by_class(targets, objects)
        if self.options.dense_wh or self.options.cat_spec_wh:
            del targets["wh"]
        if self.options.not_reg_offset:
            del targets["reg"]
        return targets, spots

    def _by_class(self, targets: dict[str, NDArray], objects: Objects) -> dict[str, NDArray]:
        rows, classes = self.info.max_objects, self.info.num_classes
        sizes = np.zeros((rows, classes, 2), np.float32)
        mask = np.zeros((rows, classes, 2), np.uint8)
        used = np.flatnonzero(targets["reg_mask"])
        sizes[used, objects.classes[used]] = targets["wh"][used]
        mask[used, objects.classes[used]] = 1
        return {"cat_spec_wh": sizes.reshape(rows, -1), "cat_spec_mask": mask.reshape(rows, -1)}

    def decode(self, maps: Maps, k: int) -> dict[str, Tensor]:
        """Boxes (B, K, 4), scores and classes (B, K) of the `k` highest peaks, in map pixels."""
        peaks = maps["hm"].peaks(k)
        sizes = maps["wh"].at(peaks.index)  # (B, K, 2) or (B, K, 2 * classes)
        if self.options.cat_spec_wh:
            pairs = sizes.unflatten(2, (-1, 2))
            chosen = peaks.classes.view(*peaks.classes.shape, 1, 1).expand(-1, -1, 1, 2)
            sizes = pairs.gather(2, chosen).squeeze(2)
        corner = torch.stack([peaks.x, peaks.y], dim=2)
        centres = corner + (maps["reg"].at(peaks.index) if "reg" in maps else 0.5)
        boxes = torch.cat([centres - sizes / 2, centres + sizes / 2], dim=2)
        return {"boxes": boxes, "scores": peaks.scores, "classes": peaks.classes}


@njit
def encode_boxes(
    boxes: NDArray[np.float32],
    classes: NDArray[np.int64],
    size: tuple[int, int],
    spots: NDArray[np.int32],
    heat: NDArray[np.float32],
    mask: NDArray[np.uint8],
    index: NDArray[np.int64],
    sizes: NDArray[np.float32],
    offsets: NDArray[np.float32],
    dense: NDArray[np.float32],
) -> None:
    """Fill the targets from `boxes` (N, 4) in map pixels; object n goes to row n.

    Boxes are clipped to the map of `size` (h, w) and those with nothing inside are passed over.
    Gaussians are written down in `spots` and drawn, unless `heat` is empty. `dense` (2, h, w)
    collects the sizes spread over the gaussians, unless it is empty.
    """
    height, width = size
    for n in range(boxes.shape[0]):
        x1 = min(max(boxes[n, 0], np.float32(0)), np.float32(width - 1))
        y1 = min(max(boxes[n, 1], np.float32(0)), np.float32(height - 1))
        x2 = min(max(boxes[n, 2], np.float32(0)), np.float32(width - 1))
        y2 = min(max(boxes[n, 3], np.float32(0)), np.float32(height - 1))
        w, h = x2 - x1, y2 - y1
        if not (w > 0 and h > 0) or classes[n] < 0:  # also of a box that is NaN
            continue
        centre_x, centre_y = np.float32((x1 + x2) / 2), np.float32((y1 + y2) / 2)
        x, y = int(centre_x), int(centre_y)
        radius = object_radius(h, w)
        spots[n, 0], spots[n, 1], spots[n, 2], spots[n, 3] = classes[n], x, y, radius
        if heat.shape[1] > 0:
            draw_gaussian(heat[classes[n]], x, y, radius)
        sizes[n, 0], sizes[n, 1] = w, h
        offsets[n, 0], offsets[n, 1] = centre_x - x, centre_y - y
        index[n] = y * width + x
        mask[n] = 1
        if dense.shape[0] > 0:
            highest = heat[0].copy()
            for c in range(1, heat.shape[0]):
                highest = np.maximum(highest, heat[c])
            spread_value(dense, highest, x, y, sizes[n], radius)
