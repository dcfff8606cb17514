"""Tracks of a shape that cannot be meant: too small, or wider than a person is high."""

from __future__ import annotations

from centernet.structures.detections import Detections
from centernet.trackers.tracker import Tracker


class Shaped:
    """A tracker whose result leaves out boxes by their shape; the tracks themselves go on.

    FairMOT and ByteTrack write boxes of more than 100 square pixels (`least_area`) that are at most
    1.6 times as wide as high (`widest`); 0 leaves either rule out.
    """

    def __init__(self, tracker: Tracker, least_area: float = 0.0, widest: float = 0.0) -> None:
        self.tracker, self.least_area, self.widest = tracker, least_area, widest

    def reset(self) -> None:
        """Another video."""
        self.tracker.reset()

    def update(self, found: Detections) -> Detections:
        """The tracked objects of an acceptable shape."""
        tracked = self.tracker.update(found)
        size = tracked.boxes[:, 2:] - tracked.boxes[:, :2]
        keep = size[:, 0] * size[:, 1] > self.least_area if self.least_area else size[:, 0] >= 0
        if self.widest:
            keep = keep & (size[:, 0] <= self.widest * size[:, 1])
        return tracked.select(keep)
