"""How far one program's detections are from another's on the same pictures."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from centernet.export.program import POINTS

TIE = 1e-5  # scores nearer than this may change places
Arrays = Mapping[str, NDArray]


@dataclass
class Parity:
    """The largest difference of each output, and how many rows were compared.

    `lost` counts rows of the reference without partner: another class or score, or more than a
    pixel away. Rows that tie with the last one may be exchanged for others and do not count.
    `moved` counts rows whose place in the order differs although no tie allows it.
    """

    differences: dict[str, float] = field(default_factory=dict)
    rows: int = 0
    lost: int = 0
    moved: int = 0

    def __str__(self) -> str:
        each = ", ".join(f"{name} {value:.2g}" for name, value in self.differences.items())
        return f"{self.rows} rows, {self.lost} lost, {self.moved} out of order; {each}"

    def figures(self) -> dict[str, float]:
        """As one dictionary."""
        return {**self.differences, "rows": self.rows, "lost": self.lost, "moved": self.moved}

    def see(self, wanted: Arrays, given: Arrays) -> None:
        """Add a batch: arrays (B, K, ...) of either program."""
        if "scores" not in wanted:  # raw maps
            for name, value in wanted.items():
                self._note(name, value, given[name])
            return
        for row in range(len(wanted["scores"])):
            self._see_one(
                {n: v[row] for n, v in wanted.items()}, {n: v[row] for n, v in given.items()}
            )

    def _see_one(self, wanted: Arrays, given: Arrays) -> None:
        scores, others = wanted["scores"], given["scores"]
        for name in _apart(wanted):  # lists of their own: x y class score
            lists = [_as_rows(each[name]) for each in (wanted, given)]
            inner = Parity()
            inner._see_one(*lists)
            self.lost, self.moved = self.lost + inner.lost, self.moved + inner.moved
            worst = max(inner.differences.values(), default=0.0)
            self.differences[name] = max(self.differences.get(name, 0.0), worst)
        self._note("scores", scores, others)
        real = np.flatnonzero(scores > 0)
        if not len(real):
            return
        last = scores[real].min()
        free = np.ones(len(others), bool)
        for row in map(int, real):
            partner = _partner(wanted, given, row, free)
            if partner is None:
                self.lost += int(scores[row] > last + TIE)
                continue
            free[partner] = False
            self.rows += 1
            between = scores[min(row, partner) : max(row, partner) + 1]
            self.moved += int(between.max() - between.min() > TIE)
            for name in wanted.keys() - _apart(wanted) - {"scores", "classes"}:
                self._note(name, wanted[name][row], given[name][partner])

    def _note(self, name: str, one: NDArray, other: NDArray) -> None:
        difference = np.abs(one.astype(np.float64) - other.astype(np.float64))
        if name in ("alphas", "rotations"):
            difference = np.minimum(difference, 2 * np.pi - difference)
        most = float(difference.max()) if difference.size else 0.0
        self.differences[name] = max(self.differences.get(name, 0.0), most)


def _as_rows(centres: NDArray) -> dict[str, NDArray]:
    """Rows (M, 4) of x y class score as the detections that they are."""
    place = centres[:, :2]
    return {
        "boxes": np.concatenate([place, place], 1),
        "scores": centres[:, 3],
        "classes": centres[:, 2],
    }


def _apart(arrays: Arrays) -> set[str]:
    """Outputs whose rows are not those of the boxes."""
    return {n for n, v in arrays.items() if len(v) != len(arrays["boxes"])}


def _partner(wanted: Arrays, given: Arrays, row: int, free: NDArray[np.bool_]) -> int | None:
    """The row of `given`, not taken yet, that is the `row` of `wanted`; the nearest of ties."""
    near = np.abs(given["scores"] - wanted["scores"][row]) <= TIE
    near &= free & (given["classes"] == wanted["classes"][row])
    candidates = np.flatnonzero(near)
    if not len(candidates):
        return None
    away = np.zeros(len(candidates))
    for name in POINTS.keys() & (wanted.keys() - _apart(wanted)):
        apart = np.abs(given[name][candidates] - wanted[name][row])
        away = np.maximum(away, apart.reshape(len(candidates), -1).max(1))
    best = int(away.argmin())
    return int(candidates[best]) if away[best] <= 1 else None
