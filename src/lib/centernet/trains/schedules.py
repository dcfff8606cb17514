"""Learning rates over a run, as functions of the epochs that have passed.

A schedule depends on nothing but the time, so that a resumed run needs no state of it. Time is a
fraction of epochs, so that warm-up and cosine move with every step and a schedule means the same
whatever the number of images.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass

Schedule = Callable[[float], float]  # epochs passed since the start -> learning rate


@dataclass(frozen=True)
class MultiStep:
    """`base`, multiplied by `factor` when each number of epochs in `steps` is over."""

    base: float
    steps: tuple[int, ...] = (90, 120)
    factor: float = 0.1

    def __call__(self, passed: float) -> float:
        return self.base * self.factor ** sum(step <= passed for step in self.steps)


@dataclass(frozen=True)
class Cosine:
    """`base` for `flat` of all `epochs`, then half a cosine down to `floor` times `base`.

    With `flat` 0 the schedule of Loshchilov and Hutter (SGDR, arXiv 1608.03983) without restarts;
    with more the flat-cosine schedule that RTMDet uses (arXiv 2212.07784).
    """

    base: float
    epochs: float
    flat: float = 0.0
    floor: float = 0.0

    def __call__(self, passed: float) -> float:
        start = self.flat * self.epochs
        part = min(max((passed - start) / max(self.epochs - start, 1e-9), 0.0), 1.0)
        low = self.floor * self.base
        return low + (self.base - low) * (1 + math.cos(math.pi * part)) / 2


@dataclass(frozen=True)
class Warmup:
    """`schedule`, scaled up linearly from `start` to 1 over the first `epochs`.

    After Goyal et al., arXiv 1706.02677, section 2.2.
    """

    schedule: Schedule
    epochs: float
    start: float = 0.0

    def __call__(self, passed: float) -> float:
        if passed >= self.epochs:
            return self.schedule(passed)
        return self.schedule(passed) * (self.start + (1 - self.start) * passed / self.epochs)
