"""One tracker a class: objects of different classes never share a track."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import numpy as np

from centernet.structures.detections import Detections
from centernet.trackers.tracker import Identities, Tracker


class PerClass:
    """Keeps a tracker a class.

    Identities are unique in the video; `own_ids` counts each class from 1 by itself.
    """

    def __init__(self, make: Callable[[Identities], Tracker], *, own_ids: bool = False) -> None:
        """`make` builds the tracker of a class, given where its ids come from."""
        self._make, self._own_ids = make, own_ids
        self._identities = Identities()
        self._trackers: dict[int, Tracker] = {}
        self._begun = False

    def reset(self) -> None:
        """Another video."""
        self._trackers, self._begun = {}, False
        self._identities.reset()

    def update(self, found: Detections) -> Detections:
        """The tracked objects, class by class."""
        for index in np.unique(found.classes).tolist():
            if index not in self._trackers:
                own = Identities() if self._own_ids else self._identities
                self._trackers[index] = self._make(own)
                if self._begun:  # to this tracker too it is not the video's first frame
                    self._trackers[index].update(found.select([]))
        self._begun = True
        if not self._trackers:
            return replace(found, identities=np.zeros(0, np.int64))
        parts = [
            tracker.update(found.select(found.classes == index))
            for index, tracker in sorted(self._trackers.items())
        ]
        return Detections.concatenate(parts)
