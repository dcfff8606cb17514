"""Fields of option groups, and the group that all losses share.

A group is a frozen dataclass; each field is one flag, written with its default, its help and, where
only some values make sense, its choices. The parser is derived from them.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
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


@dataclass(frozen=True)
class CentreOptions:
    """Flags that the losses of all tasks with heat maps and offsets share."""

    mse_loss: bool = option(False, "mean squared error in place of the focal loss for heat maps")
    reg_loss: str = option("l1", "distance at the centres", ("l1", "sl1", "l2"))
    hm_weight: float = option(1.0, "weight of the heat map loss", at_least=0)
    off_weight: float = option(1.0, "weight of the offset loss", at_least=0)
    not_reg_offset: bool = option(False, "learn no sub-pixel offset of the peaks")


@dataclass(frozen=True)
class LossOptions(CentreOptions):
    """Those of tasks that also learn box sizes."""

    wh_weight: float = option(0.1, "weight of the box size loss", at_least=0)
