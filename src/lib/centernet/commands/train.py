"""`train`: main.py, the command that learns."""

from __future__ import annotations

from centernet.options import groups
from centernet.options.learning import Learning
from centernet.options.options import Options
from centernet.options.verbs import Verb


def run(options: Options) -> None:
    """Train a network, or with --test evaluate one as training would."""
    from centernet.commands.jobs import train

    train.run(options)


VERB = Verb(
    name="train",
    help="Train a network",
    groups=(
        groups.Run,
        groups.Place,
        groups.Data,
        groups.Model,
        groups.Input,
        groups.Train,
        Learning,
        groups.Augment,
        groups.Test,
        groups.Track,
        groups.Oracle,
        groups.Batches,
        groups.Drawing,
        groups.Machine,
    ),
    run=run,
    partly={groups.Track: groups.ASSOCIATION},
    program="main.py",
)
