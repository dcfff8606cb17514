"""From a line of a script to the command that runs here and now."""

from __future__ import annotations

import shlex
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from centernet.io.run_folder import OPTIONS, RunFolder
from centernet.options.layers import parse
from centernet.options.parser import Parser
from centernet.options.saved import written
from centernet.options.verbs import VERBS
from centernet.runs.experiments.machine import Machine, accumulation, at_hand
from centernet.runs.experiments.sameness import differences, relevant_flags, relevant_options
from centernet.runs.experiments.script import Line, Script, read_line, read_script
from centernet.runtime.errors import UserError


@dataclass(frozen=True)
class Command:
    """What to run: `words` after main.py or test.py. `notes` are lines to tell before.

    `awaited` says that the checkpoint to test is written by a training of the same script.
    """

    verb: str
    words: tuple[str, ...]
    notes: tuple[str, ...] = ()
    awaited: bool = False

    def __str__(self) -> str:
        return shlex.join(("python", VERBS[self.verb].program, *self.words))


def command_of(argv: Sequence[str], root: Path) -> Command:
    """The command for `SCRIPT VERB WORDS ... -- EXTRA ...`, as the scripts say it."""
    if "--" not in argv or len(argv) < 3:
        raise UserError("is called by the scripts of experiments/: bash experiments/NAME.sh")
    cut = argv.index("--")
    script = read_script(argv[0])
    return fitted(script, read_line(script.path, argv[1:cut]), argv[cut + 1 :], root)


def fitted(
    script: Script,
    line: Line,
    extra: Sequence[str],
    root: Path,
    machine: Machine | None = None,
) -> Command:
    """`line` with the user's `extra` flags, on the devices of `machine` (by default all here).

    The user's flags win. --load_model is where training starts and does not touch the tests.
    """
    task, more = Parser(VERBS[line.verb], script.path.name).read(extra)
    if task is not None:
        raise UserError(f"{script.path.name} is of task {line.task}: leave out {task}")
    if line.verb == "train":
        return _training(script, line, more, root, machine)
    return _test(script, line, more, root)


def _training(
    script: Script, line: Line, more: Mapping[str, Any], root: Path, machine: Machine | None
) -> Command:
    machine = at_hand(more.get("gpus")) if machine is None else machine
    given = dict(line.given)
    given |= {**_share(script, line, more, machine), **more} | {"gpus": machine.gpus}
    notes = [_told(script, line, given, machine)]
    folder = _folder(given, line.task, root)
    if folder.last.exists():
        given.pop("load_model", None)
        given["resume"] = True
        _check_same(line.task, given, folder, root)
    return Command(line.verb, words_of(line.task, given), tuple(notes))


def _share(script: Script, line: Line, more: Mapping[str, Any], machine: Machine) -> dict[str, Any]:
    """Batch, accumulation and learning rate: the step of the script unless the user sets it."""
    whole = line.given["batch_size"]
    parts = more.get("accumulate")
    if parts is None:
        fixed = "batch_size" in more
        parts = 1 if fixed else accumulation(whole, script.published_devices, machine)
    size = more.get("batch_size", max(1, whole // max(1, parts)))  # main.py refuses 0 parts
    return {
        "batch_size": size,
        "accumulate": parts,
        "lr": line.given["lr"] * size * parts / whole,
    }


def _told(script: Script, line: Line, given: Mapping[str, Any], machine: Machine) -> str:
    return (
        f"{script.name} on {machine}: batch {given['batch_size']} x {given['accumulate']}, learning"
        f" rate {given['lr']:g}; published: batch {script.facts['batch']}, learning rate"
        f" {line.given['lr']:g}"
    )


def _check_same(task: str, given: Mapping[str, Any], folder: RunFolder, root: Path) -> None:
    """Raise UserError where the run to be resumed is another experiment than these flags are."""
    try:
        had = relevant_flags(folder.options(), task, "train")
    except UserError as error:
        raise UserError(f"{error}; move {folder.path} away") from error
    except (KeyError, ValueError, TypeError, AttributeError) as error:
        path = folder.file(OPTIONS)
        raise UserError(f"{path}: cannot be read ({error}); move {folder.path} away") from error
    fresh = {name: value for name, value in given.items() if name != "resume"}
    wanted = relevant_options(parse(VERBS["train"], words_of(task, fresh), root))
    wanted.pop("num_epochs")  # a finished run may be extended
    found = differences(wanted, had)
    if found:
        raise UserError(
            f"{folder.path} holds a run with {'; '.join(found)}: give the flags that it was started"
            " with, or --exp_id for a new one"
        )


def _test(script: Script, line: Line, more: Mapping[str, Any], root: Path) -> Command:
    silent = Parser(VERBS[line.verb]).silent(line.task)
    own = script.training is not None
    more = {
        name: value
        for name, value in more.items()
        if name not in silent and not (own and name == "load_model")
    }
    given = {**line.given, **more}
    awaited = own and not _folder(given, line.task, root).last.exists()
    return Command(line.verb, words_of(line.task, given), awaited=awaited)


def _folder(given: Mapping[str, Any], task: str, root: Path) -> RunFolder:
    return RunFolder(Path(given.get("root", root)) / "exp" / task / given["exp_id"])


def words_of(task: str, given: Mapping[str, Any]) -> tuple[str, ...]:
    """Values by flag as the command line that gives them."""
    words = [task]
    for name, value in given.items():
        if value is True:
            words.append(f"--{name}")
        elif value is not None and value is not False:
            words += [f"--{name}", written(value)]
    return tuple(words)
