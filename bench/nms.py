"""Soft-NMS beside the Cython of 2019: `python bench/nms.py`.

One thread, CPU time, both sides in turn in one process; equal results are asserted before timing.
The goals, 8 times at 100 boxes and 3 times at 2000, are for the Gaussian method, which is the one
that detectors merge scales with; the other methods and the numba form are printed beside it.
"""

from __future__ import annotations

import statistics
import sys
import time
from collections.abc import Callable
from typing import Any

import numpy as np
from baselines.build import build

from centernet.external import nms, nms_numba

GOALS = {100: 8.0, 2000: 3.0}
CROWDS = {100: 250, 500: 15, 2000: 2}  # different ones a timing, or branches are learnt by heart
ROUNDS = 11
METHODS = ("hard", "linear", "Gaussian")
SPAN = 250.0  # pixels; boxes of 10 to 150 pixels, so that about a quarter of all pairs overlap
LIMIT = 0.5

Suppress = Callable[[np.ndarray, int], Any]


def crowd(count: int, seed: int = 0) -> np.ndarray:
    """(count, 5) float32 boxes with scores, all in one picture."""
    random = np.random.default_rng(seed)
    corner = random.uniform(0, SPAN, (count, 2))
    size = random.uniform(10, 150, (count, 2))
    scores = random.uniform(0.01, 1, (count, 1))
    return np.concatenate([corner, corner + size, scores], axis=1).astype(np.float32)


def once(suppress: Suppress, crowds: list[np.ndarray], method: int) -> float:
    """CPU milliseconds a crowd; each is suppressed in a copy made before the clock starts."""
    copies = [boxes.copy() for boxes in crowds]
    start = time.process_time_ns()
    for boxes in copies:
        suppress(boxes, method)
    return (time.process_time_ns() - start) / 1e6 / len(crowds)


def main() -> int:
    baseline = build("soft_nms").soft_nms

    def rival(boxes: np.ndarray, method: int) -> Any:
        return baseline(boxes, 0.5, LIMIT, 0.001, method)

    def ours(boxes: np.ndarray, method: int) -> Any:
        return nms.soft_nms(boxes, 0.5, LIMIT, 0.001, method)

    def by_numba(boxes: np.ndarray, method: int) -> Any:
        return nms_numba.soft(boxes, 0.5, LIMIT, 0.001, method, False, 0.0, False)

    print(f"soft-NMS, `{nms.BACKEND}` form; CPU milliseconds, least of the rounds a crowd\n")
    print("| boxes | method | 2019 | here | numba | ratio | median | goal |")
    print("|---|---|---|---|---|---|---|---|")
    missed = 0
    for count, many in CROWDS.items():
        crowds = [crowd(count, seed) for seed in range(many)]
        for method, name in enumerate(METHODS):
            for boxes in crowds:
                expected, got = boxes.copy(), boxes.copy()
                kept = len(rival(expected, method))
                assert kept == len(ours(got, method))
                np.testing.assert_allclose(got[:kept], expected[:kept], rtol=1e-5)
            sides = (rival, ours, by_numba)
            times = np.array([[once(s, crowds, method) for s in sides] for _ in range(ROUNDS)])
            least = times.min(axis=0)
            ratio, median = least[0] / least[1], statistics.median(times[:, 0] / times[:, 1])
            goal = GOALS.get(count) if name == "Gaussian" else None
            missed += goal is not None and min(ratio, median) < goal
            cells = [*(f"{t:.3f}" for t in least), f"{ratio:.1f}", f"{median:.1f}", goal or ""]
            print(f"| {count} | {name} | {' | '.join(map(str, cells))} |")
    return int(missed > 0)


if __name__ == "__main__":
    sys.exit(main())
