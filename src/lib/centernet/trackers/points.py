"""What trackers of points share: tracks that are a centre and a box, and who may be whom."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from centernet.structures.detections import Detections
from centernet.trackers.assignment import IMPOSSIBLE
from centernet.trackers.tracker import column, identified

CARRIED = -1  # the row of a track that no detection of the frame belongs to


@dataclass(frozen=True)
class Points:
    """N detections of one frame: centres, where they were a frame ago, boxes."""

    scores: NDArray[Any]  # (N,)
    classes: NDArray[Any]  # (N,)
    centres: NDArray[np.float32]  # (N, 2)
    before: NDArray[np.float32]  # (N, 2) centre + displacement: its place in the previous frame
    boxes: NDArray[np.float32]  # (N, 4) x1 y1 x2 y2

    @classmethod
    def of(cls, found: Detections, tracker: str) -> Points:
        """From columns `displacements` and, where the task has it, `centers` (else of the box)."""
        displacement = column(
            found,
            "displacements",
            tracker,
            "use a checkpoint of a tracking task (tracking, tracking,ddd, ...) or --tracker byte",
        )
        centres = found.columns.get("centers")
        if centres is None:
            centres = middles(found.boxes)
        return cls.with_displacement(
            found.scores, found.classes, centres, displacement, found.boxes
        )

    @classmethod
    def with_displacement(
        cls,
        scores: NDArray[Any],
        classes: NDArray[Any],
        centres: NDArray[Any],
        displacement: NDArray[Any],
        boxes: NDArray[Any],
    ) -> Points:
        """From centres and the way back to where they were."""
        centres, boxes = np.asarray(centres, np.float32), np.asarray(boxes, np.float32)
        return cls(scores, classes, centres, centres + displacement.astype(np.float32), boxes)


@dataclass
class PointTrack:
    """One object over time, where it was last seen."""

    identity: int
    klass: int
    score: float
    centre: NDArray[np.float32]  # (2,)
    box: NDArray[np.float32]  # (4,)
    row: int = CARRIED  # its detection in this frame
    age: int = 1  # frames since it was seen, counting that one
    active: int = 1  # frames that it was seen in a row; 0 while it is only remembered

    @classmethod
    def seen(cls, points: Points, row: int, identity: int, active: int = 1) -> PointTrack:
        """Detection `row` of the frame under its identity."""
        return cls(
            identity,
            int(points.classes[row]),
            float(points.scores[row]),
            points.centres[row],
            points.boxes[row],
            row,
            active=active,
        )


def distances(points: Points, rows: Sequence[int], tracks: Sequence[PointTrack]) -> NDArray[Any]:
    """(R, T) squared distances of where `rows` were and where `tracks` are.

    Impossible (1e18) where the square exceeds the area of either box (so that an object moves by no
    more than about its size) or the classes differ.
    """
    if not tracks or not len(rows):
        return np.zeros((len(rows), len(tracks)))
    rows = list(rows)
    centres = np.stack([track.centre for track in tracks])
    squared = ((points.before[rows][:, None] - centres[None]) ** 2).sum(axis=2)
    far = (squared > areas(points.boxes[rows])[:, None]) | (
        squared > areas(np.stack([track.box for track in tracks]))[None]
    )
    other = points.classes[rows][:, None] != np.array([track.klass for track in tracks])[None]
    return np.where(far | other, IMPOSSIBLE, squared)


def carried(
    tracks: Sequence[PointTrack], unmatched: Sequence[int], max_age: int
) -> list[PointTrack]:
    """Of the `unmatched` tracks those that are remembered: they stay where they are."""
    kept = []
    for i in unmatched:
        track = tracks[i]
        if track.age < max_age:
            track.age, track.active, track.row = track.age + 1, 0, CARRIED
            kept.append(track)
    return kept


def seen_of(found: Detections, tracks: Sequence[PointTrack]) -> Detections:
    """The detections behind the tracks that were seen, with their identities."""
    here = [track for track in tracks if track.row != CARRIED]
    return identified(found, [track.row for track in here], [track.identity for track in here])


def areas(boxes: NDArray[Any]) -> NDArray[Any]:
    """(N,) width times height."""
    return (boxes[:, 2] - boxes[:, 0]) * (boxes[:, 3] - boxes[:, 1])


def middles(boxes: NDArray[Any]) -> NDArray[Any]:
    """(N, 2) centres of boxes."""
    boxes = np.asarray(boxes).reshape(-1, 4)
    return (boxes[:, :2] + boxes[:, 2:]) / 2
