"""Ground truth of one image: arrays over its N objects."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from centernet.geometry.affine import transform
from centernet.geometry.view import View, mirroring
from centernet.structures.columns import check, join_all, take, take_all
from centernet.structures.masks import rasterise

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
        chosen: Cuboids = take(self, index)
        return chosen


# The fields with one row an object.
_ROWS = (
    *("boxes", "classes", "ids", "crowd", "keypoints", "extremes", "cuboids", "masks"),
    *("identities", "before"),
)


@dataclass
class Objects:
    """Annotations of one image, in its pixels until `warp` moves them to a map's.

    A class below 0 marks a region to ignore: -1 for all classes, -2 - c for class c alone; further
    below (-99) it is passed over. Whatever a data set does not have stays None.

    `columns` are further arrays with one row an object, by name, which no view changes; `points`
    are such whose last dimension is x y: they are mirrored and moved with the pixels. `masks` stay
    in the pixels of the image, and `placed` says where these are now: `mask_maps` draws them there.
    """

    boxes: NDArray[np.float32]  # (N, 4) x1 y1 x2 y2
    classes: NDArray[np.int64]  # (N,)
    ids: NDArray[np.int64] | None = None  # (N,) of the annotations, for messages
    crowd: NDArray[np.bool_] | None = None  # (N,)
    keypoints: NDArray[np.float32] | None = None  # (N, J, 3) x y visibility (0, 1, 2)
    extremes: NDArray[np.float32] | None = None  # (N, 4, 2) top, left, bottom, right
    cuboids: Cuboids | None = None
    masks: list[Any] | None = None  # N COCO segmentations (polygons or RLE) or None
    identities: NDArray[np.int64] | None = None  # (N,)
    before: NDArray[np.float32] | None = None  # (N, 2) centres a frame ago; NaN: not there
    calibration: NDArray[np.float32] | None = field(default=None)  # (3, 4) P2 of the image
    rotated: bool = False  # seen through a turned view: upright boxes are no longer tight
    zoom: float = 1.0  # how much larger than at test scale 1 things look in the view
    strayed: bool = False  # seen through a random view: sizes in the image no longer tell depths
    columns: Mapping[str, NDArray[Any]] = field(default_factory=dict)  # (N, ...)
    points: Mapping[str, NDArray[np.float32]] = field(default_factory=dict)  # (N, ..., 2)
    placed: NDArray[np.float64] | None = None  # (2, 3) from the image to here; None: never moved

    def __post_init__(self) -> None:
        check(self._rows() | dict(self.columns) | dict(self.points), len(self.boxes))

    def _rows(self) -> dict[str, Any]:
        return {name: getattr(self, name) for name in _ROWS}

    def __len__(self) -> int:
        return len(self.boxes)

    @classmethod
    def empty(cls) -> Objects:
        """No object at all: a background image."""
        return cls(np.zeros((0, 4), np.float32), np.zeros(0, np.int64))

    def select(self, index: Any) -> Objects:
        """The objects at `index` (mask, slice or integer array)."""
        return replace(
            self,
            columns=take_all(self.columns, index),
            points=take_all(self.points, index),
            **take_all(self._rows(), index),
        )

    @staticmethod
    def concatenate(parts: Sequence[Objects]) -> Objects:
        """All objects of several parts of one image; facts of the image come from the first.

        An optional field or a column must be present in every part or in none, and all parts
        must have been moved alike; ValueError otherwise.
        """
        if not parts:
            raise ValueError("nothing to concatenate")
        if any(not np.array_equal(part._here(), parts[0]._here()) for part in parts):
            raise ValueError("the parts are in different pixels")
        return replace(
            parts[0],
            columns=join_all([part.columns for part in parts]),
            points=join_all([part.points for part in parts]),
            **join_all([part._rows() for part in parts]),
        )

    def flip(self, width: int, pairs: Pairs = ()) -> Objects:
        """Mirror an image `width` pixels wide left to right: x becomes width - 1 - x.

        `pairs` are the joints that change their name with the side. Cuboids do not follow: nothing
        that trains on them is mirrored.
        """
        boxes = self.boxes.copy()
        boxes[:, [0, 2]] = width - 1 - boxes[:, [2, 0]]
        keypoints, extremes = self.keypoints, self.extremes
        if keypoints is not None:
            keypoints = _mirrored(keypoints, width)
            for a, b in pairs:
                keypoints[:, [a, b]] = keypoints[:, [b, a]]
        if extremes is not None:
            extremes = _mirrored(extremes[:, [0, 3, 2, 1]], width)
        before = None if self.before is None else _mirrored(self.before, width)
        return replace(
            self,
            boxes=boxes,
            keypoints=keypoints,
            extremes=extremes,
            before=before,
            points={name: _mirrored(value, width) for name, value in self.points.items()},
            placed=(mirroring(width) @ self._here())[:2],
        )

    def warp(self, view: View, size_wh: tuple[int, int], pairs: Pairs = ()) -> Objects:
        """Move all that has a place into a `size_wh` canvas that shows `view`.

        Boxes and extreme points are moved without the view's rotation (they stay upright, `rotated`
        tells so); joints, points and masks with it. Nothing is clipped: a task decides what a box
        that leaves the canvas means.
        """
        seen = self.flip(view.mirror, pairs) if view.mirror is not None else self
        upright, turned = view.upright(size_wh), view.turned(size_wh)
        boxes = transform(seen.boxes.reshape(-1, 2, 2), upright).reshape(-1, 4)
        keypoints, extremes = seen.keypoints, seen.extremes
        if keypoints is not None:
            keypoints = keypoints.copy()
            keypoints[:, :, :2] = transform(keypoints[:, :, :2], turned)
        if extremes is not None:
            extremes = transform(extremes, upright)
        before = None if seen.before is None else transform(seen.before, upright)
        return replace(
            seen,
            boxes=boxes,
            keypoints=keypoints,
            extremes=extremes,
            before=before,
            points={name: transform(value, turned) for name, value in seen.points.items()},
            placed=turned @ seen._here(),
            rotated=view.rotation != 0,
            zoom=view.zoom,
            strayed=view.strayed,
        )

    def _here(self) -> NDArray[np.float64]:
        """(3, 3) from the pixels of the image to those of the boxes."""
        moved = np.eye(3)
        if self.placed is not None:
            moved[:2] = self.placed
        return moved

    def mask_maps(self, size: tuple[int, int]) -> NDArray[np.uint8]:
        """The masks (N, h, w), 0 and 1, on a map of `size` (h, w) where the boxes are now.

        All 0 for an object without a mask.
        """
        masks = [None] * len(self) if self.masks is None else self.masks
        return rasterise(masks, self._here()[:2], size)


def _mirrored(points: NDArray[np.float32], width: int) -> NDArray[np.float32]:
    """`points` (N, ..., 2 or more), x first, in an image `width` wide that is mirrored."""
    points = points.copy()
    points[..., 0] = width - 1 - points[..., 0]
    return points
