"""The life of tracks that a Kalman filter follows: born, confirmed, lost, found again, removed."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from enum import IntEnum
from typing import Any

import numpy as np
from numpy.typing import NDArray

from centernet.trackers import kalman
from centernet.trackers.assignment import Assignment
from centernet.trackers.kalman import Belief
from centernet.trackers.overlap import iou
from centernet.trackers.tracker import Identities

_SAME = 0.15  # 1 - IoU below which a tracked and a lost box are one object


class State(IntEnum):
    """Where a track stands."""

    TRACKED = 1
    LOST = 2
    REMOVED = 3


@dataclass(eq=False)
class Track:
    """One object over time. `row` is its detection in the frame `last`."""

    identity: int
    belief: Belief  # of one box
    score: float
    first: int  # frame of birth
    last: int  # frame last seen in
    row: int
    confirmed: bool
    state: State = State.TRACKED
    length: int = 0  # frames seen since birth or since found again
    feature: NDArray[np.float32] | None = None  # unit length, smoothed

    def lasted(self) -> int:
        """Frames from its birth to the last time it was seen."""
        return self.last - self.first


@dataclass(frozen=True)
class Seen:
    """The detections of one frame, as a Kalman tracker reads them."""

    boxes: NDArray[Any]  # (N, 4) x1 y1 x2 y2
    scores: NDArray[Any]  # (N,)
    measured: NDArray[np.float64]  # (N, 4) centre, aspect, height
    features: NDArray[Any] | None = None  # (N, D), unit length

    @classmethod
    def of(
        cls, boxes: NDArray[Any], scores: NDArray[Any], features: NDArray[Any] | None = None
    ) -> Seen:
        """With what the filter measures."""
        return cls(boxes, np.asarray(scores), kalman.measurements(boxes), features)


class Roster:
    """The tracks of one video.

    Args:
        memory: frames that a lost track is remembered.
        smoothing: weight of the past in a feature.
        keep_score: a track found again keeps its old score (FairMOT) in place of the new one.
        resurrect: as published, a removed track stays one frame longer in the lost pool, where it
            can be found again.
    """

    def __init__(
        self,
        memory: float,
        identities: Identities | None = None,
        *,
        smoothing: float = 0.9,
        keep_score: bool = False,
        resurrect: bool = False,
    ) -> None:
        self.memory, self.smoothing = memory, smoothing
        self.keep_score, self.resurrect = keep_score, resurrect
        self.identities = identities or Identities()
        self._clear()

    def reset(self) -> None:
        """No track, no frame, ids from 1."""
        self._clear()
        self.identities.reset()

    def _clear(self) -> None:
        self.frame = 0
        self.tracked: list[Track] = []
        self.lost: list[Track] = []
        self.removed: list[int] = []  # ids that the last frame removed
        self._gone: set[int] = set()

    def begin(self, seen: Seen) -> tuple[list[Track], list[Track]]:
        """Start a frame: (confirmed and lost tracks, moved to where they should be; the others)."""
        self.frame += 1
        self.seen = seen
        self._active: list[Track] = []
        self._again: list[Track] = []
        self._now_lost: list[Track] = []
        self.removed = []
        confirmed = [track for track in self.tracked if track.confirmed]
        unconfirmed = [track for track in self.tracked if not track.confirmed]
        pool = _joined(confirmed, self.lost)
        self._predict(pool)
        return pool, unconfirmed

    def match(self, tracks: Sequence[Track], rows: Sequence[int], found: Assignment) -> None:
        """The pairs of `found`, places in `tracks` and in `rows` of the frame, have met."""
        if not found.pairs:
            return
        met = [tracks[i] for i, _ in found.pairs]
        new = [rows[j] for _, j in found.pairs]
        beliefs = kalman.OF_BOXES.correct(beliefs_of(met), self.seen.measured[new])
        for place, (track, row) in enumerate(zip(met, new, strict=True)):
            known = track.state is State.TRACKED
            track.belief = beliefs.select(slice(place, place + 1))
            track.length = track.length + 1 if known else 0
            if known or not self.keep_score:
                track.score = float(self.seen.scores[row])
            track.state, track.confirmed = State.TRACKED, True
            track.last, track.row = self.frame, row
            self._remember(track, row)
            (self._active if known else self._again).append(track)

    def lose(self, tracks: Sequence[Track]) -> None:
        """Not seen in this frame."""
        for track in tracks:
            if track.state is not State.LOST:
                track.state = State.LOST
                self._now_lost.append(track)

    def drop(self, tracks: Sequence[Track]) -> None:
        """Gone for good."""
        for track in tracks:
            track.state = State.REMOVED
            self.removed.append(track.identity)

    def bear(self, rows: Sequence[int]) -> None:
        """A new track for each of the rows; those of the first frame need no second look."""
        beliefs = kalman.OF_BOXES.begin(self.seen.measured[list(rows)])
        for place, row in enumerate(rows):
            track = Track(
                self.identities.new(),
                beliefs.select(slice(place, place + 1)),
                float(self.seen.scores[row]),
                first=self.frame,
                last=self.frame,
                row=row,
                confirmed=self.frame == 1,
            )
            self._remember(track, row)
            self._active.append(track)

    def end(self) -> list[Track]:
        """Finish the frame; the confirmed tracks that were seen in it."""
        self.drop([track for track in self.lost if self.frame - track.last > self.memory])
        still = [track for track in self.tracked if track.state is State.TRACKED]
        self.tracked = _joined(_joined(still, self._active), self._again)
        present = {track.identity for track in self.tracked}
        lost = [track for track in self.lost if track.identity not in present] + self._now_lost
        if self.resurrect:  # the frame's own removals are entered too late to count
            self.lost = [track for track in lost if track.identity not in self._gone]
            self._gone.update(self.removed)
        else:
            self.lost = [track for track in lost if track.state is not State.REMOVED]
        self._drop_doubles()
        return [track for track in self.tracked if track.confirmed]

    def _predict(self, pool: list[Track]) -> None:
        """Move every track one frame on; the height of one that is not seen stops changing."""
        beliefs = beliefs_of(pool)
        beliefs.mean[[track.state is not State.TRACKED for track in pool], 1, 3] = 0
        beliefs = kalman.OF_BOXES.predict(beliefs)
        for place, track in enumerate(pool):
            track.belief = beliefs.select(slice(place, place + 1))

    def _remember(self, track: Track, row: int) -> None:
        if self.seen.features is None:
            return
        new = self.seen.features[row]
        if track.feature is not None:
            new = self.smoothing * track.feature + (1 - self.smoothing) * new
            new = new / np.linalg.norm(new)
        track.feature = new

    def _drop_doubles(self) -> None:
        """Of a tracked and a lost track in one place the one that lasted longer stays."""
        if not self.tracked or not self.lost:
            return
        near = 1 - iou(boxes_of(self.tracked), boxes_of(self.lost), pixel=1) < _SAME
        out_tracked, out_lost = set(), set()
        for i, j in zip(*np.nonzero(near), strict=True):
            if self.tracked[i].lasted() > self.lost[j].lasted():
                out_lost.add(j)
            else:
                out_tracked.add(i)
        self.tracked = [t for i, t in enumerate(self.tracked) if i not in out_tracked]
        self.lost = [t for j, t in enumerate(self.lost) if j not in out_lost]


def beliefs_of(tracks: Sequence[Track]) -> Belief:
    """What is believed of all, in one array."""
    return Belief.stack([track.belief for track in tracks])


def boxes_of(tracks: Sequence[Track]) -> NDArray[np.float64]:
    """(N, 4) x1 y1 x2 y2 where the tracks are believed to be."""
    return kalman.corners(beliefs_of(tracks))


def _joined(first: list[Track], second: list[Track]) -> list[Track]:
    known = {track.identity for track in first}
    joined = list(first)
    for track in second:
        if track.identity not in known:
            known.add(track.identity)
            joined.append(track)
    return joined
