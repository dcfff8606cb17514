"""What the folder of a run can vouch for: tests of its finished training, or why there are none.

A figure counts only with an unbroken record (see `provenance`) that it was measured with the flags
of the script, on the weights that a whole training with the flags of the script has left, and if
nothing that the record can be held against (opt.json, metrics.jsonl, the weights, the detections)
contradicts it.
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import cached_property
from pathlib import Path
from typing import Any

from centernet.io.files import digest_of
from centernet.io.run_folder import EVENTS, LAST, METRICS, OPTIONS, RunFolder
from centernet.models.zoo import ZOO
from centernet.options.layers import parse
from centernet.options.verbs import VERBS
from centernet.runs.experiments.launch import words_of
from centernet.runs.experiments.sameness import differences, relevant_flags, relevant_options
from centernet.runs.experiments.script import Line, Script
from centernet.runs.provenance import (
    ENDED,
    STARTED,
    TESTED,
    Event,
    broken_seal,
)
from centernet.runtime.errors import UserError

# What a test has of its training, not of itself: these are asked of the training alone.
_ASIDE = ("load_model", "resume")


class NoFigure(Exception):
    """Why there is no figure to print. `suspect`: something contradicts the record."""

    def __init__(self, reason: str, suspect: bool = False) -> None:
        super().__init__(reason)
        self.suspect = suspect


class Run:
    """The run of a script under `root`/exp, read once."""

    def __init__(self, script: Script, root: Path) -> None:
        self.script = script
        first = script.lines[0]
        self.place = Path("exp", first.task, first.given["exp_id"])
        self.folder = RunFolder(root / self.place)

    def tested(self, line: Line) -> Event:
        """The last test as `line` asks for it; NoFigure if none can be vouched for."""
        try:
            return self._tested(line)
        except OSError as error:  # a folder or a forbidden file where a file of the run should be
            raise NoFigure(f"{error.filename or self.place}: {error.strerror}", True) from error

    def _tested(self, line: Line) -> Event:
        end = self._ended
        asked: dict[str, Any] = {}
        for part in (self.script.training, line):
            asked |= part.given if part is not None else {}
        wanted = _wanted(line, asked)
        reasons = ["trained, but not tested" if end else "not tested"]
        for event in reversed(self._events):
            if event["event"] != TESTED:
                continue
            if end and event["weights"]["sha256"] != end["weights"]["sha256"]:
                reasons.append("tested on other weights than the training has left")
                continue
            if end and event["epoch"] != end["epoch"]:  # the file was replaced during the test
                reasons.append(f"tested after epoch {event['epoch']}, not {end['epoch']}")
                continue
            found = differences(wanted, relevant_flags(event["flags"], line.task, "test"))
            if found:
                reasons.append(f"tested otherwise: {'; '.join(found)}")
                continue
            images = self.script.tested_on
            if images is not None and event.get("images") != images:
                reasons.append(f"tested on {event.get('images')} images, not {images}")
                continue
            self._check(event)
            return event
        raise NoFigure(reasons[-1])

    @cached_property
    def _events(self) -> list[Event]:
        if not self.folder.path.is_dir():
            raise NoFigure(f"no run in {self.place}")
        try:
            events = self.folder.events()
            place = broken_seal(events)
        except (UserError, OSError, ValueError, KeyError, TypeError) as error:
            raise NoFigure(f"{EVENTS} cannot be read ({error})", suspect=True) from error
        if place is not None:
            raise NoFigure(f"{EVENTS} was changed by hand (event {place + 1})", suspect=True)
        if not events:
            raise NoFigure(f"no {EVENTS} in {self.place}")
        return events

    @cached_property
    def trainings(self) -> list[Event]:
        """The beginnings of the training that left the weights: one, and one of each resumption."""
        starts = [event for event in self._events if event["event"] == STARTED]
        fresh = [place for place, event in enumerate(starts) if event["after_epoch"] == 0]
        return starts[fresh[-1] :] if fresh else starts

    @cached_property
    def _ended(self) -> Event | None:
        """The end of the whole training; None for a script that does not train."""
        training = self.script.training
        if training is None:
            return None
        events = self._events
        if not self.trainings:
            raise NoFigure("not trained")
        first, last = self.trainings[0], self.trainings[-1]
        if last["flags"] != self._saved_options():
            raise NoFigure(f"{OPTIONS} is not what the training began with", suspect=True)
        # From the last beginning on, every part of the training must be as the script asks.
        wanted = _wanted(training, training.given)
        for event in self.trainings:
            found = differences(wanted, relevant_flags(event["flags"], training.task, "train"))
            if found:
                raise NoFigure(f"another experiment: {'; '.join(found)}")
        if first["after_epoch"] > 0:
            raise NoFigure(f"{EVENTS} does not tell of the first {first['after_epoch']} epochs")
        if not same_weights(training.given.get("load_model", ""), first["flags"]["load_model"]):
            raise NoFigure("another experiment: it did not start from the weights of the script")
        ends = [event for event in events[events.index(last) :] if event["event"] == ENDED]
        epochs = [row["epoch"] for row in self._metrics if row["phase"] == "train"]
        whole = wanted["num_epochs"]
        if not ends:
            reached = max(epochs, default=last["after_epoch"])
            raise NoFigure(f"training is not finished: epoch {reached} of {whole}")
        if sorted(set(epochs)) != list(range(1, whole + 1)):
            raise NoFigure(f"{METRICS} does not tell of every epoch", suspect=True)
        return ends[-1]

    def _check(self, event: Event) -> None:
        """Raise NoFigure where something in the folder contradicts a test."""
        if self._weights not in (None, event["weights"]["sha256"]):
            raise NoFigure(f"{LAST} is no longer what was tested", suspect=True)
        told = [row for row in self._metrics if row["phase"] == "test"]
        same = {"epoch": event["epoch"], "phase": "test", **event["metrics"]}
        if same not in told:
            raise NoFigure(f"{METRICS} does not tell the figures of {EVENTS}", suspect=True)
        results = self.folder.file(event["results"]["file"])
        latest = [e for e in self._events if e["event"] == TESTED][-1] is event
        # Each test writes over the detections of the one before: only the last can be compared.
        if latest and results.exists() and digest_of(results) != event["results"]["sha256"]:
            raise NoFigure(f"{results.name} is no longer what was evaluated", suspect=True)

    @cached_property
    def _weights(self) -> str | None:
        """Hash of what the training has left; None if it is gone, or was never trained here."""
        path = self.folder.last
        return digest_of(path) if self.script.training and path.exists() else None

    @cached_property
    def _metrics(self) -> list[dict[str, Any]]:
        return self.folder.metrics()

    def _saved_options(self) -> dict[str, Any] | None:
        try:
            saved = self.folder.options()
        except UserError:
            return None
        return {name: value for name, value in saved.items() if name != "command"}


def same_weights(asked: str, given: str) -> bool:
    """Whether --load_model `given` names the weights `asked`, by name or by their file's name."""
    if not asked or not given:
        return asked == given
    names = {asked, ZOO[asked].remote.name} if asked in ZOO else {asked}
    return given in names or Path(given).name in names


def _wanted(line: Line, given: Mapping[str, Any]) -> dict[str, Any]:
    """What bears on the figures of `line`, its flags being `given`."""
    flags = {name: value for name, value in given.items() if name not in _ASIDE}
    return relevant_options(parse(VERBS[line.verb], words_of(line.task, flags)))
