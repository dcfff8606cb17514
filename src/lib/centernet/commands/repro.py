"""`repro`: published figures beside those that the runs in exp/ have produced."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from centernet.options import groups
from centernet.options.options import Options
from centernet.options.verbs import Verb
from centernet.runtime.option import option, words


@dataclass(frozen=True)
class Repro:
    """The table"""

    names: tuple[str, ...] = words("NAME", "scripts, by name; none for all")
    output: Path | None = option(None, "folder of the table (not given: exp/)")


def run(options: Options) -> None:
    """Write the table of the scripts that are named and print it.

    experiments/ and exp/ lie beneath the root.
    """
    from centernet.commands.jobs import repro

    repro.run(options.of(Repro), options.root)


VERB = Verb(
    name="repro",
    help="Published figures beside those that the runs in exp/ have produced",
    groups=(Repro, groups.Place),
    run=run,
    takes_task=False,
    program="repro.py",
)
