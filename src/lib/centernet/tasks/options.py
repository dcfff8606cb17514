"""The groups of flags that the losses of several tasks share."""

from __future__ import annotations

from dataclasses import dataclass

from centernet.options.field import option


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
