"""A script of experiments/: its header, which says what to expect, and the commands it runs.

The header is made of comment lines `#: name: value`. Each line `run train ...` or `run test ...`,
which a backslash may continue, is one command; the rest is shell that programs need not understand.
"""

from __future__ import annotations

import re
import shlex
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from centernet.options.parser import Parser
from centernet.options.verbs import VERBS
from centernet.runtime.errors import UserError

RUNS = ("train", "test")  # the commands that a script may run
MODES = ("none", "flip", "multi")  # how a test augments: not, mirrored, mirrored at several scales
_FIGURE = re.compile(r"(\S+) (-?[\d.]+)(?: \+- ([\d.]+))?")


@dataclass(frozen=True)
class Figure:
    """A published figure in percent; one measured within `band` of it counts as the same."""

    metric: str
    value: float
    band: float


@dataclass(frozen=True)
class Line:
    """One command: `given` are its flags by name, those of the script as they are written."""

    verb: str
    task: str
    given: Mapping[str, Any]

    @property
    def mode(self) -> str:
        """Which of MODES a test is."""
        if len(self.given.get("test_scales", (1.0,))) > 1:
            return "multi"
        return "flip" if self.given.get("flip_test") else "none"


@dataclass(frozen=True)
class Script:
    """A row of the results tables. `facts` are the header's free words by name."""

    path: Path
    title: str
    facts: Mapping[str, str]
    expected: Mapping[str, tuple[Figure, ...]]  # by mode of the test
    lines: tuple[Line, ...]

    @property
    def name(self) -> str:
        return self.path.stem

    @property
    def training(self) -> Line | None:
        """The command that trains; None where published weights are tested only."""
        return next((line for line in self.lines if line.verb == "train"), None)

    @property
    def tests(self) -> tuple[Line, ...]:
        return tuple(line for line in self.lines if line.verb == "test")

    @property
    def published_devices(self) -> tuple[int, float]:
        """(number of GPUs, memory of each in GB) that the published batch was trained on."""
        match = re.fullmatch(r"\d+ on (\d+) GPUs? of (\d+) GB", self.facts.get("batch", ""))
        if match is None:
            raise UserError(f"{self.path}: the header needs '#: batch: 128 on 8 GPUs of 12 GB'")
        return int(match[1]), float(match[2])

    @property
    def tested_on(self) -> int | None:
        """How many images the published tests had; None where the header does not say."""
        told = self.facts.get("tested on")
        if told is None:
            return None
        match = re.fullmatch(r"(\d+) images", told)
        if match is None:
            raise UserError(f"{self.path}: header 'tested on: {told}' is not '5000 images'")
        return int(match[1])


def read_script(path: str | Path) -> Script:
    """The script at `path`; UserError names what is wrong with it."""
    path = Path(path)
    try:
        text = path.read_text(encoding="utf-8")
    except OSError as error:
        raise UserError(f"{path}: cannot be read ({error.strerror})") from error
    rows = text.replace("\\\n", " ").splitlines()
    title = next((r[2:] for r in rows if re.match(r"# \S", r)), path.stem)
    facts = _header(path, rows)
    expected = {
        mode: _figures(path, facts.pop(f"expected {mode}"), facts.get("band", ""))
        for mode in MODES
        if f"expected {mode}" in facts
    }
    words = [shlex.split(row, comments=True) for row in rows if row.startswith("run ")]
    return Script(path, title, facts, expected, tuple(read_line(path, w[1:]) for w in words))


def read_scripts(folder: str | Path) -> list[Script]:
    """All scripts of a folder by name; what holds no `run` line is no script."""
    paths = sorted(Path(folder).glob("*.sh"))
    scripts = [script for script in map(read_script, paths) if script.lines]
    if not scripts:
        raise UserError(f"{Path(folder).absolute()}: no script of an experiment in this folder")
    return scripts


def read_line(path: Path, words: Sequence[str]) -> Line:
    """The words of a `run` line after `run`; UserError for a flag that does not exist."""
    if not words or words[0] not in RUNS:
        raise UserError(f"{path}: 'run {' '.join(words)}': runs {' or '.join(RUNS)}")
    verb = words[0]
    try:
        task, given = Parser(VERBS[verb]).read(words[1:])
    except UserError as error:
        raise UserError(f"{path}: {error}") from error
    if task is None:
        raise UserError(f"{path}: 'run {' '.join(words)}' names no task")
    return Line(verb, task, given)


def _header(path: Path, rows: Sequence[str]) -> dict[str, str]:
    """{name: value} of the lines `#: name: value`; a name that comes again adds to its list."""
    facts: dict[str, str] = {}
    for row in rows:
        if row.startswith("#:"):
            name, colon, value = (part.strip() for part in row[2:].partition(":"))
            if not colon or not value:
                raise UserError(f"{path}: header line {row!r} is not '#: name: value'")
            facts[name] = f"{facts[name]}, {value}" if name in facts else value
    return facts


def _figures(path: Path, text: str, band: str) -> tuple[Figure, ...]:
    """`AP 36.3, AP50 55 +- 1` as figures; those without a band of their own have `band`."""
    figures = []
    for part in text.split(","):
        match = _FIGURE.fullmatch(part.strip())
        if match is None or not (match[3] or band):
            raise UserError(
                f"{path}: header {part.strip()!r} is not 'METRIC VALUE', with a '#: band:' or"
                " '+- BAND'"
            )
        figures.append(Figure(match[1], float(match[2]), float(match[3] or band)))
    return tuple(figures)
