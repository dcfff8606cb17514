"""The data sets that options name."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from centernet.datasets import open_source
from centernet.datasets.class_lists import counted, other_order
from centernet.datasets.class_map import matched
from centernet.datasets.joined import Joined
from centernet.datasets.published import PUBLISHED
from centernet.datasets.source import Info, Source
from centernet.datasets.table_source import TableSource
from centernet.options.flag import flags_of
from centernet.options.groups import Data
from centernet.options.options import Options
from centernet.runs.logger import Logger
from centernet.runtime.errors import UserError
from centernet.tasks import Task

# Sets whose training part holds the validation images already: there --trainval adds nothing.
WHOLE = frozenset({"pascal"})
# Flags of the data that say which set and part to open; the others are for the set itself.
WHICH = frozenset({"dataset", "data_dir", "trainval"})


def open_part(data: Data, task: type[Task], split: str, logger: Logger) -> Source:
    """The `split` (train, val, test) of the data set; UserError if it lacks what the task needs."""
    flags = {
        flag.name: getattr(data, flag.name)
        for flag in flags_of(Data)
        if flag.name not in WHICH and getattr(data, flag.name) != flag.default
    }
    source = open_source(
        data.dataset,
        split,
        data.data_dir,
        log=logger.write,
        wanted=task.needs,
        **{name: str(v) if isinstance(v, Path) else v for name, v in flags.items()},
    )
    check_fits(task, source.info)
    for line in source.read:
        logger.write(f"{split}: {line}")
    return source


def tested_part(options: Options) -> str:
    """The part that a test is of."""
    return options.evaluate.split or ("test" if options.data.trainval else "val")


def check_fits(task: type[Task], info: Info) -> None:
    """Raise UserError when annotations that the task needs are not in the data set."""
    missing = sorted(task.needs - info.provides - task.spares)
    if missing:
        others = [n for n, known in PUBLISHED.items() if task.needs <= known.provides]
        raise UserError(
            f"task {task.name} needs {' and '.join(missing)}, but data set {info.name} has only"
            f" {', '.join(sorted(info.provides))}; --dataset {' or '.join([*others, 'toy'])} has"
            f" what {task.name} needs"
        )


def check_joints(task: type[Task], trained: Info, other: Info) -> None:
    """Raise UserError unless joints that the task needs are the same in both parts of the data.

    In another order each would be evaluated as another.
    """
    if "keypoints" in task.needs and list(trained.joints) != list(other.joints):
        first, second = (counted("joints", info.joints) for info in (trained, other))
        raise UserError(
            f"the training part ({trained.name}) has {first}, the validation part ({other.name})"
            f" {second}; give both files the same 'keypoints' in the same order"
        )


def renamed(file: str, said: Mapping[str, Any], info: Info) -> list[str]:
    """What the data calls otherwise than checkpoint `file`, described by `said`; one line each.

    UserError where the checkpoint learned the same in another order, or more or fewer joints.
    """
    lines = []
    for noun, field in (("classes", "class_names"), ("joints", "joints")):
        learned, there = list(said.get(field) or ()), list(getattr(info, field))
        if learned == there or not learned or not there:
            continue
        if problem := other_order(noun, learned, there):
            raise UserError(f"{file} {problem}")
        if len(learned) == len(there):
            lines.append(
                f"{file} learned {counted(noun, learned)}, the data has"
                f" {counted(noun, there)}: each is taken for the one in its place"
            )
        elif field == "joints":
            raise UserError(
                f"{file} has {counted(noun, learned)}, data set {info.name} has"
                f" {counted(noun, there)}; test on the joints that it was trained on"
            )
    return lines


def training_source(data: Data, task: type[Task], logger: Logger) -> Source:
    """The images to train on: the training part, with --trainval the validation part as well."""
    source = open_part(data, task, "train", logger)
    if not data.trainval or data.dataset in WHOLE:
        return source
    if data.dataset == "custom" and data.train_json and not data.val_json:
        logger.write("--trainval: no --val_json is given, so the training part is all there is")
        return source
    other = open_part(data, task, "val", logger)
    check_joints(task, source.info, other.info)
    if isinstance(other, TableSource):
        for line in matched(other, source.info.class_names):
            logger.write(line)
    return Joined([source, other])
