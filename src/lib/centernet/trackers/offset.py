"""ByteTrack's two rounds with the displacement that a network predicts in place of a filter.

Zhang et al., "ByteTrack", ECCV 2022, applied to CenterTrack as its authors did.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from centernet.structures.detections import Detections
from centernet.trackers.assignment import nearest
from centernet.trackers.points import Points, PointTrack, carried, distances, seen_of
from centernet.trackers.tracker import Identities

_SECOND = 1e8  # squared pixels that the second round reaches


@dataclass(frozen=True)
class OffsetRule:
    """Thresholds as published for CenterTrack, each on its own.

    A detection counts above `out_thresh`, is strong from `track_thresh`, begins a track above
    `new_thresh`. `max_age` as for the centre tracker.
    """

    out_thresh: float = 0.2
    track_thresh: float = 0.4
    new_thresh: float = 0.5
    max_age: int = -1


class OffsetByteTracker:
    """Strong detections by displacement, then weak ones for the tracks that are left."""

    def __init__(
        self, rule: OffsetRule | None = None, identities: Identities | None = None
    ) -> None:
        self.rule = rule or OffsetRule()
        self._identities = identities or Identities()
        self.tracks: list[PointTrack] = []

    def reset(self) -> None:
        """Another video."""
        self.tracks = []
        self._identities.reset()

    def update(self, found: Detections) -> Detections:
        """The tracked objects. `found` has a column `displacements` (N, 2), image pixels."""
        found = found.above(self.rule.out_thresh)
        return seen_of(found, self.step(Points.of(found, "byte --motion offset")))

    def step(self, points: Points) -> list[PointTrack]:
        """One frame, best detection first: matched, new, matched by weak ones, carried tracks."""
        strong = np.flatnonzero(points.scores >= self.rule.track_thresh).tolist()
        weak = np.flatnonzero(points.scores < self.rule.track_thresh).tolist()
        first = nearest(distances(points, strong, self.tracks))
        tracks = [self._seen(points, strong[i], self.tracks[j]) for i, j in first.pairs]
        for i in first.rows:
            if points.scores[strong[i]] > self.rule.new_thresh:
                tracks.append(PointTrack.seen(points, strong[i], self._identities.new()))

        left = [self.tracks[j] for j in first.columns]
        seen = [track for track in left if track.active > 0]
        second = nearest(distances(points, weak, seen), _SECOND)
        tracks += [self._seen(points, weak[i], seen[j]) for i, j in second.pairs]
        rest = [seen[j] for j in second.columns] + [t for t in left if t.active == 0]
        self.tracks = tracks + carried(rest, range(len(rest)), self.rule.max_age)
        return self.tracks

    def _seen(self, points: Points, row: int, old: PointTrack) -> PointTrack:
        return PointTrack.seen(points, row, old.identity, old.active + 1)
