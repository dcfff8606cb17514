"""Things made of pieces with named points on them: what figures and faces share."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import ArrayLike, NDArray

from centernet.datasets.toy.canvas import Canvas, Part, stencil

Points = Mapping[str, NDArray[np.float64]]


@dataclass
class Body:
    """Named points (x, y), and pieces from back to front with the points that show on each."""

    points: Points
    parts: list[Part] = field(default_factory=list)
    shows: list[frozenset[str]] = field(default_factory=list)

    def add(self, form: NDArray[np.float64], paint: NDArray[np.float32], *points: str) -> None:
        """Put a piece of outline `form` before all others."""
        self.parts.append(Part(stencil([form]), paint))
        self.shows.append(frozenset(points))

    def joints(
        self, canvas: Canvas, thing: int, place: ArrayLike, names: Sequence[str]
    ) -> NDArray[np.float64]:
        """(J, 3) x y v of the body standing at `place` on the canvas, as number `thing`.

        v is 2 where the uppermost paint is a piece that shows the point, 1 where it is something
        else, 0 (and x, y too, as in COCO) outside the image.
        """
        rows = np.zeros((len(names), 3))
        for row, name in zip(rows, names, strict=True):
            point = self.points[name] + np.asarray(place, np.float64)
            owner = canvas.at(*point)
            if owner is not None:
                seen = owner[0] == thing and name in self.shows[owner[1]]
                row[:] = *point, 2 if seen else 1
        return rows


def capsule(start: ArrayLike, stop: ArrayLike, radius: float) -> NDArray[np.float64]:
    """The outline of a thick line with round ends."""
    start, stop = np.asarray(start), np.asarray(stop)
    along = np.arctan2(*(stop - start)[::-1])
    arc = along + np.linspace(-np.pi / 2, np.pi / 2, 9)
    cap = np.stack([np.cos(arc), np.sin(arc)], axis=1) * radius
    return np.concatenate([stop + cap, start - cap])
