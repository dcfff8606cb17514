"""A file of flags, --config FILE: YAML, flat or in sections named as the groups of flags.

    __base__: common.yaml       # read first; this file's values go before
    task: ctdet                 # where the command names none
    arch: res_18
    train: {batch_size: 16, lr: 5e-4}
    hm_weight: 2                # the task's own flags too

A section of a base and the same section here merge, a list replaces a list. YAML is read without
its tags for objects, so a file executes nothing.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import yaml

from centernet.io.files import read_lines
from centernet.options.flag import Flag, nearest
from centernet.runtime.errors import UserError

BASE = "__base__"
# Sections that are no group of flags: each becomes {flag: value}; UserError for what it lacks.
Translate = Callable[[Any, str], dict[str, Any]]
TRANSLATED: dict[str, Translate] = {}


def read_config(path: str | Path) -> dict[str, Any]:
    """The document at `path` over those that it names as its `__base__`; UserError if damaged."""
    return _read(Path(path), ())


def task_in(document: Mapping[str, Any]) -> str | None:
    """The task that a document names, if it does."""
    named = document.get("task")
    return named if isinstance(named, str) else None


def flags_in(
    document: Mapping[str, Any], name: str, groups: Mapping[str, Sequence[Flag]]
) -> dict[str, Any]:
    """{flag: value} of a document called `name`, whose sections may be named as the `groups`."""
    flags = {flag.name: flag for group in groups.values() for flag in group}
    values: dict[str, Any] = {}
    for key, value in document.items():
        if isinstance(value, Mapping) and key in groups:
            inside = {flag.name: flag for flag in groups[key]}
            for each, one in value.items():
                values[str(each)] = _value(f"{name}: {key}", str(each), one, inside)
        elif key in TRANSLATED:
            translated = TRANSLATED[key](value, f"{name}: {key}")
            values |= {each: _value(name, each, one, flags) for each, one in translated.items()}
        elif not (key == "task" and isinstance(value, str)):
            values[str(key)] = _value(name, str(key), value, flags, sections=groups)
    return values


def _value(
    where: str,
    key: str,
    value: Any,
    flags: Mapping[str, Flag],
    sections: Mapping[str, Any] | None = None,
) -> Any:
    flag = flags.get(key)
    if flag is None:
        hint = nearest(key, [*flags, *(sections or ())])
        meant = f"; did you mean {hint}?" if hint else ""
        raise UserError(f"{where}: no flag is called {key!r}{meant}")
    try:
        read = flag.typed(value)
        flag.check(read)
    except (TypeError, ValueError) as error:
        raise UserError(f"{where}: {key}: takes {flag.noun}, not {value!r}") from error
    except UserError as error:
        raise UserError(f"{where}: {error}") from error
    return read


def _read(path: Path, above: tuple[Path, ...]) -> dict[str, Any]:
    if path.resolve() in above:
        raise UserError(f"{path}: is its own {BASE}")
    text = "\n".join(read_lines(path))
    try:
        document = yaml.safe_load(text)
    except yaml.YAMLError as error:
        mark = getattr(error, "problem_mark", None)
        line = f"line {mark.line + 1}: " if mark is not None else ""
        problem = getattr(error, "problem", None) or str(error).splitlines()[0]
        raise UserError(f"{path}: {line}not YAML as it may stand here ({problem})") from error
    document = {} if document is None else document
    if not isinstance(document, Mapping):
        raise UserError(f"{path}: holds no flags, as in 'arch: res_18'")
    bases = document.get(BASE, [])
    merged: dict[str, Any] = {}
    for base in [bases] if isinstance(bases, str) else bases:
        merged = _merged(merged, _read(path.parent / str(base), (*above, path.resolve())))
    return _merged(merged, {key: value for key, value in document.items() if key != BASE})


def _merged(below: Mapping[str, Any], above: Mapping[str, Any]) -> dict[str, Any]:
    merged = dict(below)
    for key, value in above.items():
        known = merged.get(key)
        if isinstance(known, Mapping) and isinstance(value, Mapping):
            value = _merged(known, value)
        merged[str(key)] = value
    return merged
