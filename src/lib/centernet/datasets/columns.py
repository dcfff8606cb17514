"""Columns of numbers out of lists of json objects, fast where every row is as it should be."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

Rows = Sequence[Mapping[str, Any]]


def numbers(rows: Rows, key: str, width: int = 1) -> NDArray[np.float64]:
    """(N, width) float64 of `row[key]`; NaN throughout where that is not `width` numbers."""
    try:
        values = np.array([row[key] for row in rows], np.float64)
        if values.size == len(rows) * width:
            return values.reshape(len(rows), width)
    except (KeyError, TypeError, ValueError):
        pass  # at least one row is unusual: look at each
    values = np.full((len(rows), width), np.nan)
    for place, row in enumerate(rows):
        try:
            given = np.array(row[key], np.float64)
        except (KeyError, TypeError, ValueError):
            continue
        if given.size == width:
            values[place] = given.ravel()
    return values


def integers(rows: Rows, key: str, default: int) -> NDArray[np.int64]:
    """(N,) int64 of `row[key]`; `default` where it is absent or no whole number."""
    given = (row.get(key) for row in rows)
    return np.array([v if isinstance(v, int) else default for v in given], np.int64)


def is_number(value: Any) -> bool:
    """Whether `value` is a finite or infinite number, but neither NaN nor a truth value."""
    return isinstance(value, (int, float)) and not isinstance(value, bool) and not math.isnan(value)
