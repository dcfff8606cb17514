"""What training needs of a logger; `centernet.runs.logger.Logger` is one."""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import AbstractContextManager
from typing import Any, Protocol


class EpochProgress(Protocol):
    """Progress of one epoch."""

    @property
    def average(self) -> dict[str, float]: ...

    @property
    def seconds(self) -> float: ...

    def step(
        self,
        stats: Mapping[str, Any] | None = None,
        data_time: float = 0.0,
        net_time: float = 0.0,
        count: int = 1,
    ) -> None: ...


class RunLogger(Protocol):
    """What the trainer needs of a logger: lines, progress and metrics, all of them kept."""

    def epoch(
        self, phase: str, epoch: int | None, total: int
    ) -> AbstractContextManager[EpochProgress]: ...

    def write(self, line: str) -> None: ...

    def metrics(self, epoch: int, phase: str, values: Mapping[str, float]) -> None: ...

    def rewind(self, epoch: int) -> None: ...
