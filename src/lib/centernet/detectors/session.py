"""Detecting over time: the only place with state over the frames of a video."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Iterator
from dataclasses import replace
from typing import TYPE_CHECKING

from centernet.detectors.preprocess import Ready
from centernet.io.stream import Frame, Pictures, Video
from centernet.structures.detections import Detections
from centernet.trackers.tracker import Tracker

if TYPE_CHECKING:
    from centernet.detectors.detector import Detector


class Session:
    """A detector and, where identities are wanted, a tracker, on one video after another.

    Of a task that sees the previous frame it keeps that frame and what was found in it. `seconds`
    and `frames` tell what association took since the session was made.
    """

    def __init__(self, detector: Detector, tracker: Tracker | None = None) -> None:
        self.detector, self.tracker = detector, tracker
        self.seconds, self.frames = 0.0, 0
        self._before: tuple[Ready, Detections] | None = None

    def run(self, frames: Iterable[Frame] | Video | Pictures) -> Iterator[Detections]:
        """What is found in each frame of one video, in order; identities start at 1."""
        return (found for _, found in self.over(self.detector.prepared(frames)))

    def over(
        self, images: Iterable[Ready], video: Callable[[Ready], object] = lambda ready: None
    ) -> Iterator[tuple[Ready, Detections]]:
        """Prepared images with what is found in each, in order.

        Where `video` gives another value than for the image before, another video begins; one
        begins with the first image.
        """
        self.reset()
        last: object = None
        pairs = self.detector.predict(images) if not self.recalls else ((r, None) for r in images)
        for number, (ready, found) in enumerate(pairs):
            if number and video(ready) != last:
                self.reset()
            last = video(ready)
            yield ready, self.step(ready) if found is None else self.track(found)

    @property
    def recalls(self) -> bool:
        """Whether the network sees the previous frame, so that each frame waits for it."""
        return len(self.detector.task.inputs) > 1

    def step(self, ready: Ready) -> Detections:
        """What is found in the next frame of the video."""
        if self._before is not None:
            before, known = self._before
            pairs = zip(ready.scales, before.scales, strict=True)
            told = [self.detector.after(seen, last, known) for seen, last in pairs]
            ready = replace(ready, scales=told)
        ((_, found),) = self.detector.predict([ready])
        found = self.track(found)
        if self.recalls:
            self._before = ready, found
        return found

    def reset(self) -> None:
        """The next frame is the first of another video."""
        self._before = None
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
