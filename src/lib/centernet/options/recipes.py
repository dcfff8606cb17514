"""Recipes: values of flags that belong together, by the name that --recipe takes."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any


@dataclass(frozen=True)
class Recipe:
    """Flags with other values than their defaults.

    `flags` are for every task (those that a task does not have are left out), `by_task` those of
    one task alone, which go before.
    """

    help: str
    flags: Mapping[str, Any] = field(default_factory=dict)
    by_task: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)

    def of(self, task: str) -> dict[str, Any]:
        """{flag: value} for a task."""
        return {**self.flags, **self.by_task.get(task, {})}


RECIPES: dict[str, Recipe] = {
    "original": Recipe("the mathematics of the published programs: every flag has its default"),
}
