"""`info`: what each network costs, as a table."""

from __future__ import annotations

from dataclasses import dataclass

from centernet.options import groups
from centernet.options.options import Options
from centernet.options.verbs import Verb
from centernet.runtime.option import option, words


@dataclass(frozen=True)
class Info:
    """The networks"""

    task: tuple[str, ...] = words(
        "task", "whose heads the networks have; ctdet unless another is named"
    )
    arch: tuple[str, ...] = option((), "networks, as in res_18,dla_34 (not given: all)")
    dataset: str = option("", "data set whose classes they tell apart (not given: the task's own)")
    num_classes: int | None = option(None, "another number of classes")
    head_conv: int | None = option(None, "channels of the hidden layer of each head")
    json: bool = option(False, "print for programs")


def run(options: Options) -> None:
    """Print the cost of networks. Reads no file."""
    from centernet.commands.jobs import info

    info.run(options.of(Info), options.input)


VERB = Verb(
    name="info",
    help="Parameters, operations and memory of the networks, from their shapes",
    groups=(Info, groups.Input),
    run=run,
    takes_task=False,
    program="info.py",
    partly={groups.Input: ("input_res", "input_h", "input_w")},
)
