"""A command of one's own: how many objects of each class a data set has.

    python docs/examples/command.py count ctdet --dataset toy --part val

is `centernet` with one more command, whose flags are those of the data and one of its own.
"""

from __future__ import annotations

import sys
from collections import Counter
from dataclasses import dataclass

from centernet.cli import main
from centernet.options import groups
from centernet.options.options import Options
from centernet.options.verbs import VERBS, Verb
from centernet.runtime.option import option


@dataclass(frozen=True)
class Count:
    """What is counted"""

    part: str = option("train", "part of the data set", ("train", "val", "test"))


def run(options: Options) -> None:
    """Print a line for each class."""
    # PyTorch comes with these: imported here, --help need not wait for it.
    from centernet.builders.data import open_part
    from centernet.runs.logger import Logger
    from centernet.tasks import TASKS

    task = TASKS[options.task_name]
    source = open_part(options.data, task, options.of(Count).part, Logger())
    counts = Counter(c for index in range(len(source)) for c in source.objects(index).classes)
    for number, name in enumerate(source.info.class_names):
        print(f"{name}: {counts[number]} in {len(source)} images")


VERBS["count"] = Verb(
    name="count",
    help="Count the objects of a data set",
    groups=(Count, groups.Place, groups.Data),
    run=run,
    program="count.py",
)

if __name__ == "__main__":
    sys.exit(main())
