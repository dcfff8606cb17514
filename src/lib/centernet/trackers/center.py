"""CenterTrack's association: an object is where its predicted displacement says that it was.

Zhou, Koltun and Krähenbühl, "Tracking Objects as Points", ECCV 2020, section 4.3.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from centernet.structures.detections import Detections
from centernet.trackers.assignment import IMPOSSIBLE, nearest, shortest
from centernet.trackers.points import (
    Points,
    PointTrack,
    areas,
    carried,
    distances,
    middles,
    seen_of,
)
from centernet.trackers.tracker import Identities


@dataclass(frozen=True)
class CenterRule:
    """How CenterTrack associates.

    A track that is not seen is remembered while its age is below `max_age`: -1, 0 and 1 remember
    nothing, 2 one frame.
    """

    out_thresh: float = 0.0  # a detection counts above it
    new_thresh: float = 0.3  # a track begins above it
    max_age: int = -1
    hungarian: bool = False  # else every detection in turn takes the nearest track


class CenterTracker:
    """Greedy (or Hungarian) association of displaced centres, class by class."""

    def __init__(
        self, rule: CenterRule | None = None, identities: Identities | None = None
    ) -> None:
        self.rule = rule or CenterRule()
        self._identities = identities or Identities()
        self.tracks: list[PointTrack] = []

    def reset(self) -> None:
        """Another video."""
        self.tracks = []
        self._identities.reset()

    def start(self, known: Detections) -> None:
        """Objects given for the first frame, before it is seen: ids in their order."""
        centres = known.columns.get("centers")
        self.begin(known.boxes, known.scores, known.classes, centres)

    def begin(
        self,
        boxes: NDArray[Any],
        scores: NDArray[Any],
        classes: NDArray[Any],
        centres: NDArray[Any] | None = None,
    ) -> None:
        """As `start`, from arrays; without centres they are those of the boxes."""
        centres = middles(boxes) if centres is None else centres
        still = np.zeros((len(boxes), 2), np.float32)
        points = Points.with_displacement(scores, classes, centres, still, boxes)
        for row in range(len(boxes)):
            if scores[row] > self.rule.new_thresh:
                self.tracks.append(PointTrack.seen(points, row, self._identities.new()))

    def update(self, found: Detections, public: Detections | None = None) -> Detections:
        """The tracked objects. `found` has a column `displacements` (N, 2), image pixels.

        With `public` boxes of the same frame, tracks begin only where one of them lies.
        """
        found = found.above(self.rule.out_thresh) if self.rule.out_thresh > 0 else found
        centres = None
        if public is not None:
            centres = public.columns.get("centers")
            centres = middles(public.boxes) if centres is None else centres
        return seen_of(found, self.step(Points.of(found, "center"), centres))

    def step(self, points: Points, public: NDArray[Any] | None = None) -> list[PointTrack]:
        """One frame, best detection first; `public` (P, 2) centres.

        Returns matched, new and carried tracks, in this order.
        """
        rows = range(len(points.scores))
        assign = shortest if self.rule.hungarian else nearest
        found = assign(distances(points, rows, self.tracks))
        tracks = []
        for row, place in found.pairs:
            old = self.tracks[place]
            tracks.append(PointTrack.seen(points, row, old.identity, old.active + 1))
        births = found.rows if public is None else self._beside(points, found.rows, public)
        for row in births:
            if points.scores[row] > self.rule.new_thresh:
                tracks.append(PointTrack.seen(points, row, self._identities.new()))
        self.tracks = tracks + carried(self.tracks, found.columns, self.rule.max_age)
        return self.tracks

    def _beside(self, points: Points, free: list[int], public: NDArray[Any]) -> list[int]:
        """Of the `free` rows the nearest to each public centre, where near enough.

        As published it is the displaced centre that is compared, a place in the previous frame.
        """
        if not free:
            return []
        before, public = points.before[free], np.asarray(public, np.float32).reshape(-1, 2)
        squared = ((before[:, None] - public[None]) ** 2).sum(axis=2).astype(np.float64)
        size = areas(points.boxes[free])
        chosen = []
        for place in range(len(public)):
            row = int(squared[:, place].argmin())
            if squared[row, place] < size[row]:
                squared[row] = IMPOSSIBLE
                chosen.append(free[row])
        return chosen
