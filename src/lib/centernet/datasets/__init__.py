"""Data sets by name. A source publishes its facts and yields images with their objects."""

from __future__ import annotations

import sys
from collections.abc import Callable, Collection
from inspect import signature
from pathlib import Path
from typing import TYPE_CHECKING, Any

from centernet.runtime.errors import UserError
from centernet.runtime.registry import Registry

if TYPE_CHECKING:
    from centernet.datasets.source import Source

# Each takes (split, data_dir) and, by keyword, the flags that mean something to it.
SOURCES: Registry[Callable[..., Source]] = Registry(
    {
        "coco": "centernet.datasets.coco:open_coco_2017",
        "coco_hp": "centernet.datasets.coco:open_coco_hp",
        "pascal": "centernet.datasets.pascal:open_pascal",
        "kitti": "centernet.datasets.kitti:open_kitti",
        "crowdhuman": "centernet.datasets.crowdhuman:open_crowdhuman",
        "kitti_tracking": "centernet.datasets.kitti_tracking:open_kitti_tracking",
        "mot": "centernet.datasets.mot:open_mot",
        "nuscenes": "centernet.datasets.nuscenes:open_nuscenes",
        "widerface": "centernet.datasets.widerface:open_widerface",
        "custom": "centernet.datasets.custom:open_custom",
        "toy": "centernet.datasets.toy:open_toy",
    }
)
# Sets that this program makes itself: where, as long as they are not there.
MADE: Registry[Callable[[Path, Collection[str]], Path | None]] = Registry(
    {"toy": "centernet.datasets.toy:not_yet_drawn"}
)
SPLITS = ("train", "val", "test")

__all__ = ["SOURCES", "SPLITS", "not_yet_made", "open_source"]


def open_source(
    name: str,
    split: str,
    data_dir: str | Path,
    *,
    log: Callable[[str], None] | None = None,
    **flags: Any,
) -> Source:
    """Open the `split` (train, val, test) of data set `name` under `data_dir`.

    `flags` are the data set's own (train_json, strict, wanted, ...); one that is None or "" counts
    as not given. What was left out, and why, goes to `log`, line by line; by default on
    standard error.

    Raises UserError for an unknown name, a missing folder, or a flag without meaning for the set.
    """
    if name not in SOURCES:
        raise UserError(f"unknown --dataset '{name}'; choose from {', '.join(SOURCES)}")
    if split not in SPLITS:
        raise UserError(f"unknown part '{split}'; choose from {', '.join(SPLITS)}")
    opener = SOURCES[name]
    given = {flag: value for flag, value in flags.items() if value is not None and value != ""}
    for flag in set(given) - set(signature(opener).parameters):
        raise UserError(f"--{flag} means nothing to --dataset {name}")
    source = opener(split, Path(data_dir), **given)
    report = getattr(source, "report", None)
    for line in report.lines() if report is not None else ():
        (log or _complain)(line)
    return source


def not_yet_made(name: str, data_dir: str | Path, wanted: Collection[str]) -> Path | None:
    """The folder that opening the set would fill first; None where there is nothing to make."""
    return MADE[name](Path(data_dir), wanted) if name in MADE else None


def _complain(line: str) -> None:
    print(line, file=sys.stderr, flush=True)
