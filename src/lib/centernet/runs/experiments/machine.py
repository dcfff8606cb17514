"""The batch of a published row on the devices at hand."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import torch

from centernet.runtime.device import choose_devices


@dataclass(frozen=True)
class Machine:
    """Devices of one kind. `memory` is that of each in GB; None is the CPU, which is one device."""

    gpus: tuple[int, ...]
    memory: float | None

    def __str__(self) -> str:
        if self.memory is None:
            return "the CPU"
        plural = "s" if len(self.gpus) > 1 else ""
        return f"{len(self.gpus)} GPU{plural} of {self.memory:g} GB"


def at_hand(gpus: Sequence[int] | None = None) -> Machine:
    """The GPUs with these numbers, by default all; UserError for one that is not there."""
    count = torch.cuda.device_count() if torch.cuda.is_available() else 0
    devices = choose_devices(tuple(gpus) if gpus else tuple(range(count)) or (-1,))
    if devices[0].type == "cpu":
        return Machine((-1,), None)
    smallest = min(torch.cuda.get_device_properties(d).total_memory for d in devices)
    # A card sold as 12 GB reports 11.8: the rest is its own.
    return Machine(tuple(d.index for d in devices), math.ceil(smallest / 2**30))


def accumulation(batch: int, published: tuple[int, float], machine: Machine) -> int:
    """Into how many parts a step of `batch` images is cut so that a part fits the machine.

    `published` (number of GPUs, GB of each) held the batch in one part; more memory holds more
    images in proportion. The CPU is taken for one of the published devices. The parts are equal, so
    the result divides `batch`.
    """
    gpus, memory = published
    share = math.ceil(batch / gpus)
    fits = max(1, math.floor(share * (machine.memory or memory) / memory))
    return next(
        parts
        for parts in range(1, batch + 1)
        if batch % parts == 0 and math.ceil(batch / parts / len(machine.gpus)) <= fits
    )
