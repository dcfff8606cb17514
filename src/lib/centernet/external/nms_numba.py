"""Non-maximum suppression as numba loops: what runs where `external/nms.pyx` was not compiled.

The same operations in the same precision as the compiled form, so the two give equal results; a
change in one is a change in both. See `centernet.external.nms` for what they mean.
"""

from __future__ import annotations

import math

import numpy as np

from centernet.runtime.jit import njit

ONE = np.float32(1)
ZERO = np.float32(0)

# Rows of the table `soft` works on: one box a column, so that a loop over boxes reads on.
X1, Y1, X2, Y2, AREA, SCORE, OVERLAP, TOP_LEFT, BOTTOM_RIGHT = range(9)


@njit
def _smaller(a: np.float32, b: np.float32) -> np.float32:
    return a if a < b else b  # min and max of numba treat NaN otherwise, and do not vectorise


@njit
def _larger(a: np.float32, b: np.float32) -> np.float32:
    return a if a > b else b


@njit
def _area(rows: np.ndarray, row: int) -> np.float32:
    return (rows[row, 2] - rows[row, 0] + ONE) * (rows[row, 3] - rows[row, 1] + ONE)


@njit
def _overlaps(table: np.ndarray, pick: int, count: int) -> None:
    """Intersection over union of box `pick` with every box after it; 0 where they do not meet."""
    x1, y1, x2, y2 = table[X1], table[Y1], table[X2], table[Y2]
    area, overlap = table[AREA], table[OVERLAP]
    px1, py1, px2, py2, own = x1[pick], y1[pick], x2[pick], y2[pick], area[pick]
    for row in range(pick + 1, count):
        width = _larger(_smaller(px2, x2[row]) - _larger(px1, x1[row]) + ONE, ZERO)
        height = _larger(_smaller(py2, y2[row]) - _larger(py1, y1[row]) + ONE, ZERO)
        shared = width * height
        overlap[row] = shared / (own + area[row] - shared)


@njit
def _weight(overlap: float, method: int, sigma: float, limit: float) -> float:
    if method == 2:
        return math.exp(-(overlap * overlap) / sigma)
    if overlap <= limit:
        return 1.0
    return 1.0 - overlap if method == 1 else 0.0


@njit
def _swap(table: np.ndarray, order: np.ndarray, a: int, b: int, columns: int) -> None:
    order[a], order[b] = order[b], order[a]
    for column in range(columns):
        table[column, a], table[column, b] = table[column, b], table[column, a]


@njit
def _highest(score: np.ndarray, start: int, count: int) -> int:
    best = start
    for row in range(start + 1, count):
        if score[row] > score[best]:
            best = row
    return best


@njit
def _lower(
    score: np.ndarray, overlap: np.ndarray, start: int, count: int, limit: float, linear: bool
) -> None:
    """The scores of boxes that overlap by more than `limit`, by the hard or the linear rule."""
    for row in range(start, count):
        left = ONE - overlap[row] if linear else ZERO
        score[row] *= left if overlap[row] > limit else ONE


@njit
def _lower_gaussian(
    score: np.ndarray, overlap: np.ndarray, met: np.ndarray, start: int, count: int, sigma: float
) -> None:
    """The scores of boxes that overlap at all; `met` is room for their numbers.

    Few boxes or most may overlap, in no order: gathering them first leaves nothing to mispredict.
    """
    found = 0
    for row in range(start, count):
        met[found] = row
        found += overlap[row] > ZERO
    for row in met[:found]:
        score[row] = _weight(np.float64(overlap[row]), 2, sigma, 0.0) * score[row]


@njit
def _suppress(
    table: np.ndarray,
    order: np.ndarray,
    sigma: float,
    limit: float,
    threshold: float,
    method: int,
) -> int:
    score, overlap = table[SCORE], table[OVERLAP]
    count = len(order)
    met = np.empty(count, np.int64)
    least = np.float32(threshold)
    pick, best = 0, _highest(score, 0, count)
    while pick < count:
        if best != pick:
            _swap(table, order, pick, best, TOP_LEFT)
        _overlaps(table, pick, count)
        pick += 1
        if method == 2:
            _lower_gaussian(score, overlap, met, pick, count, sigma)
        else:
            _lower(score, overlap, pick, count, np.float32(limit), method == 1)
        row = best = pick  # the next best is found on the way, in the order of the rows
        top = score[best] if pick < count else ZERO
        while row < count:
            if score[row] < least and overlap[row] > ZERO:
                count -= 1
                _swap(table, order, row, count, TOP_LEFT)
                continue
            # The first row is tested again: another may have taken its place.
            if score[row] > top or row == pick:
                best, top = row, score[row]
            row += 1
    return count


@njit
def _sorted(score: np.ndarray, order: np.ndarray) -> bool:
    """Let `order` be that of the scores; not if two are equal or not all are numbers."""
    count = len(order)
    found = np.argsort(-score)
    for place in range(count - 1):
        if not score[found[place]] > score[found[place + 1]]:
            return False
    if not (score[found[0]] < np.inf and score[found[-1]] > -np.inf):
        return False
    order[:] = found
    return True


@njit
def _suppress_sorted(
    table: np.ndarray, rows: np.ndarray, order: np.ndarray, limit: np.float32, least: np.float32
) -> int:
    """The hard rule where the `table`, unlike `rows`, is sorted, no two boxes with one score.

    No box then changes its place but to fall out. Also puts the rows in their order, those that
    fall out behind the others; returns how many stay.
    """
    score, overlap = table[SCORE], table[OVERLAP]
    total = len(order)
    gone = np.zeros(total, np.bool_)
    for pick in range(total):
        if gone[pick]:
            continue
        _overlaps(table, pick, total)
        for row in range(pick + 1, total):
            near = overlap[row] > limit
            below = (score[row] < least) & (overlap[row] > ZERO)
            score[row] = ZERO if near & (not gone[row]) else score[row]
            gone[row] |= near | below
    old = rows.copy()
    count, late = 0, total - gone.sum()
    for row in range(total):
        place = late if gone[row] else count
        late += gone[row]
        count += not gone[row]
        rows[place] = old[order[row]]
        rows[place, 4] = score[row]
    return count


@njit
def _suppress_merge(
    table: np.ndarray,
    order: np.ndarray,
    sigma: float,
    limit: float,
    threshold: float,
    method: int,
    exponent: float,
    columns: int,
) -> int:
    """`columns` says whether the two corner scores move with their box (9) or keep still (7)."""
    x1, y1, x2, y2 = table[X1], table[Y1], table[X2], table[Y2]
    score, overlap = table[SCORE], table[OVERLAP]
    first, second = table[TOP_LEFT], table[BOTTOM_RIGHT]
    count = len(order)
    pick = 0
    while pick < count:
        row = _highest(score, pick, count)
        if row != pick:
            _swap(table, order, pick, row, columns)
        top_left, bottom_right = np.float64(first[pick]), np.float64(second[pick])
        left, top = x1[pick] * top_left, y1[pick] * top_left
        right, bottom = x2[pick] * bottom_right, y2[pick] * bottom_right
        _overlaps(table, pick, count)
        row = pick + 1
        while row < count:
            if overlap[row] > ZERO:
                weight = _weight(np.float64(overlap[row]), method, sigma, limit)
                share = math.pow(1.0 - weight, exponent)
                left += x1[row] * first[row] * share
                top += y1[row] * first[row] * share
                right += x2[row] * second[row] * share
                bottom += y2[row] * second[row] * share
                top_left += first[row] * share
                bottom_right += second[row] * share
                score[row] = weight * score[row]
                if score[row] < threshold:
                    count -= 1
                    _swap(table, order, row, count, columns)
                    continue
            row += 1
        x1[pick], y1[pick] = left / top_left, top / top_left
        x2[pick], y2[pick] = right / bottom_right, bottom / bottom_right
        pick += 1
    return count


@njit
def _soft(
    rows: np.ndarray,
    table: np.ndarray,
    order: np.ndarray,
    sigma: float,
    limit: float,
    threshold: float,
    method: int,
    merge: bool,
    exponent: float,
    recorded: bool,
) -> int:
    total, width = rows.shape
    bound, least = np.float32(limit), np.float32(threshold)
    ordered = total > 0 and method == 0 and not merge and bound >= ZERO and least > ZERO
    ordered = ordered and _sorted(rows[:, 4].copy(), order)
    for place in range(total):
        row = order[place]
        table[X1, place], table[Y1, place] = rows[row, 0], rows[row, 1]
        table[X2, place], table[Y2, place] = rows[row, 2], rows[row, 3]
        table[SCORE, place], table[AREA, place] = rows[row, 4], _area(rows, row)
        if width > 6:
            table[TOP_LEFT, place], table[BOTTOM_RIGHT, place] = rows[row, 5], rows[row, 6]
    if ordered:
        return _suppress_sorted(table, rows, order, bound, least)
    if merge:
        columns = TOP_LEFT if recorded else BOTTOM_RIGHT + 1
        count = _suppress_merge(table, order, sigma, limit, threshold, method, exponent, columns)
    else:
        count = _suppress(table, order, sigma, limit, threshold, method)
    if width > 5 and not recorded:
        old = rows.copy()
        for row in range(total):
            for column in range(5, width):
                rows[row, column] = old[order[row], column]
    for row in range(total):
        rows[row, 0], rows[row, 1] = table[X1, row], table[Y1, row]
        rows[row, 2], rows[row, 3] = table[X2, row], table[Y2, row]
        rows[row, 4] = table[SCORE, row]
    return count


def soft(
    rows: np.ndarray,
    sigma: float,
    limit: float,
    threshold: float,
    method: int,
    merge: bool,
    exponent: float,
    recorded: bool,
) -> int:
    """Soft-NMS of `rows` (N, 5 or more) in place; the number of rows that stay, the first ones."""
    table = np.zeros((9, len(rows)), np.float32)
    order = np.arange(len(rows))
    return int(
        _soft(
            rows,
            table,
            order,
            float(sigma),
            float(limit),
            float(threshold),
            int(method),
            bool(merge),
            float(exponent),
            bool(recorded),
        )
    )


@njit
def _hard(rows: np.ndarray, order: np.ndarray, limit: float, keep: np.ndarray) -> None:
    for first in range(len(order)):
        a = order[first]
        if not keep[a]:
            continue
        area = _area(rows, a)
        for second in range(first + 1, len(order)):
            b = order[second]
            if not keep[b]:
                continue
            width = _smaller(rows[a, 2], rows[b, 2]) - _larger(rows[a, 0], rows[b, 0]) + ONE
            height = _smaller(rows[a, 3], rows[b, 3]) - _larger(rows[a, 1], rows[b, 1]) + ONE
            if width > ZERO and height > ZERO:
                shared = width * height
                if shared / (area + _area(rows, b) - shared) >= limit:
                    keep[b] = 0


def hard(rows: np.ndarray, order: np.ndarray, limit: float, keep: np.ndarray) -> None:
    """Greedy NMS in the given `order`: `keep` (N,), ones on entry, is 0 where suppressed."""
    _hard(rows, order, float(limit), keep)
