"""The error budget: what a network would gain if one of its heads were perfect."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping

from centernet.detectors.detector import Detector
from centernet.tasks.oracle import Oracle, oracles_for

Perfect = tuple[str, ...]  # names of oracles: which heads are perfect


def error_budget(detector: Detector, measure: Callable[[Detector], float]) -> dict[Perfect, float]:
    """What `measure` gives for the network as it is, for each perfect head, and for all of them.

    `measure` tests with a detector; it is called for the network as it is last, so that the files
    it leaves behind are those of the network.
    """
    single: list[Perfect] = [(name,) for name in oracles_for(detector.task)]
    everything = tuple(name for (name,) in single)
    figures: dict[Perfect, float] = {}
    for perfect in (everything, *single, ()):
        oracle = Oracle(detector.task, perfect) if perfect else None
        figures[perfect] = measure(detector.with_oracle(oracle))
    return {perfect: figures[perfect] for perfect in ((), *single, everything)}


def budget_lines(budget: Mapping[Perfect, float], metric: str) -> Iterable[str]:
    """The budget as a table to read: one line each, with the gain over the network itself."""
    yield f"{'perfect':<12}{metric:>8}{'gain':>8}"
    plain = budget[()]
    for perfect, figure in budget.items():
        name = "nothing" if not perfect else perfect[0] if len(perfect) == 1 else "everything"
        gain = f"{figure - plain:+8.3f}" if perfect else ""
        yield f"{name:<12}{figure:8.3f}{gain}"
