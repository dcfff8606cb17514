"""What a command was asked to do: every flag as an attribute of one frozen object."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import torch

from centernet import __version__
from centernet.io.files import write_text
from centernet.options import groups
from centernet.options.flag import Flag, flags_of

SAVED = "opt.json"


@dataclass(frozen=True, kw_only=True)
class Options(
    groups.Demo,
    groups.Oracle,
    groups.Test,
    groups.Augment,
    groups.Train,
    groups.Data,
    groups.Input,
    groups.Model,
    groups.Machine,
    groups.Run,
):
    """Every flag of a command as an attribute, those of the task included; nothing changes later.

    `own` is the task's own group, as the task takes it. `given` are the flags that were on the
    command line. `continues` tells that training goes on where `load_model` was saved, `resume`
    only that this was asked for: a run without a checkpoint starts again. `notices` is what the
    user should be told, `without_effect` the values of flags that are accepted but mean nothing
    here.
    """

    task: str
    verb: str
    own: Any
    root: Path = Path()
    dataset: str = "coco"
    data_dir: Path = Path("data")
    lr: float = 1.25e-4
    given: frozenset[str] = frozenset()
    continues: bool = False
    command: tuple[str, ...] = ()
    notices: tuple[str, ...] = ()
    without_effect: Mapping[str, Any] = field(default_factory=dict, hash=False)

    def __getattr__(self, name: str) -> Any:
        # Asked only for what is no field: a flag of the task, or one that has no effect here.
        own = self.__dict__.get("own")
        if not name.startswith("_") and hasattr(own, name):
            return getattr(own, name)
        if name in self.__dict__.get("without_effect", ()):
            return self.without_effect[name]
        raise AttributeError(f"no option is called {name!r}")

    @property
    def exp_dir(self) -> Path:
        """Folder of the task's runs."""
        return self.root / "exp" / self.task

    @property
    def save_dir(self) -> Path:
        """Folder of this run."""
        return self.exp_dir / self.exp_id

    @property
    def debug_dir(self) -> Path:
        """Folder of the drawings of --debug."""
        return self.save_dir / "debug"

    @property
    def output_dir(self) -> Path:
        """Folder of the demo's results."""
        return self.save_dir / "results" if self.output is None else self.output

    def input_size(self, resolution: tuple[int, int]) -> tuple[int, int]:
        """(height, width) of the input, for a data set whose own is `resolution`."""
        height, width = (self.input_res, self.input_res) if self.input_res > 0 else resolution
        return (
            self.input_h if self.input_h > 0 else height,
            self.input_w if self.input_w > 0 else width,
        )

    def as_dict(self) -> dict[str, Any]:
        """Every flag as a plain value, with the task, the command and the versions."""
        values = {flag.name: getattr(self, flag.name) for flag in common_flags()}
        values |= {flag.name: getattr(self.own, flag.name) for flag in flags_of(type(self.own))}
        if self.data_dir == self.root / "data":
            values["data_dir"] = None  # a run that is moved with its root finds its data again
        plain = {k: str(v) if isinstance(v, Path) else v for k, v in values.items()}
        versions = {"version": __version__, "torch": str(torch.__version__)}
        return {"task": self.task, "command": list(self.command)} | versions | plain

    def save(self, folder: Path) -> None:
        """Write opt.json, which --resume reads, and opt.txt, for the eye, into `folder`."""
        values = self.as_dict()
        write_text(folder / SAVED, json.dumps(values, indent=1) + "\n")
        values["command"] = " ".join(self.command)
        write_text(folder / "opt.txt", "".join(f"{name}: {v}\n" for name, v in values.items()))


def common_flags() -> list[Flag]:
    """The flags that all tasks have in common."""
    return [flag for group in groups.GROUPS for flag in flags_of(group)]
