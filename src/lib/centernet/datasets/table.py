"""Annotations of a whole data set as flat arrays, and the source that serves them.

A format (COCO json, Pascal VOC xml, YOLO txt) only has to fill a `Table`; reading images, slicing
objects and evaluating are the same for all. Flat arrays are cheap to hand to worker processes,
where a graph of dicts and lists would be copied page by page.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass, fields, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from centernet.datasets.extremes import extreme_points
from centernet.datasets.videos import Videos
from centernet.structures.masks import Masks
from centernet.structures.objects import Cuboids, Objects


@dataclass
class Table:
    """M images and their N objects; objects lie in the order of their images.

    Boxes are x, y, width, height in image pixels, as the COCO format counts them: a pixel i reaches
    from i to i + 1.
    """

    image_ids: Sequence[int | str]  # (M,) as results name the images
    files: NDArray[np.str_]  # (M,) relative to the folder of the images
    sizes: NDArray[np.int64]  # (M, 2) height, width; 0 where the annotations do not say
    image: NDArray[np.int64]  # (N,) row of the object's image
    ids: NDArray[np.int64]  # (N,)
    classes: NDArray[np.int64]  # (N,) from 0; below 0 a region to ignore, as in Objects
    boxes: NDArray[np.float64]  # (N, 4)
    areas: NDArray[np.float64]  # (N,) of the masks if any; COCO's sizes go by it; NaN: not stated
    crowd: NDArray[np.bool_]  # (N,) neither right nor wrong in evaluation
    keypoints: NDArray[np.float32] | None = None  # (N, J, 3)
    extremes: NDArray[np.float32] | None = None  # (N, 4, 2), NaN where not stated
    identities: NDArray[np.int64] | None = None  # (N,)
    cuboids: Cuboids | None = None
    calibrations: NDArray[np.float32] | None = None  # (M, 3, 4)
    masks: Masks | None = None
    videos: Videos | None = None  # of the images, where they follow one another

    def __post_init__(self) -> None:
        if (np.diff(self.image) < 0).any():
            order = np.argsort(self.image, kind="stable")
            for name, value in self._object_columns().items():
                setattr(self, name, _take(value, order))
        self._starts = np.searchsorted(self.image, np.arange(len(self.files) + 1))

    def __len__(self) -> int:
        return len(self.files)

    def _object_columns(self) -> dict[str, Any]:
        per_image = {"image_ids", "files", "sizes", "calibrations", "videos"}
        values = {f.name: getattr(self, f.name) for f in fields(self) if f.name not in per_image}
        return {name: value for name, value in values.items() if value is not None}

    def keep_objects(self, keep: NDArray[np.bool_]) -> Table:
        """Only the objects of the mask; every image stays."""
        taken = {name: _take(value, keep) for name, value in self._object_columns().items()}
        return replace(self, **taken)

    def keep_images(self, keep: NDArray[np.bool_]) -> Table:
        """Only the images of the mask, with their objects."""
        kept = self.keep_objects(keep[self.image])
        rows = np.flatnonzero(keep)
        calibrations = None if self.calibrations is None else self.calibrations[rows]
        return replace(
            kept,
            image_ids=[self.image_ids[row] for row in rows.tolist()],
            files=self.files[rows],
            sizes=self.sizes[rows],
            image=np.searchsorted(rows, kept.image),
            calibrations=calibrations,
            videos=None if self.videos is None else self.videos.keep(rows),
        )

    def objects_per_image(self) -> NDArray[np.int64]:
        """(M,)."""
        return np.diff(self._starts)

    def describe(self, row: int) -> str:
        """The object as a message names it."""
        return f"annotation {self.ids[row]}, '{self.files[self.image[row]]}'"

    def objects(self, index: int, wanted: Collection[str] | None = None) -> Objects:
        """Objects of image `index`, with those kinds of annotation only that are `wanted`."""

        def want(kind: str) -> bool:
            return wanted is None or kind in wanted

        rows = slice(int(self._starts[index]), int(self._starts[index + 1]))
        corners = self.boxes[rows].copy()
        corners[:, 2:] += corners[:, :2]
        objects = Objects(
            boxes=corners.astype(np.float32),
            classes=self.classes[rows],
            ids=self.ids[rows],
            crowd=self.crowd[rows],
        )
        if self.keypoints is not None and want("keypoints"):
            objects.keypoints = self.keypoints[rows]
        if self.identities is not None and want("identities"):
            objects.identities = self.identities[rows]
        if self.cuboids is not None and want("cuboids"):
            objects.cuboids = self.cuboids.select(rows)
            objects.calibration = self._calibration(index)
        if self.masks is not None and want("masks"):
            objects.masks = [self.masks[row] for row in range(rows.start, rows.stop)]
        if want("extremes"):
            objects.extremes = self._extremes(rows)
        return objects

    def _calibration(self, index: int) -> NDArray[np.float32] | None:
        """(3, 4) of the image; None where it has none that can be used."""
        if self.calibrations is None or not np.isfinite(self.calibrations[index]).all():
            return None
        return self.calibrations[index]

    def _extremes(self, rows: slice) -> NDArray[np.float32] | None:
        """Those that are stated, else of the masks; NaN for an object that has neither."""
        if self.extremes is None and self.masks is None:
            return None
        found = np.full((rows.stop - rows.start, 4, 2), np.nan, np.float32)
        if self.extremes is not None:
            found[:] = self.extremes[rows]
        if self.masks is None:
            return found
        for place in np.flatnonzero(np.isnan(found).any(axis=(1, 2))):
            mask = self.masks[rows.start + place]
            points = None if mask is None else extreme_points(mask)
            if points is not None:
                found[place] = points
        return found

    def has_extremes(self) -> NDArray[np.bool_]:
        """(N,): whether the object's extreme points are stated or can be taken from its mask."""
        has = np.zeros(len(self.ids), bool)
        if self.extremes is not None:
            has |= ~np.isnan(self.extremes).any(axis=(1, 2))
        if self.masks is not None:
            has |= self.masks.present()
        return has


def _take(value: Any, index: Any) -> Any:
    if isinstance(value, (Cuboids, Masks)):
        return value.select(index)
    return value[index]
