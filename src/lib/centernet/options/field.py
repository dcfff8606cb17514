"""Fields of option groups.

A group is a frozen dataclass; each field is one flag, written with its default, its help and, where
only some values make sense, its choices. The parser is derived from them.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import field
from typing import Any

Choices = Sequence[Any] | Callable[[], Iterable[Any]]


def option(
    default: Any,
    help: str,
    choices: Choices | None = None,
    *,
    at_least: float | None = None,
    verbs: Iterable[str] | None = None,
    inert: str | None = None,
) -> Any:
    """One flag of an option group; a default of False makes it a switch.

    `choices` may be a function, for names that are looked up in a registry. `at_least` bounds a
    number, or each of several. `verbs` are the commands that the flag serves, where it serves fewer
    than its group. `inert` is the reason why a flag that older commands give has lost its meaning.
    """
    metadata = {
        "help": help,
        "choices": choices,
        "at_least": at_least,
        "verbs": None if verbs is None else frozenset(verbs),
        "inert": inert,
    }
    return field(default=default, metadata=metadata)
