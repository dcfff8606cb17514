"""Association by appearance first: the cascade of JDE and FairMOT.

Zhang et al., "FairMOT: On the Fairness of Detection and Re-identification in Multiple Object
Tracking", IJCV 2021; Wang et al., "Towards Real-Time Multi-Object Tracking", ECCV 2020.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from centernet.structures.detections import Detections
from centernet.trackers import kalman
from centernet.trackers.assignment import cheapest_within
from centernet.trackers.overlap import iou
from centernet.trackers.roster import Roster, Seen, State, Track, beliefs_of, boxes_of
from centernet.trackers.tracker import Identities, column, identified

_FRAME_RATE = 30


@dataclass(frozen=True)
class ReidRule:
    """Thresholds of FairMOT."""

    conf_thres: float = 0.4  # a detection counts above it
    appearance_thresh: float = 0.4  # most of 0.98 cosine + 0.02 squared Mahalanobis distance
    appearance_share: float = 0.98
    second_thresh: float = 0.5  # most 1 - IoU of tracks that looked like nothing
    unconfirmed_thresh: float = 0.7
    smoothing: float = 0.9  # weight of the past in a track's feature
    most: int = 500  # detections a frame
    track_buffer: int = 30  # frames of memory at 30 frames a second
    frame_rate: float = _FRAME_RATE
    resurrect: bool = False  # a removed track can come back one frame later, as published

    @property
    def memory(self) -> int:
        """Frames that a lost track is remembered."""
        return int(self.frame_rate / _FRAME_RATE * self.track_buffer)


class ReidTracker:
    """Cosine distance of embeddings within a Kalman gate, then overlap, across classes."""

    def __init__(self, rule: ReidRule | None = None, identities: Identities | None = None) -> None:
        self.rule = rule or ReidRule()
        self.roster = Roster(
            self.rule.memory,
            identities,
            smoothing=self.rule.smoothing,
            keep_score=True,
            resurrect=self.rule.resurrect,
        )

    def reset(self) -> None:
        """Another video."""
        self.roster.reset()

    def update(self, found: Detections) -> Detections:
        """The tracked objects, their boxes filtered. `found` has a column `embeddings` (N, D)."""
        embeddings = column(
            found, "embeddings", "reid", "train with --heads +reid, or use --tracker byte"
        )
        tracks = self.step(found.boxes, found.scores, embeddings)
        ids = [track.identity for track in tracks]
        return identified(found, [track.row for track in tracks], ids, boxes_of(tracks))

    def step(
        self, boxes: NDArray[Any], scores: NDArray[Any], embeddings: NDArray[Any]
    ) -> list[Track]:
        """One frame of boxes x1 y1 x2 y2, best first, with an embedding (N, D) each."""
        rule = self.rule
        seen = Seen.of(boxes, scores, unit_rows(embeddings))
        best = np.argsort(-seen.scores, kind="stable")[: rule.most]
        rows = np.sort(best)[seen.scores[np.sort(best)] > rule.conf_thres].tolist()
        pool, unconfirmed = self.roster.begin(seen)

        first = cheapest_within(self._unlikeness(pool, rows), rule.appearance_thresh)
        self.roster.match(pool, rows, first)
        left = [pool[i] for i in first.rows if pool[i].state is State.TRACKED]
        rows = [rows[j] for j in first.columns]

        second = cheapest_within(self._apart(left, rows), rule.second_thresh)
        self.roster.match(left, rows, second)
        self.roster.lose([left[i] for i in second.rows])
        rows = [rows[j] for j in second.columns]

        third = cheapest_within(self._apart(unconfirmed, rows), rule.unconfirmed_thresh)
        self.roster.match(unconfirmed, rows, third)
        self.roster.drop([unconfirmed[i] for i in third.rows])
        self.roster.bear([rows[j] for j in third.columns])
        return self.roster.end()

    def _unlikeness(self, tracks: list[Track], rows: list[int]) -> NDArray[np.float64]:
        if not tracks or not rows:
            return np.zeros((len(tracks), len(rows)))
        seen = self.roster.seen
        assert seen.features is not None
        known = np.stack([t.feature for t in tracks if t.feature is not None])
        looks = cosine_distance(known, seen.features[rows])
        return fused_distance(
            looks, beliefs_of(tracks), seen.measured[rows], self.rule.appearance_share
        )

    def _apart(self, tracks: list[Track], rows: list[int]) -> NDArray[np.float64]:
        return 1 - iou(boxes_of(tracks), self.roster.seen.boxes[rows], pixel=1)


def unit_rows(vectors: NDArray[Any]) -> NDArray[Any]:
    """Every row divided by its length; a row of zeros stays."""
    length = np.linalg.norm(vectors, axis=-1, keepdims=True)
    return vectors / np.where(length > 0, length, 1)


def cosine_distance(a: NDArray[Any], b: NDArray[Any]) -> NDArray[np.float64]:
    """(A, B) 1 - cosine of the angle between rows, never below 0."""
    a, b = (unit_rows(np.asarray(side, np.float64)) for side in (a, b))
    return np.maximum(0.0, 1 - a @ b.T)


def fused_distance(
    looks: NDArray[Any], beliefs: kalman.Belief, measured: NDArray[np.float64], share: float = 0.98
) -> NDArray[np.float64]:
    """`looks` mixed with the squared Mahalanobis distance; infinite beyond its 95 % gate."""
    far = kalman.OF_BOXES.gating_distance(beliefs, measured)
    return np.where(far > kalman.GATE, np.inf, share * looks + (1 - share) * far)
