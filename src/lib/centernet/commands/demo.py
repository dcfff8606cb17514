"""`demo`: demo.py, the command that detects in a user's images."""

from __future__ import annotations

from centernet.options import groups
from centernet.options.options import Options
from centernet.options.verbs import Verb


def run(options: Options) -> None:
    """Detect in a user's images, video or camera, and save what is found."""
    from centernet.commands.jobs import demo

    demo.run(options)


VERB = Verb(
    name="demo",
    help="Detect in images, a video or a camera",
    groups=(
        groups.Demo,
        groups.Track,
        groups.Run,
        groups.Place,
        groups.Data,
        groups.Model,
        groups.Input,
        groups.Test,
        groups.Runtime,
        groups.Drawing,
        groups.Machine,
    ),
    run=run,
    program="demo.py",
    partly={groups.Data: ("dataset",)},
)
