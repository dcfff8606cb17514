"""Ground truth of one image: arrays over its N objects."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, fields, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from centernet.geometry.affine import transform
from centernet.geometry.view import View

Pairs = Sequence[tuple[int, int]]


@dataclass
class Cuboids:
    """3D boxes in the camera frame (x right, y down, z forward, metres; angles in radians).

    `dimensions` are height, width, length; `locations` are the centres of the bottom faces, as in
    the KITTI labels; `alphas` are the observation angles; `depths` are the z of the locations.
    """

    dimensions: NDArray[np.float32]  # (N, 3)
    locations: NDArray[np.float32]  # (N, 3)
    rotations: NDArray[np.float32]  # (N,) rotation_y
    alphas: NDArray[np.float32]  # (N,)
    depths: NDArray[np.float32]  # (N,)

    def __len__(self) -> int:
        return len(self.rotations)

    def select(self, index: Any) -> Cuboids:
        """The cuboids at `index` (mask, slice or integer array)."""
        return Cuboids(*(getattr(self, f.name)[index] for f in fields(self)))


@dataclass
class Objects:
    """Annotations of one image, in its pixels until `warp` moves them to a map's.

    A class below 0 marks a region to ignore: -1 for all classes, -2 - c for class c alone; further
    below (-99) it is passed over. Whatever a data set does not have stays None.
    """

    boxes: NDArray[np.float32]  # (N, 4) x1 y1 x2 y2
    classes: NDArray[np.int64]  # (N,)
    ids: NDArray[np.int64] | None = None  # (N,) of the annotations, for messages
    crowd: NDArray[np.bool_] | None = None  # (N,)
    keypoints: NDArray[np.float32] | None = None  # (N, J, 3) x y visibility (0, 1, 2)
    extremes: NDArray[np.float32] | None = None  # (N, 4, 2) top, left, bottom, right
    cuboids: Cuboids | None = None
    masks: list[Any] | None = None  # COCO polygons or RLE, in pixels of the original image
    identities: NDArray[np.int64] | None = None  # (N,)
    before: NDArray[np.float32] | None = None  # (N, 2) centres a frame ago; NaN: not there
    calibration: NDArray[np.float32] | None = field(default=None)  # (3, 4) P2 of the image
    rotated: bool = False  # seen through a turned view: upright boxes are no longer tight
    zoom: float = 1.0  # how much larger than at test scale 1 things look in the view
    strayed: bool = False  # seen through a random view: sizes in the image no longer tell depths

    def __len__(self) -> int:
        return len(self.boxes)

    @classmethod
    def empty(cls) -> Objects:
        """No object at all: a background image."""
        return cls(np.zeros((0, 4), np.float32), np.zeros(0, np.int64))

    def select(self, index: Any) -> Objects:
        """The objects at `index` (mask, slice or integer array)."""
        chosen: dict[str, Any] = {}
        for f in fields(self):
            value = getattr(self, f.name)
            if isinstance(value, Cuboids):
                chosen[f.name] = value.select(index)
            elif isinstance(value, list):
                chosen[f.name] = [value[i] for i in np.arange(len(self))[index]]
            elif isinstance(value, np.ndarray) and f.name != "calibration":
                chosen[f.name] = value[index]
        return replace(self, **chosen)

    def flip(self, width: int, pairs: Pairs = ()) -> Objects:
        """Mirror an image `width` pixels wide left to right: x becomes width - 1 - x.

        `pairs` are the joints that change their name with the side. Masks and cuboids do not
        follow: nothing that trains on them is mirrored.
        """
        boxes = self.boxes.copy()
        boxes[:, [0, 2]] = width - 1 - boxes[:, [2, 0]]
        keypoints, extremes = self.keypoints, self.extremes
        if keypoints is not None:
            keypoints = keypoints.copy()
            keypoints[:, :, 0] = width - 1 - keypoints[:, :, 0]
            for a, b in pairs:
                keypoints[:, [a, b]] = keypoints[:, [b, a]]
        if extremes is not None:
            extremes = extremes[:, [0, 3, 2, 1]].copy()
            extremes[:, :, 0] = width - 1 - extremes[:, :, 0]
        before = self.before
        if before is not None:
            before = np.column_stack([width - 1 - before[:, 0], before[:, 1]])
        return replace(self, boxes=boxes, keypoints=keypoints, extremes=extremes, before=before)

    def warp(self, view: View, size_wh: tuple[int, int], pairs: Pairs = ()) -> Objects:
        """Move boxes, joints and extreme points into a `size_wh` canvas that shows `view`.

        Boxes are moved without the view's rotation (they stay upright, `rotated` tells so); points
        with it. Nothing is clipped: a task decides what a box that leaves the canvas means.
        """
        seen = self.flip(view.mirror, pairs) if view.mirror is not None else self
        upright = view.upright(size_wh)
        boxes = transform(seen.boxes.reshape(-1, 2, 2), upright).reshape(-1, 4)
        keypoints, extremes = seen.keypoints, seen.extremes
        if keypoints is not None:
            keypoints = keypoints.copy()
            keypoints[:, :, :2] = transform(keypoints[:, :, :2], view.turned(size_wh))
        if extremes is not None:
            extremes = transform(extremes, upright)
        before = None if seen.before is None else transform(seen.before, upright)
        return replace(
            seen,
            boxes=boxes,
            keypoints=keypoints,
            extremes=extremes,
            before=before,
            rotated=view.rotation != 0,
            zoom=view.zoom,
            strayed=view.strayed,
        )
