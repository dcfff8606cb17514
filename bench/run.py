"""Run suites of comparisons: `python bench/run.py [suite ...] [--short] [--write]`.

A suite is a module of this folder with `rows(short, ceilings)`, which asserts that both sides agree
and then yields `report.Row`s. Exit code 1 where a goal of goals.toml is missed, 3 where the times
are too unsteady to tell.
"""

from __future__ import annotations

import argparse
import importlib
import sys
import time
from collections.abc import Callable, Iterator
from datetime import date
from pathlib import Path

import torch
from report import Row, table
from timer import Ceilings, ceilings, machine

HERE = Path(__file__).resolve().parent
NOTE = HERE.parent / "docs" / "performance.md"
# Suite -> module. "gpu" is not among them: it needs one, and runs by itself.
SUITES = {
    "dcn": "dcn",
    "model": "model",
    "decode": "decode",
    "data": "data",
    "train": "train",
    "compile": "compiled",
    "eval": "evaluation",
    "memory": "memory",
}
Suite = Callable[[bool, Ceilings], Iterator[Row]]


def available() -> dict[str, Suite]:
    """The suites whose module is here and has `rows`."""
    found = {}
    for name, module in SUITES.items():
        if (HERE / f"{module}.py").is_file():
            rows = getattr(importlib.import_module(module), "rows", None)
            if rows is not None:
                found[name] = rows
    return found


def note(rows: list[Row], about: list[str], command: str) -> str:
    """The Markdown page of the results."""
    lines = [
        "# Performance",
        "",
        f"Measured on {date.today().isoformat()} by `{command}`.",
        "",
        *(f"- {line}" for line in about),
        "",
        "Ratios are of the least times of interleaved rounds in one process, in brackets the",
        "median of the rounds' own ratios; results were compared before anything was timed.",
        "Goals stand in `bench/goals.toml`; one is met where both ratios meet it.",
        "[Memory](memory.md) has a page of its own.",
    ]
    return "\n".join(lines) + "\n" + table(rows) + "\n"


def main() -> int:
    suites = available()
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("suite", nargs="*", help=f"{', '.join(suites)}; all of them by default")
    parser.add_argument("--short", action="store_true", help="fewer cases, under 90 seconds in all")
    parser.add_argument("--threads", type=int, default=1, help="more than 1: wall time")
    parser.add_argument("--write", action="store_true", help=f"write {NOTE.name}")
    options = parser.parse_args()
    if unknown := set(options.suite) - set(suites):
        parser.error(f"no suite {', '.join(sorted(unknown))}; there are {', '.join(suites)}")
    torch.set_num_threads(options.threads)
    limits = ceilings()
    about = [machine(), str(limits)]
    print(*about, sep="\n", flush=True)
    rows: list[Row] = []
    for name in options.suite or suites:
        start = time.perf_counter()
        for row in suites[name](options.short, limits):
            rows.append(row)
            print(name, row, flush=True)
        print(f"{name}: {time.perf_counter() - start:.0f} s", flush=True)
        if options.write:  # after each, as a long run may be ended
            command = " ".join(["python", "bench/run.py", *sys.argv[1:]])
            NOTE.write_text(note(rows, about, command), encoding="utf-8")
    verdicts = [row.verdict for row in rows]
    print(f"\n{verdicts.count('met')} goals met, {verdicts.count('missed')} missed")
    return 3 if "unsteady" in verdicts else int("missed" in verdicts)


if __name__ == "__main__":
    sys.exit(main())
