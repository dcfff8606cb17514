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
    inert: str | None = None,
    listed: bool = True,
    composed: str = "",
) -> Any:
    """One flag of an option group; a default of False makes it a switch.

    A value with `composed` in it is made of parts, and is checked where it is used.
    `choices` may be a function, for names that are looked up in a registry; those that are not
    `listed` do not appear in --help, which then need not import what names them. `at_least` bounds
    a number, or each of several. `inert` is the reason why a flag that older commands give has lost
    its meaning.
    """
    metadata = {
        "help": help,
        "choices": choices,
        "composed": composed,
        "at_least": at_least,
        "inert": inert,
        "listed": listed,
    }
    return field(default=default, metadata=metadata)


def words(metavar: str, help: str, *, at_least: int = 0, verbatim: bool = False) -> Any:
    """The words of a command that belong to no flag, as a field `tuple[str, ...]` of a group.

    `metavar` stands for one of them in the help; `at_least` so many have to be given. `verbatim`
    takes the whole command line as it is, flags included.
    """
    metadata = {"help": help, "words": metavar, "fewest": at_least, "verbatim": verbatim}
    return field(default=(), metadata=metadata)
