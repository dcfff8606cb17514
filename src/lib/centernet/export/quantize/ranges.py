"""Ranges of activations from what was seen of them: min-max, percentile, Kullback-Leibler.

The divergence is that of Migacz, "8-bit Inference with TensorRT" (GTC 2017), in 2048 bins of the
magnitude. The bin of the zeros is left out: half of what a ReLU gives is exactly 0, which 8 bits
hold exactly, and a divergence with it cares for nothing else.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

BINS = 2048
PERCENTILE = 99.999
STEP = 8  # bins between two thresholds that are tried


@dataclass
class Seen:
    """Of one tensor the extremes and, once they are known, a histogram of its magnitudes."""

    low: float = np.inf
    high: float = -np.inf
    counts: NDArray[np.int64] = field(default_factory=lambda: np.zeros(BINS, np.int64))

    @property
    def most(self) -> float:
        """The largest magnitude."""
        return max(abs(self.low), abs(self.high))

    def stretch(self, values: NDArray[np.float32]) -> None:
        """The first pass."""
        self.low = min(self.low, float(values.min()))
        self.high = max(self.high, float(values.max()))

    def count(self, values: NDArray[np.float32]) -> None:
        """The second pass."""
        most = self.most or 1.0
        self.counts += np.histogram(np.abs(values), BINS, (0.0, most))[0]

    def within(self, threshold: float) -> tuple[float, float]:
        """The extremes, cut at `threshold` to both sides; 0 is always among them."""
        return min(0.0, max(self.low, -threshold)), max(0.0, min(self.high, threshold))


def minmax(seen: Seen) -> tuple[float, float]:
    """All that was seen."""
    return seen.within(seen.most)


def percentile(seen: Seen, part: float = PERCENTILE) -> tuple[float, float]:
    """Without the largest magnitudes, all but `part` per cent."""
    total = np.cumsum(seen.counts)
    last = int(np.searchsorted(total, total[-1] * part / 100))
    return seen.within((min(last, BINS - 1) + 1) / BINS * seen.most)


def kl(seen: Seen) -> tuple[float, float]:
    """The threshold at which 8 bits tell least wrong how the magnitudes are distributed.

    One-sided values (after a ReLU) have all 256 levels, others half of them to each side.
    """
    counts = seen.counts.astype(np.float64)
    counts[0] = 0
    if not counts.any():
        return minmax(seen)
    levels = 256 if seen.low >= 0 else 128
    edges = [*range(levels, BINS, STEP), BINS]
    divergences = [divergence(counts, edge, levels) for edge in edges]
    return seen.within(edges[int(np.argmin(divergences))] / BINS * seen.most)


def divergence(counts: NDArray[np.float64], edge: int, levels: int) -> float:
    """KL(p || q): p the `counts` cut at bin `edge`, q the same rounded to `levels` levels."""
    inside = counts[:edge]
    p = inside.copy()
    p[-1] += counts[edge:].sum()
    starts = np.arange(levels) * edge // levels
    filled = (inside > 0).astype(np.float64)
    sums, sizes = np.add.reduceat(inside, starts), np.add.reduceat(filled, starts)
    mean = np.divide(sums, sizes, out=np.zeros_like(sums), where=sizes > 0)
    q = np.repeat(mean, np.diff([*starts, edge])) * filled
    p, q = p / p.sum(), q / max(q.sum(), 1e-30)
    some = p > 0
    return float((p[some] * np.log(p[some] / np.maximum(q[some], 1e-10))).sum())


CALIBRATIONS: Mapping[str, Callable[[Seen], tuple[float, float]]] = {
    "minmax": minmax,
    "percentile": percentile,
    "kl": kl,
}
