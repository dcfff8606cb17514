"""ByteTrack: every box counts, strong ones first, weak ones for tracks that found no strong one.

Zhang et al., "ByteTrack: Multi-Object Tracking by Associating Every Detection Box", ECCV 2022.
Motion is a Kalman filter's, see `offset` for that of a network that predicts it.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from centernet.structures.detections import Detections
from centernet.trackers.assignment import cheapest_within
from centernet.trackers.overlap import iou
from centernet.trackers.roster import Roster, Seen, State, Track, boxes_of
from centernet.trackers.tracker import Identities, identified

_FRAME_RATE = 30  # that the memory is counted in


@dataclass(frozen=True)
class ByteRule:
    """Thresholds of ByteTrack; the defaults are its command line's.

    Strong: a score above `track_thresh`; weak: between `low_thresh` and it. A track begins with a
    score of at least `new_thresh` (None: `track_thresh` + 0.1). As published a score that equals
    `track_thresh` is neither strong nor weak; `inclusive` makes it strong.
    """

    track_thresh: float = 0.6
    low_thresh: float = 0.1
    new_thresh: float | None = None
    match_thresh: float = 0.9  # most 1 - IoU (times the score if fused) of the first round
    second_thresh: float = 0.5
    unconfirmed_thresh: float = 0.7
    fuse_score: bool = True  # MOT20's setting does not
    inclusive: bool = True
    track_buffer: int = 30  # frames of memory at 30 frames a second
    frame_rate: float = _FRAME_RATE
    resurrect: bool = False  # a removed track can come back one frame later, as published

    @property
    def memory(self) -> int:
        """Frames that a lost track is remembered."""
        return int(self.frame_rate / _FRAME_RATE * self.track_buffer)


class ByteTracker:
    """Two rounds of association by overlap with Kalman-filtered boxes; classes do not matter.

    `PerClass` keeps one of these a class.
    """

    def __init__(self, rule: ByteRule | None = None, identities: Identities | None = None) -> None:
        self.rule = rule or ByteRule()
        self.roster = Roster(self.rule.memory, identities, resurrect=self.rule.resurrect)

    def reset(self) -> None:
        """Another video."""
        self.roster.reset()

    def update(self, found: Detections) -> Detections:
        """The tracked objects, their boxes filtered."""
        tracks = self.step(found.boxes, found.scores)
        ids = [track.identity for track in tracks]
        return identified(found, [track.row for track in tracks], ids, boxes_of(tracks))

    def step(self, boxes: NDArray[Any], scores: NDArray[Any]) -> list[Track]:
        """One frame of boxes x1 y1 x2 y2; the tracks seen in it."""
        rule, seen = self.rule, Seen.of(boxes, scores)
        strong, weak = self._split(seen.scores)
        pool, unconfirmed = self.roster.begin(seen)

        first = cheapest_within(self._cost(pool, strong, fused=rule.fuse_score), rule.match_thresh)
        self.roster.match(pool, strong, first)
        left = [pool[i] for i in first.rows if pool[i].state is State.TRACKED]
        rest = [strong[j] for j in first.columns]

        second = cheapest_within(self._cost(left, weak), rule.second_thresh)
        self.roster.match(left, weak, second)
        self.roster.lose([left[i] for i in second.rows])

        cost = self._cost(unconfirmed, rest, fused=rule.fuse_score)
        third = cheapest_within(cost, rule.unconfirmed_thresh)
        self.roster.match(unconfirmed, rest, third)
        self.roster.drop([unconfirmed[i] for i in third.rows])

        new = rule.track_thresh + 0.1 if rule.new_thresh is None else rule.new_thresh
        self.roster.bear([rest[j] for j in third.columns if seen.scores[rest[j]] >= new])
        return self.roster.end()

    def _split(self, scores: NDArray[Any]) -> tuple[list[int], list[int]]:
        strong = scores > self.rule.track_thresh
        if self.rule.inclusive:
            strong = scores >= self.rule.track_thresh
        weak = (scores > self.rule.low_thresh) & (scores < self.rule.track_thresh)
        return np.flatnonzero(strong).tolist(), np.flatnonzero(weak).tolist()

    def _cost(
        self, tracks: list[Track], rows: list[int], fused: bool = False
    ) -> NDArray[np.float64]:
        """1 - IoU, or 1 - IoU times the score, of tracks and rows of the frame."""
        seen = self.roster.seen
        likeness = iou(boxes_of(tracks), seen.boxes[rows], pixel=1)
        return 1 - likeness * seen.scores[rows] if fused else 1 - likeness
