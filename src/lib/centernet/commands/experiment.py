"""`experiment`: the command behind the scripts of experiments/."""

from __future__ import annotations

from dataclasses import dataclass

from centernet.options.options import Options
from centernet.options.verbs import Verb
from centernet.runtime.option import words


@dataclass(frozen=True)
class Experiment:
    """The line of a script"""

    words: tuple[str, ...] = words(
        "WORD",
        "SCRIPT VERB FLAGS ... -- EXTRA ..., as the scripts of experiments/ call it: bash"
        " experiments/NAME.sh",
        verbatim=True,
    )


def run(options: Options) -> int:
    """Run one line of a script, fitted to this machine; the exit code of what it becomes."""
    from centernet.commands.jobs import experiment

    return experiment.run(options.of(Experiment).words, options.root)


VERB = Verb(
    name="experiment",
    help="Run a line of a script of experiments/, fitted to this machine",
    groups=(Experiment,),
    run=run,
    takes_task=False,
    program="experiment.py",
)
