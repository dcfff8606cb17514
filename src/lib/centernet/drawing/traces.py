"""Tails of tracked objects: where each was in the last frames."""

from __future__ import annotations

from collections import deque
from typing import TYPE_CHECKING

import cv2
import numpy as np

from centernet.drawing.flat import line_width
from centernet.drawing.palette import colour

if TYPE_CHECKING:
    from centernet.structures.detections import Detections

LENGTH = 30  # frames


class Traces:
    """The ways of the objects of one video, in the colours of their identities.

    An object that has not been seen for LENGTH frames is forgotten.
    """

    def __init__(self) -> None:
        self._ways: dict[int, deque[tuple[int, int, int]]] = {}
        self._frame = 0

    def draw(self, picture: np.ndarray, found: Detections, threshold: float) -> np.ndarray:
        """A new image (H, W, 3) with the tails that end in the objects above `threshold`."""
        self._frame += 1
        found = found.above(threshold)
        identities = [] if found.identities is None else found.identities.tolist()
        middles = ((found.boxes[:, :2] + found.boxes[:, 2:]) / 2).round().astype(int).tolist()
        for identity, (x, y) in zip(identities, middles, strict=False):
            way = self._ways.setdefault(identity, deque(maxlen=LENGTH))
            way.append((self._frame, x, y))
        oldest = self._frame - LENGTH
        self._ways = {i: way for i, way in self._ways.items() if way[-1][0] > oldest}
        canvas = picture.copy()
        for identity in identities:
            points = [(x, y) for frame, x, y in self._ways[identity] if frame > oldest]
            corners = [np.array(points, np.int32).reshape(-1, 1, 2)]
            cv2.polylines(
                canvas, corners, False, colour(identity), line_width(picture), cv2.LINE_AA
            )
        return canvas
