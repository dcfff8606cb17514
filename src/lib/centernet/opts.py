"""The options of a command: what was given, what the run remembers, what is published otherwise.

    opt = opts().parse(["ctdet", "--arch", "res_18"])            # as main.py reads it
    opt = opts().init("ctdet --load_model model.pth".split())    # to detect inside a program

Both return frozen `Options` with one attribute a flag.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

from centernet.options import groups, saved
from centernet.options.flag import flags_of
from centernet.options.options import SAVED, Options, common_flags
from centernet.options.parser import Parser
from centernet.runtime.errors import UserError
from centernet.tasks import TASKS
from centernet.trains.schedules import BASE_BATCH, BASE_RATE, scaled_rate

NEVER = 10**8  # epochs between validations where nothing is left to validate on
LAST = "model_last.pth"


class opts:
    """The parser of one command: verb "train", "test" or "demo", with folders beneath `root`.

    `task_of` tells the task of a checkpoint, for commands that name one and no task.
    """

    def __init__(
        self,
        verb: str = groups.TRAIN,
        root: str | Path | None = None,
        prog: str = "main.py",
        tasks: Mapping[str, Any] = TASKS,
        task_of: Callable[[str], str | None] = lambda checkpoint: None,
    ) -> None:
        self.verb, self.tasks, self.task_of = verb, tasks, task_of
        self.root = Path.cwd() if root is None else Path(root)
        self.parser = Parser(prog, verb, tasks)

    def parse(self, argv: Sequence[str] | None = None) -> Options:
        """Options of a command line (by default this process's); UserError on a mistake."""
        argv = list(sys.argv[1:] if argv is None else argv)
        task, given = self.parser.read(argv)
        if task is None and given.get("load_model") and self.verb != groups.TRAIN:
            task = self.task_of(given["load_model"])
        if task is None:
            raise UserError(f"name the task first, one of: {', '.join(self.tasks)}")
        return self._build(task, given, (self.parser.prog, *argv))

    def init(self, argv: Sequence[str]) -> Options:
        """Options to detect with inside a program."""
        return opts(groups.DEMO, self.root, self.parser.prog, self.tasks, self.task_of).parse(argv)

    def _build(self, task: str, given: Mapping[str, Any], command: tuple[str, ...]) -> Options:
        own = self.tasks[task].Options
        flags = [*common_flags(), *flags_of(own)]
        for flag in flags:
            if flag.name in given:
                flag.check(given[flag.name])
        root = given.get("root", self.root)
        folder = root / "exp" / task / given.get("exp_id", "default")
        silent = self.parser.silent(task)
        notices = [f"--{name} has no effect{silent[name][1]}" for name in given if name in silent]

        values = {flag.name: flag.default for flag in flags}
        anew, known = _starts_anew(self.verb, given, folder), frozenset(given)
        if given.get("resume"):
            remembered = self._remembered(folder, flags_of(own), anew)
            notices += saved.differences(remembered, given, flags)
            values |= remembered
            known |= remembered.keys() if anew else frozenset()  # no checkpoint knows better
        values |= given
        values["root"] = root
        values["dataset"] = values["dataset"] or self.tasks[task].Options.default_dataset
        values["data_dir"] = values["data_dir"] or root / "data"
        notices += _published_rules(values, self.verb) + _starting_point(values, folder, anew)

        names = {flag.name for flag in flags}
        others = {name: values.pop(name) for name in list(values) if name not in names}
        inert = {name: others.get(name, flag.default) for name, (flag, _) in silent.items()}
        own_values = {flag.name: values.pop(flag.name) for flag in flags_of(own)}
        return Options(
            task=task,
            verb=self.verb,
            own=own(**own_values),
            given=known,
            continues=values["resume"] and not anew,
            command=command,
            notices=tuple(notices),
            without_effect={name: value for name, value in inert.items() if name not in names},
            **values,
        )

    def _remembered(self, folder: Path, own: Sequence[Any], anew: bool) -> dict[str, Any]:
        passing = saved.OF_THE_MOMENT - (saved.OF_THE_START if anew else frozenset())
        wanted = [flag for flag in common_flags() if flag.name not in passing]
        if self.verb != groups.TRAIN:
            wanted = [flag for flag in wanted if flag.name in saved.OF_THE_MODEL]
        return saved.read_saved(folder / SAVED, [*wanted, *own])


def _published_rules(values: dict[str, Any], verb: str) -> list[str]:
    """Settle what one flag means for another, in `values`; return what to tell."""
    notices = []
    if len(values["gpus"]) > 1 and (min(values["gpus"]) < 0 or _repeated(values["gpus"])):
        listed = ",".join(map(str, values["gpus"]))
        raise UserError(f"--gpus {listed}: name each GPU once, or -1 alone for the CPU")
    if values["fix_res"] and values["keep_res"]:
        notices.append("--fix_res has no effect beside --keep_res")
    if values["debug"] > 0:
        values |= {"batch_size": 1, "test_batch_size": 1, "num_workers": 0}
        values["gpus"] = values["gpus"][:1]
        notices.append("--debug: batch 1, no workers, one GPU")
    if values["trainval"] and verb == groups.TRAIN:
        values["val_intervals"] = NEVER
    if values["lr"] is None:
        batch = values["batch_size"] * values["accumulate"]
        values["lr"] = scaled_rate(batch)
        if verb == groups.TRAIN:
            notices.append(
                f"learning rate {values['lr']:g} = {BASE_RATE:g} x batch {batch} / {BASE_BATCH};"
                " --lr overrides it"
            )
    return notices


def _repeated(numbers: Sequence[int]) -> bool:
    return len(set(numbers)) < len(numbers)


def _starts_anew(verb: str, given: Mapping[str, Any], folder: Path) -> bool:
    """Whether --resume finds a run that was ended before its first checkpoint, or none at all."""
    resumes = verb == groups.TRAIN and bool(given.get("resume"))
    return resumes and not given.get("load_model") and not (folder / LAST).exists()


def _starting_point(values: dict[str, Any], folder: Path, anew: bool) -> list[str]:
    """Let --resume mean the run's last checkpoint, in `values`; return what to tell."""
    last = str(folder / LAST)
    if anew:
        if values["load_model"] == last:
            values["load_model"] = ""
        return [f"nothing to resume in {folder} yet: training starts from the beginning"]
    if values["resume"] and not values["load_model"]:
        values["load_model"] = last
    return []
