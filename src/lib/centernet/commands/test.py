"""`test`: test.py, the command that evaluates."""

from __future__ import annotations

from centernet.options import groups
from centernet.options.options import Options
from centernet.options.verbs import Verb


def run(options: Options) -> None:
    """Evaluate a network on the validation, or with --split the test, part of a data set."""
    from centernet.commands.jobs import test

    test.run(options)


VERB = Verb(
    name="test",
    help="Evaluate a network on a part of a data set",
    groups=(
        groups.Run,
        groups.Place,
        groups.Data,
        groups.Model,
        groups.Input,
        groups.Test,
        groups.Track,
        groups.Runtime,
        groups.Evaluate,
        groups.Oracle,
        groups.Batches,
        groups.Drawing,
        groups.Machine,
    ),
    run=run,
    partly={groups.Track: groups.ASSOCIATION},
    program="test.py",
)
