"""Values with one row an object, which all that carries them selects and joins alike.

A column is an array, a list or a dataclass of columns (cuboids); None where there is none.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import fields, is_dataclass, replace
from typing import Any

import numpy as np


def length(column: Any) -> int:
    """How many rows a column has."""
    if not isinstance(column, np.ndarray) and is_dataclass(column):
        return len(getattr(column, fields(column)[0].name))
    return len(column)


def check(columns: Mapping[str, Any], count: int) -> None:
    """Raise ValueError, naming the column, where one has not `count` rows."""
    for name, column in columns.items():
        if column is not None and length(column) != count:
            raise ValueError(f"{name} has {length(column)} rows, boxes has {count}")


def take(column: Any, rows: Any) -> Any:
    """The rows of a boolean mask, an index array or a slice, in that order."""
    if column is None:
        return None
    if is_dataclass(column):
        taken = {f.name: take(getattr(column, f.name), rows) for f in fields(column)}
        return replace(column, **taken)  # type: ignore[type-var]
    if isinstance(column, list):
        return [column[i] for i in np.arange(len(column))[rows]]
    return column[rows]


def take_all(columns: Mapping[str, Any], rows: Any) -> dict[str, Any]:
    """Those rows of every column."""
    return {name: take(column, rows) for name, column in columns.items()}


def join(columns: Sequence[Any], name: str = "a column") -> Any:
    """The rows of all; ValueError, by `name`, where only some of them are None."""
    first = columns[0]
    absent = sum(column is None for column in columns)
    if absent == len(columns):
        return None
    if absent:
        raise ValueError(f"{name} is present in some parts only")
    if is_dataclass(first):
        joined = {f.name: join([getattr(v, f.name) for v in columns]) for f in fields(first)}
        return replace(first, **joined)  # type: ignore[type-var]
    if isinstance(first, list):
        return [entry for column in columns for entry in column]
    return np.concatenate(columns)


def join_all(parts: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    """The rows of all parts, column by column; ValueError where their names differ."""
    if any(set(part) != set(parts[0]) for part in parts):
        raise ValueError("the parts do not have the same columns")
    return {name: join([part[name] for part in parts], name) for name in parts[0]}
