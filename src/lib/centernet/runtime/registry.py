"""Names of things that are imported when they are first asked for."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, MutableMapping
from importlib import import_module
from typing import Generic, TypeVar, cast

T = TypeVar("T")


class Registry(MutableMapping[str, T], Generic[T]):
    """A dictionary in which "module:name" stands for what that module calls so.

    The names are known at once, and a module is imported when its entry is read: `--help` lists the
    tasks without waiting for PyTorch. Anything else than a str is kept as it is, so a program adds
    an entry of its own by `REGISTRY["mine"] = mine`.
    """

    def __init__(self, entries: Mapping[str, str | T] | None = None) -> None:
        self._entries: dict[str, str | T] = dict(entries or {})

    def __getitem__(self, key: str) -> T:
        entry = self._entries[key]
        if not isinstance(entry, str):
            return entry
        module, _, name = entry.partition(":")
        found = cast("T", getattr(import_module(module), name))
        self._entries[key] = found
        return found

    def __setitem__(self, key: str, value: T) -> None:
        self._entries[key] = value

    def __delitem__(self, key: str) -> None:
        del self._entries[key]

    def __iter__(self) -> Iterator[str]:
        return iter(self._entries)

    def __len__(self) -> int:
        return len(self._entries)

    def __contains__(self, key: object) -> bool:
        return key in self._entries  # without importing it, as Mapping's own would

    def imported(self, key: str) -> bool:
        """Whether the entry has been read before, or was given as it is."""
        return not isinstance(self._entries[key], str)
