"""`check`: check.py, what a data set holds and what is doubtful about it."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from centernet.options import groups
from centernet.options.options import Options
from centernet.options.verbs import Verb
from centernet.runtime.option import option


@dataclass(frozen=True)
class Check:
    """The check"""

    pixels: bool = option(False, "open every image too: those that cannot be read, or are doubled")
    sheet: Path | None = option(
        None, "file of the contact sheet (not given: check.jpg in the folder of the task's runs)"
    )


def run(options: Options) -> None:
    """Report on a data set in words, and draw a contact sheet."""
    from centernet.commands.jobs import check

    check.run(options)


VERB = Verb(
    name="check",
    help="Look at a data set: what was read, what is doubtful",
    groups=(Check, groups.Place, groups.Data, groups.Input, groups.Model),
    run=run,
    program="check.py",
    partly={groups.Model: ("down_ratio",)},
)
