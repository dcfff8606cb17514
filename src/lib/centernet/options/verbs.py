"""The commands by name, and what each of them is made of."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from centernet.runtime.registry import Registry

if TYPE_CHECKING:
    from centernet.options.options import Options


@dataclass(frozen=True)
class Verb:
    """A command: what it is called, which flags it reads and what it does.

    name: its word, as in `centernet train`. help: what it does, in a line; `details` go on from
    there. groups: its groups of flags, in the order of its help. run(options): does it; the exit
    code where that is not 0. takes_task: whether a task is its first word; it then takes that
    task's flags, and accepts those of every other published command. program: the file that a user
    calls. partly: of these groups only the flags named mean something to it.
    """

    name: str
    help: str
    groups: tuple[type, ...]
    run: Callable[[Options], int | None]
    takes_task: bool = True
    program: str = ""
    details: str = ""
    partly: Mapping[type, tuple[str, ...]] = field(default_factory=dict)

    def serves(self, group: type, flag: str) -> bool:
        """Whether `flag` of `group` means something to the command."""
        return group in self.groups and flag in self.partly.get(group, (flag,))


VERBS: Registry[Verb] = Registry(
    {
        "train": "centernet.commands.train:VERB",
        "test": "centernet.commands.test:VERB",
        "demo": "centernet.commands.demo:VERB",
        "check": "centernet.commands.check:VERB",
        "info": "centernet.commands.info:VERB",
        "doctor": "centernet.commands.doctor:VERB",
        "export": "centernet.commands.export:VERB",
        "quantize": "centernet.commands.quantize:VERB",
        "get_data": "centernet.commands.get_data:VERB",
        "experiment": "centernet.commands.experiment:VERB",
        "report": "centernet.commands.report:VERB",
        "repro": "centernet.commands.repro:VERB",
        "model_zoo": "centernet.commands.model_zoo:VERB",
    }
)
