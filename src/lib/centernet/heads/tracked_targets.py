"""Targets of CenterTrack's tasks: objects, regions to ignore, the way back to the previous frame.

Method: Zhou, Koltun, Krähenbühl, "Tracking Objects as Points", ECCV 2020.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from centernet.heads.targets import draw_gaussian, object_radius
from centernet.structures.objects import Objects


class TrackedTargets:
    """Targets of one image for `rows` objects and `classes` on maps of `size` (h, w).

    `arrays` are hm (classes, h, w); ind, cat, mask (N,); reg, wh, tracking, tracking_mask (N, 2);
    ltrb, ltrb_amodal (N, 4). Object n has row n; rows of what is ignored or outside stay 0.
    """

    def __init__(self, rows: int, classes: int, size: tuple[int, int]) -> None:
        self.size = size
        pairs = ("reg", "wh", "tracking", "tracking_mask")
        self.arrays: dict[str, NDArray] = {
            "hm": np.zeros((classes, *size), np.float32),
            "ind": np.zeros(rows, np.int64),
            "cat": np.zeros(rows, np.int64),
            "mask": np.zeros(rows, np.uint8),
            **{name: np.zeros((rows, 2), np.float32) for name in pairs},
            **{name: np.zeros((rows, 4), np.float32) for name in ("ltrb", "ltrb_amodal")},
        }

    def fill(self, objects: Objects) -> None:
        """Write `objects`, in map pixels, into the arrays."""
        height, width = self.size
        most = np.array([width - 1, height - 1] * 2, np.float32)
        objects = objects.select(slice(len(self.arrays["ind"])))
        clipped = np.clip(objects.boxes, 0, most)
        crowd = np.zeros(len(objects), bool) if objects.crowd is None else objects.crowd
        for n, klass in enumerate(objects.classes.tolist()):
            if klass >= 0 and not crowd[n]:
                self._add(n, klass, clipped[n], objects.boxes[n])
                self._add_way_back(n, objects.before)
            elif klass > -99:
                self._ignore(None if klass == -1 else max(klass, -2 - klass), clipped[n])

    def _add(
        self, n: int, klass: int, box: NDArray[np.float32], whole: NDArray[np.float32]
    ) -> None:
        """An object of `klass` with a `box` inside the map, of which `whole` may reach beyond."""
        w, h = float(box[2] - box[0]), float(box[3] - box[1])
        if not (w > 0 and h > 0):  # nor a box that is NaN
            return
        rows = self.arrays
        centre = (box[:2] + box[2:]) / 2
        cell = centre.astype(np.int64)
        x, y = int(cell[0]), int(cell[1])
        draw_gaussian(rows["hm"][klass], x, y, object_radius(h, w))
        rows["ind"][n], rows["cat"][n], rows["mask"][n] = y * self.size[1] + x, klass, 1
        rows["reg"][n], rows["wh"][n] = centre - cell, (w, h)
        corner = np.tile(cell, 2)
        rows["ltrb"][n], rows["ltrb_amodal"][n] = box - corner, whole - corner

    def _add_way_back(self, n: int, before: NDArray[np.float32] | None) -> None:
        rows = self.arrays
        if before is None or not rows["mask"][n] or np.isnan(before[n]).any():
            return
        y, x = divmod(int(rows["ind"][n]), self.size[1])
        rows["tracking"][n] = before[n] - np.array([x, y], np.float32)
        rows["tracking_mask"][n] = 1

    def _ignore(self, klass: int | None, box: NDArray[np.float32]) -> None:
        """No loss inside a box for one class, or for all: a heat map of 1 that is no peak."""
        if np.isnan(box).any():
            return
        x1, y1, x2, y2 = box.astype(np.int64).tolist()
        chosen = slice(None) if klass is None else slice(klass, klass + 1)
        self.arrays["hm"][chosen, y1 : y2 + 1, x1 : x2 + 1] = 1
