"""Extreme points of an object from its mask.

Zhou, Zhuo, Kraehenbuehl, "Bottom-up Object Detection by Grouping Extreme and Center Points",
CVPR 2019: the topmost, leftmost, bottommost and rightmost points of the outline, where a flat
stretch (within 2 % of the object's height or width) counts with its middle.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray
from pycocotools import mask as coco_mask

FLAT = 0.02  # part of the object's extent within which an outline counts as flat
_SIDES = ((1, -1), (0, -1), (1, 1), (0, 1))  # (axis, direction) of top, left, bottom, right


def extreme_points(segmentation: Any) -> NDArray[np.float32] | None:
    """(4, 2) x y of the top, left, bottom and right points; None for an empty mask.

    `segmentation` is COCO's: a list of polygons (x y x y ... each), exact to the vertex, or a
    run-length dict, where points lie on the outer edges of the pixels, as its box does.
    """
    if isinstance(segmentation, dict):
        return _of_pixels(coco_mask.decode(segmentation))
    polygons = [np.asarray(p, np.float64).reshape(-1, 2) for p in segmentation if len(p) >= 6]
    return _of_outlines(polygons) if polygons else None


def _of_outlines(polygons: Sequence[NDArray[np.float64]]) -> NDArray[np.float32]:
    points = np.concatenate(polygons)
    extent = points.max(axis=0) - points.min(axis=0)
    found = np.empty((4, 2), np.float32)
    for row, (axis, direction) in enumerate(_SIDES):
        furthest = [float((direction * polygon[:, axis]).max()) for polygon in polygons]
        best = int(np.argmax(furthest))
        found[row, axis] = direction * furthest[best]
        across = _flat_stretch(polygons[best], axis, direction, FLAT * float(extent[axis]))
        found[row, 1 - axis] = (across.min() + across.max()) / 2
    return found


def _flat_stretch(
    polygon: NDArray[np.float64], axis: int, direction: int, tolerance: float
) -> NDArray[np.float64]:
    """The other coordinate of the neighbours of the extreme vertex that lie nearly as far out."""
    out = direction * polygon[:, axis]
    peak = int(out.argmax())
    near = np.roll(out >= out[peak] - tolerance, -peak)
    across = np.roll(polygon[:, 1 - axis], -peak)
    if near.all():
        return across
    ahead, behind = int(near.argmin()), int(near[::-1].argmin())
    return np.concatenate([across[:ahead], across[len(across) - behind :]])


def _of_pixels(mask: NDArray[np.uint8]) -> NDArray[np.float32] | None:
    contours, _ = cv2.findContours(mask, cv2.RETR_EXTERNAL, cv2.CHAIN_APPROX_NONE)
    if not contours:
        return None
    # Contours run through pixel centres, half a pixel inside COCO's edges of the object.
    found = _of_outlines([contour.reshape(-1, 2) + np.float64(0.5) for contour in contours])
    for row, (axis, direction) in enumerate(_SIDES):
        found[row, axis] += 0.5 * direction
    return found
