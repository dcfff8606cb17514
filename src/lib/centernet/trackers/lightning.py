"""The tracker of centernet-lightning: embeddings first, then boxes, then a life of three states."""

from __future__ import annotations

from dataclasses import dataclass
from enum import IntEnum
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from centernet.structures.detections import Detections
from centernet.trackers import kalman
from centernet.trackers.assignment import Assignment, cheapest_then
from centernet.trackers.overlap import giou, iou
from centernet.trackers.reid import cosine_distance, unit_rows
from centernet.trackers.tracker import Identities, column, identified


class Life(IntEnum):
    """Where a track of this tracker stands."""

    UNCONFIRMED = 1
    ACTIVE = 2
    INACTIVE = 3


@dataclass(frozen=True)
class LightningRule:
    """Thresholds as published."""

    detection_threshold: float = 0.3
    reid_cost: Literal["cosine", "euclidean"] = "cosine"
    reid_threshold: float = 0.2
    box_cost: Literal["iou", "giou"] | None = "iou"
    box_threshold: float = 0.5
    min_birth_age: int = 2  # further frames before a track counts
    max_inactive_age: int = 30  # frames of memory
    smoothing_factor: float = 0.5  # weight of the new embedding
    use_kalman: bool = False  # filter the corners of the boxes (they are not matched by it)


@dataclass(eq=False)
class LightningTrack:
    """One object over time."""

    identity: int
    label: int
    box: NDArray[Any]  # (4,) x1 y1 x2 y2
    embedding: NDArray[Any]  # (D,)
    row: int
    state: Life = Life.UNCONFIRMED
    birth_age: int = 0
    inactive_age: int = 0
    belief: kalman.Belief | None = None  # of the corners

    def seen(self, rule: LightningRule, row: int, box: NDArray[Any], look: NDArray[Any]) -> None:
        """Detection `row` is this object."""
        self.row, self.inactive_age = row, 0
        share = rule.smoothing_factor
        self.embedding = share * look + (1 - share) * self.embedding
        self.box = box
        if self.belief is not None:
            self.belief = kalman.OF_CORNERS.correct(self.belief, box[None])
            self.box = self.belief.mean[0, 0]
        if self.state is Life.UNCONFIRMED:
            self.birth_age += 1
            if self.birth_age >= rule.min_birth_age:
                self.state = Life.ACTIVE
        else:
            self.state = Life.ACTIVE

    def missed(self, rule: LightningRule) -> bool:
        """Not seen; whether it is remembered all the same."""
        if self.state is Life.UNCONFIRMED:
            return False
        if self.state is Life.ACTIVE:
            self.state = Life.INACTIVE
            return True
        self.inactive_age += 1
        return self.inactive_age < rule.max_inactive_age


class LightningTracker:
    """Appearance, then overlap; classes are not distinguished (`PerClass` does). Ids are from 1.

    A new object is returned once it is confirmed; its id was counted at birth, so ids have gaps.
    """

    def __init__(
        self, rule: LightningRule | None = None, identities: Identities | None = None
    ) -> None:
        self.rule = rule or LightningRule()
        self._identities = identities or Identities()
        self.tracks: list[LightningTrack] = []

    def reset(self) -> None:
        """Another video."""
        self.tracks = []
        self._identities.reset()

    def update(self, found: Detections) -> Detections:
        """The confirmed objects that are seen. `found` has a column `embeddings` (N, D)."""
        embeddings = column(
            found, "embeddings", "lightning", "train with --heads +reid, or use --tracker byte"
        )
        self.step(found.boxes, found.scores, found.classes, embeddings)
        here = [track for track in self.tracks if track.state is Life.ACTIVE]
        ids = [track.identity for track in here]
        boxes = np.array([track.box for track in here]).reshape(-1, 4)
        return identified(found, [track.row for track in here], ids, boxes)

    def step(
        self,
        boxes: NDArray[Any],
        scores: NDArray[Any],
        labels: NDArray[Any],
        embeddings: NDArray[Any],
    ) -> list[LightningTrack]:
        """One frame; all tracks after it, the unconfirmed and the unseen ones too."""
        rule = self.rule
        rows = np.flatnonzero(scores >= rule.detection_threshold).tolist()
        looks = np.asarray(embeddings, np.float64)
        if rule.reid_cost == "cosine":
            looks = unit_rows(looks)
        for track in self.tracks:
            if track.belief is not None:
                track.belief = kalman.OF_CORNERS.predict(track.belief)

        pairs: list[tuple[LightningTrack, int]] = []
        first = cheapest_then(self._unlike(self.tracks, looks[rows]), rule.reid_threshold)
        left, rest = _met(pairs, first, self.tracks, rows)
        if rule.box_cost is not None:
            second = cheapest_then(self._apart(left, boxes[rest]), rule.box_threshold)
            left, rest = _met(pairs, second, left, rest)

        for track, row in pairs:
            track.seen(rule, row, np.asarray(boxes[row], np.float64), looks[row])
        gone = [track for track in left if not track.missed(rule)]
        self.tracks = [track for track in self.tracks if track not in gone]
        self.tracks += [self._born(row, boxes, labels, looks) for row in rest]
        return self.tracks

    def _born(
        self, row: int, boxes: NDArray[Any], labels: NDArray[Any], looks: NDArray[Any]
    ) -> LightningTrack:
        box = np.asarray(boxes[row], np.float64)
        track = LightningTrack(self._identities.new(), int(labels[row]), box, looks[row], row)
        if self.rule.use_kalman:
            track.belief = kalman.OF_CORNERS.begin(box[None])
        return track

    def _unlike(self, tracks: list[LightningTrack], looks: NDArray[Any]) -> NDArray[np.float64]:
        if not tracks or not len(looks):
            return np.zeros((len(tracks), len(looks)))
        known = np.stack([track.embedding for track in tracks])
        if self.rule.reid_cost == "cosine":
            return cosine_distance(known, looks)
        return np.linalg.norm(known[:, None] - looks[None], axis=2)

    def _apart(self, tracks: list[LightningTrack], boxes: NDArray[Any]) -> NDArray[np.float64]:
        overlap = iou if self.rule.box_cost == "iou" else giou
        return 1 - overlap(np.array([track.box for track in tracks]), boxes)


def _met(
    pairs: list[tuple[LightningTrack, int]],
    found: Assignment,
    tracks: list[LightningTrack],
    rows: list[int],
) -> tuple[list[LightningTrack], list[int]]:
    """Add the pairs that were found; the tracks and rows that are left."""
    pairs += [(tracks[i], rows[j]) for i, j in found.pairs]
    return [tracks[i] for i in found.rows], [rows[j] for j in found.columns]
