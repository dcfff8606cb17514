"""What a command was asked to do: one frozen object that holds its flags by group."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field, fields, is_dataclass, replace
from functools import cache
from pathlib import Path
from typing import Any, TypeVar, get_type_hints

from centernet import __version__
from centernet.io.files import write_text
from centernet.io.run_folder import OPTIONS, OPTIONS_TEXT, RunFolder
from centernet.options import groups
from centernet.options.flag import Flag, flags_of
from centernet.options.learning import Learning

Group = TypeVar("Group")


@dataclass(frozen=True, kw_only=True)
class Options:
    """The flags of a command by group, as in `options.train.lr`; nothing changes later.

    `task` is the task's own group, `own` are those that belong to this command alone: `of(Group)`
    gives them. `given` are the flags that were on the command line. `continues` tells that training
    goes on where `load_model` was saved, `resume` only that this was asked for: a run without a
    checkpoint starts again. `notices` is what the user should be told, `ignored` the values of
    flags that are accepted but belong to another task.
    """

    verb: str
    task_name: str = ""
    task: Any = None
    place: groups.Place = field(default_factory=groups.Place)
    run: groups.Run = field(default_factory=groups.Run)
    drawing: groups.Drawing = field(default_factory=groups.Drawing)
    data: groups.Data = field(default_factory=groups.Data)
    model: groups.Model = field(default_factory=groups.Model)
    input: groups.Input = field(default_factory=groups.Input)
    train: groups.Train = field(default_factory=groups.Train)
    learning: Learning = field(default_factory=Learning)
    augment: groups.Augment = field(default_factory=groups.Augment)
    batches: groups.Batches = field(default_factory=groups.Batches)
    test: groups.Test = field(default_factory=groups.Test)
    evaluate: groups.Evaluate = field(default_factory=groups.Evaluate)
    oracle: groups.Oracle = field(default_factory=groups.Oracle)
    track: groups.Track = field(default_factory=groups.Track)
    demo: groups.Demo = field(default_factory=groups.Demo)
    runtime: groups.Runtime = field(default_factory=groups.Runtime)
    machine: groups.Machine = field(default_factory=groups.Machine)
    own: tuple[Any, ...] = ()
    given: frozenset[str] = frozenset()
    continues: bool = False
    command: tuple[str, ...] = ()
    notices: tuple[str, ...] = ()
    ignored: Mapping[str, Any] = field(default_factory=dict, hash=False)

    def of(self, group: type[Group]) -> Group:
        """The flags of a group that belongs to this command alone."""
        return next(each for each in self.own if isinstance(each, group))

    @property
    def root(self) -> Path:
        """The folder that holds data/, exp/ and models/."""
        return self.place.root

    @property
    def exp_dir(self) -> Path:
        """Folder of the task's runs."""
        return self.root / "exp" / self.task_name

    @property
    def save_dir(self) -> Path:
        """Folder of this run."""
        return self.exp_dir / self.run.exp_id

    @property
    def folder(self) -> RunFolder:
        """The files of this run."""
        return RunFolder(self.save_dir)

    @property
    def debug_dir(self) -> Path:
        """Folder of the drawings of --debug."""
        return self.folder.debug

    @property
    def output_dir(self) -> Path:
        """Folder of the demo's results."""
        return self.folder.results if self.demo.output is None else self.demo.output

    def changed(self, **values: Any) -> Options:
        """The same with other values of some shared flags, as in `changed(arch="res_18")`."""
        new = {}
        for name, group in shared_groups().items():
            mine = {flag.name for flag in flags_of(group)} & values.keys()
            if mine:
                new[name] = replace(getattr(self, name), **{each: values[each] for each in mine})
        return replace(self, **new)

    def flat(self) -> dict[str, Any]:
        """Every flag by name: the shared ones, the task's, those of this command alone."""
        parts = [getattr(self, name) for name in shared_groups()]
        parts += ([] if self.task is None else [self.task]) + [*self.own]
        return {
            flag.name: getattr(part, flag.name) for part in parts for flag in flags_of(type(part))
        }

    def as_dict(self) -> dict[str, Any]:
        """Every flag as a plain value, with the task, the command and the versions."""
        import torch  # known to every command that keeps its options, unknown to --help

        values = self.flat()
        if self.data.data_dir == self.root / "data":
            values["data_dir"] = None  # a run that is moved with its root finds its data again
        plain = {k: str(v) if isinstance(v, Path) else v for k, v in values.items()}
        versions = {"version": __version__, "torch": str(torch.__version__)}
        return {"task": self.task_name, "command": list(self.command)} | versions | plain

    def save(self, folder: Path) -> None:
        """Write opt.json, which --resume reads, and opt.txt, for the eye, into `folder`."""
        values = self.as_dict()
        write_text(folder / OPTIONS, json.dumps(values, indent=1) + "\n")
        values["command"] = " ".join(self.command)
        write_text(folder / OPTIONS_TEXT, "".join(f"{name}: {v}\n" for name, v in values.items()))


@cache
def shared_groups() -> dict[str, type]:
    """The groups that commands share, by the name of their field of `Options`."""
    hints = get_type_hints(Options)
    return {f.name: hints[f.name] for f in fields(Options) if is_dataclass(hints[f.name])}


def common_flags() -> list[Flag]:
    """The flags that all tasks have in common."""
    return [flag for group in shared_groups().values() for flag in flags_of(group)]
