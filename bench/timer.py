"""Comparing ways of doing one thing on a machine that others use too.

The sides run in turn, round by round, in one process, so that whatever slows the machine slows them
all; each round begins with another side. With one thread the clock counts the CPU time of this
process, which other programs hardly touch; with several it must be the wall clock, and then only
the least time means anything.

Caches are warm for every side. What takes less than a millisecond would spend part of it on what
the side before left in the caches, more or less of it by the round: such a side is called once
unmeasured before each measurement, and then so often that a measurement lasts a millisecond.
"""

from __future__ import annotations

import math
import platform
import statistics
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass

import torch

from centernet.runtime.processor import processor_name

SPAN = 1.0  # milliseconds that a measurement lasts at least
STEADY = 0.15  # how far ratio of minima and median of ratios may lie apart


@dataclass(frozen=True)
class Ratio:
    """How many times slower one side is than another, in two ways that should agree."""

    of_minima: float
    median: float  # of the rounds' own ratios

    @property
    def steady(self) -> bool:
        """Whether the measurement can be believed, fast or slow."""
        return abs(self.of_minima / self.median - 1) <= STEADY

    def __str__(self) -> str:
        return f"{self.of_minima:.2f} ({self.median:.2f}{'' if self.steady else ' unsteady'})"


@dataclass(frozen=True)
class Rounds:
    """Milliseconds a round for each side."""

    times: Mapping[str, list[float]]

    def least(self, side: str) -> float:
        """Milliseconds of the side's fastest round."""
        return min(self.times[side])

    def ratio(self, slow: str, fast: str) -> Ratio:
        """Time of side `slow` over time of side `fast`."""
        rounds = zip(self.times[slow], self.times[fast], strict=True)
        return Ratio(
            self.least(slow) / self.least(fast), statistics.median(a / b for a, b in rounds)
        )

    def __mul__(self, count: int) -> Rounds:
        """The time of doing it `count` times."""
        return Rounds({side: [t * count for t in times] for side, times in self.times.items()})

    def __add__(self, other: Rounds) -> Rounds:
        """The time of doing both; round is added to round."""
        return Rounds(
            {
                side: [a + b for a, b in zip(times, other.times[side], strict=True)]
                for side, times in self.times.items()
            }
        )


def compare(sides: Mapping[str, Callable[[], object]], rounds: int = 9, warm_up: int = 2) -> Rounds:
    """Run the sides in turn, `warm_up` rounds unmeasured and `rounds` (at least 7) measured.

    One thread is timed by CPU time, several (torch.set_num_threads) by the wall clock. Times are of
    one call, the mean of several for a side whose warm-up took less than SPAN.
    """
    if rounds < 7:
        raise ValueError(f"{rounds} rounds are too few to tell noise from difference; at least 7")
    clock = time.process_time_ns if torch.get_num_threads() == 1 else time.perf_counter_ns

    def measure(work: Callable[[], object], calls: int) -> float:
        if calls > 1:
            work()
        start = clock()
        for _ in range(calls):
            work()
        return (clock() - start) / 1e6 / calls

    times: dict[str, list[float]] = {side: [] for side in sides}
    calls = dict.fromkeys(sides, 1)
    order = list(sides)
    for number in range(warm_up + rounds):
        turn = number % len(order)  # each side follows each other's caches equally often
        for side in order[turn:] + order[:turn]:
            elapsed = measure(sides[side], calls[side])
            if number >= warm_up:
                times[side].append(elapsed)
            else:
                calls[side] = math.ceil(SPAN / elapsed)
    return Rounds(times)


@dataclass(frozen=True)
class Ceilings:
    """What this machine reaches at best with the threads in use."""

    float32: float  # GFLOP/s of a 2048-cubed matrix product
    bfloat16: float  # of a 512-cubed one: processors without the instructions take minutes else
    copy: float  # GB/s read plus written, arrays beyond the caches

    def __str__(self) -> str:
        return (
            f"ceilings: matrix product {self.float32:.0f} GFLOP/s float32, "
            f"{self.bfloat16:.0f} bfloat16; copy {self.copy:.1f} GB/s"
        )


def ceilings() -> Ceilings:
    """Measure them (a few seconds)."""
    a = torch.randn(2048, 2048)
    low = a[:512, :512].bfloat16()
    source = torch.zeros(64 << 20)
    target = torch.empty_like(source)
    rounds = compare(
        {
            "float32": lambda: a @ a,
            "bfloat16": lambda: low @ low,
            "copy": lambda: target.copy_(source),
        },
        rounds=7,
        warm_up=1,
    )
    return Ceilings(
        2 * len(a) ** 3 / 1e6 / rounds.least("float32"),
        2 * len(low) ** 3 / 1e6 / rounds.least("bfloat16"),
        2 * source.numel() * 4 / 1e6 / rounds.least("copy"),
    )


def machine() -> str:
    """One line: processor, threads, clock and versions."""
    threads = torch.get_num_threads()
    clock = "CPU time" if threads == 1 else "wall time"
    name = processor_name()
    return (
        f"{name}, {torch.backends.cpu.get_cpu_capability()}, {threads} thread(s), {clock}, "
        f"torch {torch.__version__}, Python {platform.python_version()}"
    )
