"""The folder of a run, exp/<task>/<exp_id>: what each file in it is called, and how it is read."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import msgspec

from centernet.io.door import read_json
from centernet.runtime.errors import UserError

LAST, BEST = "model_last.pth", "model_best.pth"
OPTIONS, OPTIONS_TEXT = "opt.json", "opt.txt"
LOG, METRICS, EVENTS = "log.txt", "metrics.jsonl", "run.json"
EVALUATION, CLASSES = "evaluation.json", "classes.json"


MOST_EPOCHS = 10**9  # a row of another epoch is no row


class MetricsRow(msgspec.Struct):
    """What every row of metrics.jsonl begins with; its metrics follow."""

    epoch: int
    phase: str


class Event(msgspec.Struct):
    """What happened to a run: the parts whose types matter to those who read it."""

    event: str
    time: str = ""
    seal: str = ""
    hardware: str = ""
    command: list[str] = []
    epoch: int | None = None
    after_epoch: int | None = None
    flags: dict[str, Any] | None = None
    weights: dict[str, Any] | None = None
    results: dict[str, Any] | None = None
    metrics: dict[str, Any] | None = None


class RunFolder:
    """The files of one run at `path`; what it does not hold yet is read as empty.

    The readers raise UserError, which names the file, where one is damaged.
    """

    def __init__(self, path: str | Path) -> None:
        self.path = Path(path)

    @property
    def last(self) -> Path:
        """The checkpoint of the last finished epoch, from which --resume goes on."""
        return self.path / LAST

    @property
    def best(self) -> Path:
        """The checkpoint of the best validation."""
        return self.path / BEST

    @property
    def debug(self) -> Path:
        """Folder of the drawings of --debug."""
        return self.path / "debug"

    @property
    def results(self) -> Path:
        """Folder of the demo's results."""
        return self.path / "results"

    @property
    def findings(self) -> Path:
        """What the last test found, for the page; its images lie beside it."""
        return self.path / "report" / "findings.json"

    @property
    def page(self) -> Path:
        """The page of the run."""
        return self.path / "report.html"

    def log(self) -> list[str]:
        """The lines of log.txt, each with its time."""
        path = self.path / LOG
        return (
            path.read_text(encoding="utf-8", errors="replace").splitlines() if path.exists() else []
        )

    def found(self) -> dict[str, Any]:
        """The content of `findings`; {} before a test."""
        return _mapping(self.findings, _json(self.findings)) if self.findings.exists() else {}

    def checkpoint(self, epoch: int) -> Path:
        """The checkpoint that is kept of an epoch."""
        return self.path / f"model_{epoch}.pth"

    def file(self, name: str) -> Path:
        """The path of one of the files named above, or of a results file of a data set."""
        return self.path / name

    def options(self) -> dict[str, Any]:
        """The flags that the training began with, as plain values; {} where none are saved."""
        path = self.path / OPTIONS
        return _mapping(path, _json(path)) if path.exists() else {}

    def metrics(self) -> list[dict[str, Any]]:
        """The rows of metrics.jsonl; lines that a kill cut off are left out."""
        path = self.path / METRICS
        if not path.exists():
            return []
        return list(_rows(path))

    def events(self) -> list[dict[str, Any]]:
        """What happened to the run, oldest first (see `runs.provenance`)."""
        path = self.path / EVENTS
        if not path.exists():
            return []
        events = _mapping(path, _json(path)).get("events")
        if not isinstance(events, list) or not all(isinstance(event, dict) for event in events):
            raise UserError(f"{path}: not a list of events")
        for number, event in enumerate(events, 1):
            try:
                msgspec.convert(event, Event)
            except (msgspec.ValidationError, RecursionError) as error:
                raise UserError(f"{path}: event {number}: {str(error).lower()}") from None
        return events

    def evaluation(self) -> dict[str, Any]:
        """Metrics, figures of each class and curves of the last test; {} before one."""
        path = self.path / EVALUATION
        return _mapping(path, _json(path)) if path.exists() else {}

    def detections(self, name: str) -> Any:
        """What the results file `name` of a data set holds; None where there is none."""
        path = self.path / name
        return _json(path) if path.exists() else None

    def set_aside(self, log: Callable[[str], None]) -> RunFolder | None:
        """Keep a run that has come to a checkpoint under a number, so that another can begin here.

        The folder's new place, told through `log`; None where there is nothing to keep.
        """
        if not self.last.exists():
            return None
        number = 1
        while (place := self.path.with_name(f"{self.path.name}.{number}")).exists():
            number += 1
        epochs = max((row["epoch"] for row in self.metrics()), default=0)
        self.path.rename(place)
        log(
            f"{self.path} held a run of {epochs} epochs, which is now {place}; --resume would have"
            " gone on with it"
        )
        return RunFolder(place)


def _json(path: Path) -> Any:
    try:
        return read_json(path)
    except UserError as error:
        why = str(error).removeprefix(f"{path}: ")
        raise UserError(f"{path}: cannot be read ({why})") from None


def _mapping(path: Path, value: Any) -> dict[str, Any]:
    if not isinstance(value, dict):
        raise UserError(f"{path}: cannot be read (it holds no names with values)")
    return dict(value)


def _rows(path: Path) -> Iterator[dict[str, Any]]:
    """The rows that have an epoch and a phase; others are those that a kill cut off."""
    for line in path.read_bytes().splitlines():
        try:
            head = msgspec.json.decode(line, type=MetricsRow)
            row = msgspec.json.decode(line)
        except (ValueError, RecursionError):  # msgspec's errors are ValueErrors
            continue
        if abs(head.epoch) <= MOST_EPOCHS:
            yield row
