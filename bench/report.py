"""Rows of results: what was compared, the ratio, the goal, and the table of them."""

from __future__ import annotations

import sys
from dataclasses import dataclass
from pathlib import Path

from timer import Ratio, Rounds

if sys.version_info >= (3, 11):
    import tomllib
else:
    import tomli as tomllib  # pytest brings it

GOALS = tomllib.loads((Path(__file__).parent / "goals.toml").read_text(encoding="utf-8"))
HEAD = "| case | rival, {0} | here, {0} | ratio (median) | goal | of the ceiling | |"
UNITS = {"memory": "MB"}  # of the suites that do not measure milliseconds


@dataclass(frozen=True)
class Row:
    """One comparison; `share` is the part of the machine's own ceiling that was reached."""

    suite: str
    case: str
    slow: str
    fast: str
    times: tuple[float, float]  # or sizes, see UNITS
    ratio: Ratio
    share: float | None = None

    @property
    def goal(self) -> dict[str, float]:
        """at_least and at_most of goals.toml, where there are any."""
        return GOALS.get(self.suite, {}).get(f"{self.case}, {self.slow} / {self.fast}", {})

    @property
    def verdict(self) -> str:
        """'met' if both ratios meet the goal, 'missed' if neither does; nothing without a goal.

        'unsteady' if they lie too far apart to tell.
        """
        if not self.goal:
            return ""
        low, high = self.goal.get("at_least", 0.0), self.goal.get("at_most", float("inf"))
        meets = [low <= ratio <= high for ratio in (self.ratio.of_minima, self.ratio.median)]
        if all(meets):
            return "met"
        return "missed" if self.ratio.steady or not any(meets) else "unsteady"

    def __str__(self) -> str:
        goal = ", ".join(f"{k.replace('_', ' ')} {v:g}" for k, v in self.goal.items())
        share = "" if self.share is None else f"{self.share:.0%}"
        times = f"{self.slow} {self.times[0]:.3g} | {self.fast} {self.times[1]:.3g}"
        return f"| {self.case} | {times} | {self.ratio} | {goal} | {share} | {self.verdict} |"


def row(
    suite: str, case: str, rounds: Rounds, slow: str, fast: str, share: float | None = None
) -> Row:
    """The row of one pair of sides."""
    times = rounds.least(slow), rounds.least(fast)
    return Row(suite, case, slow, fast, times, rounds.ratio(slow, fast), share)


def table(rows: list[Row]) -> str:
    """Markdown, one table a suite."""
    lines: list[str] = []
    for suite in dict.fromkeys(row.suite for row in rows):
        head = HEAD.format(UNITS.get(suite, "ms"))
        lines += ["", f"## {suite}", "", head, "|---" * 7 + "|"]
        lines += [str(row) for row in rows if row.suite == suite]
    return "\n".join(lines)
