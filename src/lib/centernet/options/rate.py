"""The learning rate that fits a batch."""

from __future__ import annotations

BASE_RATE, BASE_BATCH = 1.25e-4, 32


def scaled_rate(batch: int, base: float = BASE_RATE, base_batch: int = BASE_BATCH) -> float:
    """The learning rate for `batch` images a step, in proportion to `base` at `base_batch`.

    Linear scaling after Goyal et al., arXiv 1706.02677; the published runs follow it (1.25e-4 at
    32, 5e-4 at 128).
    """
    return base * batch / base_batch
