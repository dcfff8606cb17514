"""One flag of the command line, derived from one field of an option group."""

from __future__ import annotations

import argparse
import dataclasses
import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from difflib import get_close_matches
from functools import cache
from types import NoneType, UnionType
from typing import Any, get_args, get_origin, get_type_hints

from centernet.runtime.errors import UserError

NOUNS: dict[type, str] = {int: "a whole number", float: "a number", bool: "true or false"}


@dataclass(frozen=True)
class Flag:
    """A flag: `kind` is the type of its value, or of each of them when there are `many`."""

    name: str
    kind: type
    many: bool
    default: Any
    metadata: Mapping[str, Any]

    @property
    def inert(self) -> str | None:
        """Why the flag does nothing any more, if so."""
        return self.metadata.get("inert")

    @property
    def choices(self) -> list[Any] | None:
        """The values that make sense, or None for any."""
        choices = self.metadata.get("choices")
        if choices is None:
            return None
        return list(choices() if callable(choices) else choices)

    @property
    def words(self) -> str | None:
        """What stands for one of the words that belong to no flag, if this field holds them."""
        return self.metadata.get("words")

    def add_to(self, parser: argparse._ActionsContainer, explain: bool) -> None:
        """Declare the flag to argparse; it is absent from the result unless it is given.

        To `explain` it means to look up its choices.
        """
        common: dict[str, Any] = {"dest": self.name, "default": argparse.SUPPRESS}
        common["help"] = self._help() if explain else None
        if self.kind is bool:
            parser.add_argument(f"--{self.name}", action="store_true", **common)
        else:
            metavar = self.kind.__name__.upper() + (",..." if self.many else "")
            metavar = metavar.replace("STR", "NAME" if self.metadata.get("choices") else "TEXT")
            common |= {"type": self._read, "metavar": metavar}
            parser.add_argument(f"--{self.name}", **common)

    def _help(self) -> str:
        text = self.metadata["help"]
        choices = self.choices if self.metadata.get("listed", True) else None
        if choices and self.kind is not bool:
            text += f"; one of {', '.join(map(str, choices))}"
        if self.kind is not bool and self.default not in (None, "", ()):
            shown = ",".join(map(_short, self.default)) if self.many else _short(self.default)
            text += f" (default: {shown})"
        return text.replace("%", "%%")

    @property
    def noun(self) -> str:
        """What the flag takes, in words."""
        several = ", or several with commas between" if self.many else ""
        return NOUNS.get(self.kind, "a text") + several

    def _read(self, text: str) -> Any:
        words = [word for word in text.split(",") if word.strip()] if self.many else [text]
        try:
            values = [self.kind(word) for word in words]
        except ValueError:
            values = []
        if not values:
            raise argparse.ArgumentTypeError(f"takes {self.noun}, not {text!r}")
        return tuple(values) if self.many else values[0]

    def typed(self, value: Any) -> Any:
        """`value` of a file (a number, text, list, true or false) as the flag has it.

        TypeError or ValueError where it is of another type: 3.5 for a whole number, text for a
        switch. Text is read as on the command line, so that `1e-4`, a text in YAML, is a number.
        """
        if value is None and self.default is None:
            return None
        if self.many and isinstance(value, list | tuple):
            return tuple(self._one(each) for each in value)
        if self.many and isinstance(value, str):
            return tuple(self.kind(word) for word in value.split(","))
        return (self._one(value),) if self.many else self._one(value)

    def _one(self, value: Any) -> Any:
        if self.kind is bool or isinstance(value, bool):
            if not (self.kind is bool and isinstance(value, bool)):
                raise TypeError(f"{value!r} is no {self.kind.__name__}")
            return value
        if not isinstance(value, int | float | str) or (self.kind is int and value != int(value)):
            raise TypeError(f"{value!r} is no {self.kind.__name__}")
        return self.kind(value)

    def check(self, value: Any) -> None:
        """Raise UserError, with what to write instead, when `value` makes no sense."""
        least, choices = self.metadata.get("at_least"), self.choices
        for one in value if self.many else (value,):
            if least is not None and one is not None and not one >= least:
                raise UserError(f"--{self.name} must be at least {_short(least)}, not {one}")
            if isinstance(one, float) and math.isinf(one):
                raise UserError(f"--{self.name} must be a finite number, not {one}")
            mark = self.metadata.get("composed") or None
            composed = mark is not None and mark in str(one)
            if choices is not None and one is not None and one not in choices and not composed:
                raise UserError(f"--{self.name}: {unknown('value', one, choices)}")


def nearest(word: str, names: Iterable[str]) -> str | None:
    """The one of `names` that `word` may have been meant for."""
    return next(iter(get_close_matches(word, list(names), n=1)), None)


def unknown(noun: str, word: Any, choices: list[Any]) -> str:
    """The sentence for a word that is none of `choices`: the nearest one first, then all."""
    names = [str(choice) for choice in choices]
    near = nearest(str(word), names)
    hint = f"did you mean {near}? " if near else ""
    return f"unknown {noun} {str(word)!r}; {hint}choose from {', '.join(names)}"


def flags_of(group: type) -> tuple[Flag, ...]:
    """The flags of an option group, in the order of its fields, base classes first."""
    return tuple(flag for flag in _fields_of(group) if flag.words is None)


def words_of(group: type) -> Flag | None:
    """The field of a group that holds the words which belong to no flag, if it has one."""
    return next((flag for flag in _fields_of(group) if flag.words is not None), None)


@cache
def _fields_of(group: type) -> tuple[Flag, ...]:
    hints = get_type_hints(group)
    flags = []
    for item in dataclasses.fields(group):
        kind, many = _kind(hints[item.name])
        flags.append(Flag(item.name, kind, many, item.default, item.metadata))
    return tuple(flags)


def _kind(hint: Any) -> tuple[type, bool]:
    """`int | None` -> (int, False); `tuple[float, ...]` -> (float, True)."""
    if get_origin(hint) is tuple:
        return get_args(hint)[0], True
    if isinstance(hint, UnionType):
        (hint,) = (part for part in get_args(hint) if part is not NoneType)
    return hint, False


def _short(value: Any) -> str:
    return f"{value:g}" if isinstance(value, float) else str(value)
