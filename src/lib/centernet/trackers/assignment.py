"""Who goes with whom: the assignments of the trackers, by SciPy."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import linear_sum_assignment

IMPOSSIBLE = 1e18  # the distance of a pair that must not be
_REACHABLE = 1e16


class Assignment(NamedTuple):
    """Pairs of a row and a column, and what is left of both, in ascending order."""

    pairs: list[tuple[int, int]]
    rows: list[int]
    columns: list[int]


def cheapest_within(cost: NDArray[Any], limit: float) -> Assignment:
    """The cheapest assignment where leaving both free costs as much as a pair at `limit`.

    Not "assign, then drop what is dear": a pair near the limit gives way where others gain more.
    Jonker and Volgenant, Computing 38 (1987), on the gains max(limit - cost, 0).
    """
    if not cost.size:
        return _rest([], cost.shape)
    gain = np.minimum(np.asarray(cost, np.float64) - limit, 0)
    rows, columns = linear_sum_assignment(gain)
    return _rest(_taken(rows, columns, gain[rows, columns] < 0), cost.shape)


def cheapest_then(cost: NDArray[Any], limit: float) -> Assignment:
    """The cheapest assignment of as many pairs as there can be; those at `limit` or above go."""
    if not cost.size:
        return _rest([], cost.shape)
    rows, columns = linear_sum_assignment(cost)
    return _rest(_taken(rows, columns, cost[rows, columns] < limit), cost.shape)


def nearest(distance: NDArray[Any], limit: float = _REACHABLE) -> Assignment:
    """Every row in turn takes the nearest free column that is nearer than `limit`."""
    free = np.array(distance, np.float64)
    pairs: list[tuple[int, int]] = []
    for row in range(len(free)):
        if not free.shape[1]:
            break
        column = int(free[row].argmin())
        if free[row, column] < limit:
            free[:, column] = IMPOSSIBLE
            pairs.append((row, column))
    return _rest(pairs, distance.shape)


def shortest(distance: NDArray[Any]) -> Assignment:
    """The assignment of the least sum of distances; impossible pairs (1e18) are dropped.

    Rows and columns that were paired impossibly stand last among those that are left, as published:
    new identities are given in that order.
    """
    if not distance.size:
        return _rest([], distance.shape)
    rows, columns = linear_sum_assignment(distance)
    possible = distance[rows, columns] < _REACHABLE
    free = _rest(_taken(rows, columns, np.ones_like(possible)), distance.shape)
    return Assignment(
        _taken(rows, columns, possible),
        free.rows + rows[~possible].tolist(),
        free.columns + columns[~possible].tolist(),
    )


def _taken(rows: NDArray[Any], columns: NDArray[Any], keep: NDArray[Any]) -> list[tuple[int, int]]:
    return list(zip(rows[keep].tolist(), columns[keep].tolist(), strict=True))


def _rest(pairs: list[tuple[int, int]], shape: tuple[int, ...]) -> Assignment:
    rows, columns = {row for row, _ in pairs}, {column for _, column in pairs}
    return Assignment(
        pairs,
        [row for row in range(shape[0]) if row not in rows],
        [column for column in range(shape[1]) if column not in columns],
    )
