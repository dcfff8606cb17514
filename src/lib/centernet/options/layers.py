"""From the words of a command to its options, layer upon layer.

Defaults < the recipe < the config file < what the run remembers (with --resume) < what is given;
then what one flag means for another is settled.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

from centernet.io.run_folder import RunFolder
from centernet.options import saved
from centernet.options.config import flags_in, read_config, task_in
from centernet.options.flag import Flag, flags_of, words_of
from centernet.options.groups import Place, Train
from centernet.options.options import Options, common_flags, shared_groups
from centernet.options.parser import Parser
from centernet.options.rate import BASE_BATCH, BASE_RATE, scaled_rate
from centernet.options.recipes import RECIPES
from centernet.options.verbs import Verb
from centernet.runtime.errors import UserError
from centernet.tasks import TASKS, task_options

NEVER = 10**8  # epochs between validations where nothing is left to validate on

TaskOf = Callable[[str], str | None]


def parse(
    verb: Verb,
    argv: Sequence[str],
    root: str | Path | None = None,
    program: str = "",
    task_of: TaskOf = lambda checkpoint: None,
) -> Options:
    """The options of a command line; UserError on a mistake, SystemExit after --help.

    data/, exp/ and models/ lie beneath `root`, by default the current folder. `task_of` tells the
    task of a checkpoint, for commands that name one and no task.
    """
    parser = Parser(verb, program)
    task, given = parser.read(argv)
    document = read_config(given["config"]) if given.get("config") else {}
    if verb.takes_task:
        task = task or task_in(document)
        if task is None and given.get("load_model") and verb.name != "train":
            task = task_of(given["load_model"])
        if task is None:
            raise UserError(f"name the task first, one of: {', '.join(TASKS)}")
    place = Path.cwd() if root is None else Path(root)
    layers = _Layers(parser, task, given, document, place)
    return layers.options((parser.program, *argv))


class _Layers:
    """The values of one command's flags as they are laid upon each other."""

    def __init__(
        self,
        parser: Parser,
        task: str | None,
        given: Mapping[str, Any],
        document: Mapping[str, Any],
        root: Path,
    ) -> None:
        self.verb, self.task, self.given = parser.verb, task, given
        self.own = [g for g in self.verb.groups if g not in shared_groups().values()]
        self.shared = {
            name: group
            for name, group in shared_groups().items()
            if self.verb.takes_task or group in (Place, *self.verb.groups)
        }
        self.of_task = () if task is None else flags_of(task_options(task))
        mine = {flag.name for flag in self._own_fields()}  # they hide shared ones of that name
        common = [flag for group in self.shared.values() for flag in flags_of(group)]
        self.flags = [*(f for f in common if f.name not in mine), *self.of_task]
        self.flags += self._own_fields()
        for flag in self.flags:
            if flag.name in given:
                flag.check(given[flag.name])
        self.config = flags_in(document, str(given.get("config")), self._sections())
        self.asked = {**self.config, **given}
        self.root = self.asked.get("root", root)
        exp_id = self.asked.get("exp_id", "default")
        self.folder = RunFolder(self.root / "exp" / (task or "") / exp_id)
        self.anew = self.verb.name == "train" and _starts_anew(self.asked, self.folder)
        self.silent = {} if task is None else parser.silent(task)
        self.notices = [
            f"--{name} has no effect{self.silent[name][1]}" for name in given if name in self.silent
        ]
        if self.config:
            self.notices.append(f"{given['config']}: {saved.as_flags(self.config)}")
        self.known = frozenset(self.asked)
        self.values: dict[str, Any] = {flag.name: flag.default for flag in self.flags}
        presets = {} if task is None else task_options(task).presets
        self.values |= {name: v for name, v in presets.items() if name in self.values}

    def _own_fields(self) -> Iterable[Flag]:
        for group in self.own:
            yield from flags_of(group)
            if (holder := words_of(group)) is not None:
                yield holder

    def options(self, command: tuple[str, ...]) -> Options:
        """The layers laid, the rules settled."""
        remembered = self._remembered()
        self._follow_recipe({**self.config, **remembered, **self.given}.get("recipe"))
        self._follow_overfit({**self.config, **remembered, **self.given}.get("overfit"))
        for layer in (self.config, remembered, self.given):
            self.values |= layer
        self._settle()
        task = None if self.task is None else self._group(task_options(self.task))
        names = {flag.name for flag in self.flags}
        ignored = {
            name: self.given.get(name, flag.default)
            for name, (flag, _) in self.silent.items()
            if name not in names
        }
        return Options(
            verb=self.verb.name,
            task_name=self.task or "",
            task=task,
            own=tuple(map(self._group, self.own)),
            given=self.known,
            continues=self.values.get("resume", False) and not self.anew,
            command=command,
            notices=tuple(self.notices),
            ignored=ignored,
            **{name: self._group(group) for name, group in self.shared.items()},
        )

    def _group(self, group: type) -> Any:
        holder = words_of(group)
        names = [flag.name for flag in (*flags_of(group), *([holder] if holder else []))]
        hidden = set() if group in self.own else {flag.name for flag in self._own_fields()}
        return group(**{name: self.values[name] for name in names if name not in hidden})

    def _sections(self) -> dict[str, tuple[Flag, ...]]:
        """The groups of flags by the names that sections of a config file have."""
        sections = {name: flags_of(group) for name, group in self.shared.items()}
        sections["task"] = self.of_task
        own = tuple(self._own_fields())  # those of this command alone, under its name
        return sections | {self.verb.name: (*sections.get(self.verb.name, ()), *own)}

    def _follow_recipe(self, name: str | None) -> None:
        """The values of the recipe, which has to have flags and values that there are."""
        if self.task is None or not self.verb.serves(Train, "recipe") or name is None:
            return
        flags = {flag.name: flag for flag in self.flags}
        flags["recipe"].check(name)
        values = {k: v for k, v in RECIPES[name].of(self.task).items() if k in flags}
        for each, value in values.items():
            flags[each].check(value)
        self.values |= values
        if values or "recipe" in self.asked:
            shown = saved.as_flags(values) or "every flag has its default"
            self.notices.append(f"recipe {name}: {shown}")

    def _follow_overfit(self, images: int | None) -> None:
        """Flags that learning a few images by heart needs, where they are not given."""
        if images and self.verb.name == "train":
            size = min(images, 8)
            self.values |= {"num_epochs": 10, "batch_size": size, "lr": 5e-4, "val_intervals": 5}

    def _remembered(self) -> dict[str, Any]:
        """What the run that is resumed was started with."""
        if not self.asked.get("resume"):
            return {}
        passing = saved.NOT_RESTORED - (
            saved.RESTORED_BEFORE_FIRST_CHECKPOINT if self.anew else frozenset()
        )
        wanted = [flag for flag in common_flags() if flag.name not in passing]
        if self.verb.name != "train":
            wanted = [flag for flag in wanted if flag.name in saved.MODEL_FLAGS]
        values = saved.remembered(self.folder, [*wanted, *self.of_task])
        self.notices += saved.differences(values, self.given, self.flags)
        if self.anew:
            self.known |= values.keys()  # no checkpoint knows better
        return values

    def _settle(self) -> None:
        """What is not given follows from the rest."""
        values = self.values
        values["root"] = self.root
        values["data_dir"] = values.get("data_dir") or self.root / "data"
        if self.task is None:
            return
        values["dataset"] = values["dataset"] or task_options(self.task).default_dataset
        self.notices += _published_rules(values, self.verb.name)
        self.notices += _starting_point(values, self.folder, self.anew)


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
    if values["trainval"] and verb == "train":
        values["val_intervals"] = NEVER
    if values["lr"] is None:
        batch = values["batch_size"] * values["accumulate"]
        values["lr"] = scaled_rate(batch)
        if verb == "train":
            notices.append(
                f"learning rate {values['lr']:g} = {BASE_RATE:g} x batch {batch} / {BASE_BATCH};"
                " --lr overrides it"
            )
    return notices


def _repeated(numbers: Sequence[int]) -> bool:
    return len(set(numbers)) < len(numbers)


def _starts_anew(given: Mapping[str, Any], folder: RunFolder) -> bool:
    """Whether --resume finds a run that was ended before its first checkpoint, or none at all."""
    resumes = bool(given.get("resume")) and not given.get("load_model")
    return resumes and not folder.last.exists()


def _starting_point(values: dict[str, Any], folder: RunFolder, anew: bool) -> list[str]:
    """Let --resume mean the run's last checkpoint, in `values`; return what to tell."""
    last = str(folder.last)
    if anew:
        if values["load_model"] == last:
            values["load_model"] = ""
        return [f"nothing to resume in {folder.path} yet: training starts from the beginning"]
    if values["resume"] and not values["load_model"]:
        values["load_model"] = last
    return []
