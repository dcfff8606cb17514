"""Mixed precision: which type the network computes in."""

from __future__ import annotations

from contextlib import AbstractContextManager
from dataclasses import dataclass

import torch

from centernet.runtime.errors import UserError
from centernet.runtime.half import HALVES, half_type


@dataclass(frozen=True)
class Precision:
    """Weights and losses stay float32; with "bf16" or "fp16" convolutions run in that type."""

    name: str = "none"

    def __post_init__(self) -> None:
        names = ("none", *HALVES)
        if self.name not in names:
            raise UserError(f"unknown precision {self.name!r}; choose from {', '.join(names)}")

    def autocast(self, device: torch.device) -> AbstractContextManager[None]:
        """The context in which the network runs on `device`."""
        dtype = half_type(self.name) if self.name in HALVES else None
        return torch.autocast(device.type, dtype=dtype, enabled=dtype is not None)

    def scaler(self, device: torch.device) -> torch.amp.GradScaler:
        """Scales the loss so that small gradients survive float16; does nothing otherwise."""
        return torch.amp.GradScaler(device.type, enabled=self.name == "fp16")
