"""Fields of option groups, and the group that all losses share.

A group is a frozen dataclass; each field is one flag, written with its default, its help and, where
only some values make sense, its choices. The parser is derived from them.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any


def option(default: Any, help: str, choices: Sequence[Any] | None = None) -> Any:
    """One flag of an option group; a default of False makes it a switch."""
    return field(default=default, metadata={"help": help, "choices": choices})


@dataclass(frozen=True)
class LossOptions:
    """Flags that the losses of several tasks share."""

    mse_loss: bool = option(False, "mean squared error in place of the focal loss for heat maps")
    reg_loss: str = option("l1", "distance at the centres", ("l1", "sl1", "l2"))
    hm_weight: float = option(1.0, "weight of the heat map loss")
    off_weight: float = option(1.0, "weight of the offset loss")
    wh_weight: float = option(0.1, "weight of the box size loss")
    not_reg_offset: bool = option(False, "learn no sub-pixel offset of the centres")
