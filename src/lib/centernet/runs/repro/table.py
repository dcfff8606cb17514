"""The table: one row for each published figure, and for each test without one."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from centernet.runs.experiments.script import Figure, Line, Script
from centernet.runs.provenance import Event, commit_here
from centernet.runs.repro.finding import NoFigure, Run

WITHIN, OUTSIDE, ALONE = "within the band", "outside the band", "measured, none published"
NOT_RUN, SUSPECT = "not run", "not trusted"
COLOURS = {WITHIN: "green", OUTSIDE: "red", SUSPECT: "red", ALONE: "plain", NOT_RUN: "plain"}


@dataclass(frozen=True)
class Training:
    """Where a part of a training ran, and how it was started."""

    commit: str | None
    changed: bool  # as in Origin
    elsewhere: bool
    hardware: str
    command: str

    @classmethod
    def of(cls, event: Event, commit: str | None) -> Training:
        return cls(
            event["commit"],
            event["changed"],
            event["commit"] != commit,
            event["hardware"],
            " ".join(event["command"]),
        )

    def __str__(self) -> str:
        commit = _told(self.commit, self.changed, self.elsewhere)
        return f"{commit}; {self.hardware}; {self.command}"


@dataclass(frozen=True)
class Origin:
    """Where a measured figure comes from: its test, and the training of the weights."""

    time: str
    commit: str | None
    changed: bool  # the code differed from that commit
    elsewhere: bool  # the commit is another than the one that made the table
    version: str
    torch: str
    hardware: str
    weights: str  # SHA-256
    command: str
    trained: tuple[Training, ...]  # the parts of the training, oldest first

    @classmethod
    def of(cls, event: Event, trainings: Iterable[Event], commit: str | None) -> Origin:
        return cls(
            event["time"],
            event["commit"],
            event["changed"],
            event["commit"] != commit,
            event["version"],
            event["torch"],
            event["hardware"],
            event["weights"]["sha256"],
            " ".join(event["command"]),
            tuple(Training.of(start, commit) for start in trainings),
        )

    def __str__(self) -> str:
        commit = _told(self.commit, self.changed, self.elsewhere)
        text = f"{commit}; weights {self.weights[:10]}; {self.hardware}; {self.command}"
        parts = dict.fromkeys(str(part) for part in self.trained)
        return f"{text}; trained: {', then '.join(parts)}" if parts else text


@dataclass(frozen=True)
class Row:
    """A figure in percent, expected and measured; None where there is none."""

    script: str
    mode: str
    metric: str
    expected: float | None
    band: float | None
    measured: float | None
    status: str
    reason: str = ""
    origin: Origin | None = None

    @property
    def difference(self) -> float | None:
        """Measured less expected."""
        if self.measured is None or self.expected is None:
            return None
        return self.measured - self.expected

    @property
    def colour(self) -> str:
        return COLOURS[self.status]

    def as_dict(self) -> dict[str, Any]:
        return {**asdict(self), "difference": self.difference, "colour": self.colour}


def rows_of(scripts: Iterable[Script], root: Path) -> list[Row]:
    """The rows of `scripts`, whose runs lie under `root`/exp."""
    commit, _ = commit_here()
    return [
        row
        for script in scripts
        for run in [Run(script, root)]
        for line in script.tests
        for row in _rows(script, run, line, commit)
    ]


def _rows(script: Script, run: Run, line: Line, commit: str | None) -> Iterator[Row]:
    figures = script.expected.get(line.mode, ())
    try:
        event = run.tested(line)
    except NoFigure as why:
        status = SUSPECT if why.suspect else NOT_RUN
        for figure in figures:
            yield Row(script.name, line.mode, figure.metric, figure.value, figure.band, None,
                      status, str(why))  # fmt: skip
        if not figures:
            yield Row(script.name, line.mode, "", None, None, None, status, str(why))
        return
    origin = Origin.of(event, run.trainings if script.training else (), commit)
    for figure in figures:
        yield _compared(script, line, figure, event, origin)
    if not figures:
        metric = next(iter(event["metrics"]))  # the one that the data set is evaluated by
        yield Row(script.name, line.mode, metric, None, None, _percent(event, metric), ALONE,
                  origin=origin)  # fmt: skip


def _compared(script: Script, line: Line, figure: Figure, event: Event, origin: Origin) -> Row:
    measured = _percent(event, figure.metric)
    if measured is None:
        return Row(script.name, line.mode, figure.metric, figure.value, figure.band, None, NOT_RUN,
                   f"the test gave no {figure.metric}")  # fmt: skip
    # Compared with the one decimal that is published.
    within = abs(round(measured, 1) - figure.value) <= figure.band + 1e-9
    return Row(script.name, line.mode, figure.metric, figure.value, figure.band, measured,
               WITHIN if within else OUTSIDE, origin=origin)  # fmt: skip


def _told(commit: str | None, changed: bool, elsewhere: bool) -> str:
    text = "no commit" if commit is None else commit[:10]
    return text + (", changed" if changed else "") + (", not this one" if elsewhere else "")


def _percent(event: Event, metric: str) -> float | None:
    value = event["metrics"].get(metric)
    return None if value is None else 100 * value
