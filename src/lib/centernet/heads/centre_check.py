"""Boxes made of two corners, and the check that something of their class is in their middle.

Duan et al., "CenterNet: Keypoint Triplets for Object Detection", ICCV 2019.
"""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from centernet.structures.detections import Detections

SMALL_AREA = 150.0**2  # image pixels; up to here the middle is a third of the sides, then a fifth
NOTHING = np.zeros((0, 4), np.float32)


@dataclass(frozen=True, eq=False)
class CornerPairs(Detections):
    """Boxes of one test scale before the check, and the centres seen at that scale."""

    corner_scores: NDArray[np.float32] = field(  # (N, 2) top left, bottom right
        default_factory=lambda: np.zeros((0, 2), np.float32)
    )
    centres: NDArray[np.float32] = field(default_factory=NOTHING.copy)  # (M, 4) x y class score
    zoom: float = 1.0  # the test scale


def centre_scores(
    boxes: NDArray[np.float32], classes: NDArray[np.int64], centres: NDArray[np.float32]
) -> NDArray[np.float32]:
    """The score (N,) of the centre in the middle of each box (N, 4); -1 where there is none.

    Of several centres (M, 4) of the box's class the first counts: they come best first.
    """
    sides = boxes[:, 2:] - boxes[:, :2]
    parts = np.where(sides.prod(axis=1) <= SMALL_AREA, 3.0, 5.0)[:, None]
    margin = sides * (parts - 1) / (2 * parts)
    low, high = boxes[:, :2] + margin, boxes[:, 2:] - margin  # (N, 2)
    places = centres[:, None, :2]
    inside = ((places > low) & (places < high)).all(axis=2)
    inside &= centres[:, None, 2] == classes
    scores = np.full(len(boxes), -1, np.float32)
    if len(centres):
        found = inside.any(axis=0)
        scores[found] = centres[inside.argmax(axis=0)[found], 3]
    return scores
