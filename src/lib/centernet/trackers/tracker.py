"""What every tracker is: detections in, the same with identities out."""

from __future__ import annotations

from dataclasses import replace
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from centernet.runtime.errors import UserError
from centernet.structures.detections import Detections


class Tracker(Protocol):
    """Gives identities to the detections of one video, frame by frame."""

    def update(self, found: Detections) -> Detections:
        """The objects of the next frame that are tracked, with `identities`.

        Rows are rows of `found`, in the tracker's order; a tracker that filters positions puts the
        filtered boxes in their place. Objects that are only remembered are not returned.
        """
        ...

    def reset(self) -> None:
        """Forget everything: the next frame is the first of another video, ids start at 1."""
        ...


class Identities:
    """The ids of one video: `first`, `first` + 1, ... each given once."""

    def __init__(self, first: int = 1) -> None:
        self.first = first
        self.next = first

    def new(self) -> int:
        """An id that nothing has had."""
        self.next += 1
        return self.next - 1

    def reset(self) -> None:
        """Count from the first again."""
        self.next = self.first


def column(found: Detections, name: str, tracker: str, remedy: str) -> NDArray[Any]:
    """Column `name` of `found`; a line that says who gives it where it is absent."""
    value = found.columns.get(name)
    if value is None:
        raise UserError(f"--tracker {tracker} needs {name} of every object: {remedy}")
    return np.asarray(value)


def identified(
    found: Detections,
    rows: list[int],
    identities: list[int],
    boxes: NDArray[Any] | None = None,
) -> Detections:
    """Rows of `found` with their identities, and with other `boxes` (x1 y1 x2 y2) if given."""
    chosen = found.select(np.asarray(rows, np.int64))
    if boxes is not None:
        chosen = replace(chosen, boxes=boxes)
    return replace(chosen, identities=np.asarray(identities, np.int64))
