"""How right the joints and the cuboids of right detections are, joint by joint and by distance."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from centernet.datasets.evaluate.findings import Match
from centernet.structures.objects import Objects

if TYPE_CHECKING:
    from centernet.structures.detections import Detections

NEAR = 0.1  # of the square root of the box's area: a joint this near counts as found
DISTANCES = (10.0, 20.0, 30.0, 40.0, 60.0)  # metres
Rows = NDArray[np.float64]


def pairs(match: Match) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """(objects, detections) that belong together, as places in the two lists of an image."""
    objects = np.flatnonzero(match.taken >= 0)
    return objects, match.order[match.taken[objects]]


class JointFindings:
    """The distances of found joints from the labelled ones, in parts of the size of the object."""

    def __init__(self, joints: Sequence[str]) -> None:
        self.joints = list(joints)
        self._rows: list[Rows] = []  # (K, J), NaN where not labelled

    def add(self, truth: Objects, found: Detections, match: Match) -> None:
        """Count the joints of the right detections of an image."""
        if truth.keypoints is None or found.keypoints is None:
            return
        objects, detections = pairs(match)
        own, other = truth.keypoints[objects], found.keypoints[detections]
        sides = truth.boxes[objects, 2:] - truth.boxes[objects, :2]
        size = np.sqrt(np.maximum(sides.prod(axis=1), 1e-9))
        away = np.linalg.norm(own[:, :, :2] - other[:, :, :2], axis=2) / size[:, None]
        self._rows.append(np.where(own[:, :, 2] > 0, away, np.nan).astype(np.float64))

    def as_rows(self) -> list[dict[str, Any]]:
        """For each joint: how many there are, the median distance, which part is near."""
        if not self._rows:
            return []
        away = np.concatenate(self._rows)
        rows: list[dict[str, Any]] = []
        for name, column in zip(self.joints, away.T, strict=True):
            known = column[~np.isnan(column)]
            if known.size:
                median, near = float(np.median(known)), float((known <= NEAR).mean())
                rows.append({"joint": name, "count": int(known.size), "median": round(median, 4),
                             "near": round(near, 4)})  # fmt: skip
        return rows


class DepthFindings:
    """How many objects are found, and how far off their depth is, by distance."""

    def __init__(self) -> None:
        self._rows: list[Rows] = []  # (N, 2): true depth, found depth (NaN: missed)

    def add(self, truth: Objects, found: Detections, match: Match) -> None:
        """Count the objects of an image that have cuboids."""
        if truth.cuboids is None or found.cuboids is None:
            return
        real = match.taken >= -1
        depths = np.full(len(match.taken), np.nan)
        objects, detections = pairs(match)
        depths[objects] = found.cuboids.depths[detections]
        self._rows.append(np.stack([truth.cuboids.depths[real], depths[real]], axis=1))

    def as_rows(self) -> list[dict[str, Any]]:
        """For each range of distances: objects, part found, median error of the depth in metres."""
        if not self._rows:
            return []
        true, found = np.concatenate(self._rows).T
        place, rows = np.searchsorted(DISTANCES, true, side="right"), []
        for number in range(len(DISTANCES) + 1):
            here = place == number
            if not here.any():
                continue
            low = 0.0 if number == 0 else DISTANCES[number - 1]
            name = f"{low:g} m and more" if number == len(DISTANCES) else (
                f"{low:g} to {DISTANCES[number]:g} m"
            )  # fmt: skip
            errors = np.abs(found - true)[here & ~np.isnan(found)]
            median = round(float(np.median(errors)), 3) if errors.size else None
            part = round(float(errors.size / here.sum()), 4)
            rows.append({"range": name, "objects": int(here.sum()), "found": part,
                         "median": median})  # fmt: skip
        return rows
