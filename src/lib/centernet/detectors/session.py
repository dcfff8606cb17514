"""Detecting over time: the only place with state over the frames of a video."""

from __future__ import annotations

import time
from collections.abc import Iterable, Iterator
from typing import TYPE_CHECKING

from centernet.io.stream import Frame, Pictures, Video
from centernet.structures.detections import Detections
from centernet.trackers.tracker import Tracker

if TYPE_CHECKING:
    from centernet.detectors.detector import Detector


class Session:
    """A detector and, where identities are wanted, a tracker, on one video after another.

    `seconds` and `frames` tell what association took since the session was made.
    """

    def __init__(self, detector: Detector, tracker: Tracker | None = None) -> None:
        self.detector, self.tracker = detector, tracker
        self.seconds, self.frames = 0.0, 0

    def run(self, frames: Iterable[Frame] | Video | Pictures) -> Iterator[Detections]:
        """What is found in each frame of one video, in order; identities start at 1."""
        self.reset()
        for found in self.detector.run(frames):
            yield self.track(found)

    def reset(self) -> None:
        """The next frame is the first of another video."""
        if self.tracker is not None:
            self.tracker.reset()

    def track(self, found: Detections) -> Detections:
        """The detections of the next frame, with identities where there is a tracker."""
        if self.tracker is None:
            return found
        start = time.perf_counter()
        tracked = self.tracker.update(found)
        self.seconds += time.perf_counter() - start
        self.frames += 1
        return tracked

    def __str__(self) -> str:
        return f"track {1000 * self.seconds / max(self.frames, 1):.1f} ms"
