"""`report`: the page of a run."""

from __future__ import annotations

from dataclasses import dataclass

from centernet.options import groups
from centernet.options.options import Options
from centernet.options.verbs import Verb
from centernet.runtime.option import option


@dataclass(frozen=True)
class Report:
    """The page"""

    compare: str = option("", "name of another run of the task, to be shown beside")


def run(options: Options) -> None:
    """Write report.html into the folder of the run."""
    from centernet.commands.jobs import report

    report.run(options)


VERB = Verb(
    name="report",
    help="Write the page of a run: curves, metrics, mistakes, images",
    groups=(groups.Run, Report, groups.Place),
    run=run,
    program="report.py",
    partly={groups.Run: ("exp_id",)},
)
