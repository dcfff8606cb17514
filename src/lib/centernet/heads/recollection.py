"""The heat map of what is known of the previous frame, and how training disturbs it.

Method: Zhou, Koltun, Krähenbühl, "Tracking Objects as Points", ECCV 2020, sections 4.1 and 4.4: a
network that sees true objects in training and found ones in testing has to learn that they may be
displaced, missing or false.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from centernet.heads.targets import draw_gaussian, object_radius
from centernet.structures.known import Known

GHOST = 0.05  # how far from an object a false one lies, in its sides


class Draws(Protocol):
    """What a numpy Generator gives."""

    def standard_normal(self) -> float: ...

    def random(self) -> float: ...


@dataclass(frozen=True)
class Noise:
    """How training disturbs what is known.

    shift: deviation of a centre in the object's sides. lost: chance that it is forgotten. ghost:
    chance that a second one appears beside it.
    """

    shift: float = 0.0
    lost: float = 0.0
    ghost: float = 0.0


def radii(known: Known) -> list[int]:
    """The radius of each object's gaussian, in input pixels."""
    return [object_radius(float(h), float(w)) for w, h in known.sides]


def disturbed(known: Known, noise: Noise, rng: Draws) -> Known:
    """`known` as training tells it: other `seen`, and the centres of forgotten objects displaced.

    As published: the blob of an object is displaced, and the way back to it is learnt to its true
    centre, but to the displaced one if it is forgotten; a forgotten object has no false one beside
    it, though one is drawn from `rng`.
    """
    centres, seen = known.centres.copy(), []
    for n, radius in enumerate(radii(known)):
        sides = known.sides[n]
        place = known.centres[n] + _shift(sides, noise.shift, rng)
        there = rng.random() > noise.lost
        if there:
            seen.append((*place.astype(np.int64), radius))
        else:
            centres[n] = place
        if rng.random() < noise.ghost:
            false = known.centres[n] + _shift(sides, GHOST, rng)
            if there:
                seen.append((*false.astype(np.int64), radius))
    return replace(known, centres=centres, seen=np.array(seen, np.int64).reshape(-1, 3))


def _shift(sides: NDArray[np.float32], share: float, rng: Draws) -> NDArray[np.float32]:
    """A displacement (x, y) of normal draws, `share` of the sides their deviation."""
    x, y = rng.standard_normal(), rng.standard_normal()
    return np.array([x * share * sides[0], y * share * sides[1]], np.float32)


def heat_of(known: Known) -> NDArray[np.float32]:
    """(1, h, w): a gaussian at every object, in whole input pixels, the highest wins."""
    heat = np.zeros(known.size, np.float32)
    seen = known.seen
    if seen is None:
        seen = np.column_stack([known.centres.astype(np.int64), np.array(radii(known), np.int64)])
    for x, y, radius in seen.reshape(-1, 3).tolist():
        draw_gaussian(heat, x, y, radius)
    return heat[None]
