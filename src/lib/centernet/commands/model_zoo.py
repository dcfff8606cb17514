"""`model_zoo`: brings the tables of docs/model_zoo.md up to date."""

from __future__ import annotations

from centernet.options import groups
from centernet.options.options import Options
from centernet.options.verbs import Verb


def run(options: Options) -> None:
    """Rewrite the tables of docs/model_zoo.md beneath the root."""
    from centernet.commands.jobs import model_zoo

    model_zoo.run(options.root)


VERB = Verb(
    name="model_zoo",
    help="Bring the tables of docs/model_zoo.md up to date",
    groups=(groups.Place,),
    run=run,
    takes_task=False,
    program="model_zoo.py",
)
