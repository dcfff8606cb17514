"""The checkpoint that a word names."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

from centernet.export.opening import facts_of, is_exported
from centernet.io.meter import Log
from centernet.models.checkpoint import Checkpoint, read_checkpoint
from centernet.models.zoo import locate
from centernet.runtime.errors import UserError


def find_checkpoint(
    word: str | Path, folder: str | Path, *, offline: bool = False, log: Log = print
) -> Checkpoint:
    """The checkpoint `word`: a path, a published name or an http(s) address.

    The last two are looked for in `folder` and else downloaded into it, unless `offline`. What is
    published of a file stands in for what it does not say of itself. Of an exported file it is what
    that says, without weights. UserError for what is none of these or cannot be read.
    """
    return read_known(*locate(str(word), folder, offline=offline, log=log))


def read_known(path: Path, known: Mapping[str, Any]) -> Checkpoint:
    """The checkpoint at `path`, whose description is that of the file and else what is `known`."""
    checkpoint = read_checkpoint_or_file(path)
    return replace(checkpoint, description={**known, **checkpoint.description})


def read_checkpoint_or_file(path: Path) -> Checkpoint:
    """The checkpoint at `path`; of an exported file, without weights, what it says of itself."""
    if is_exported(path):
        return Checkpoint({}, facts_of(path), path=path)
    return read_checkpoint(path)


def check_task(checkpoint: Checkpoint, task: str | None) -> None:
    """Raise UserError when the checkpoint says that it is of another task than the one named."""
    own = checkpoint.description.get("task", task)
    if task is not None and own != task:
        raise UserError(f"{checkpoint.name}: is of task {own}, not {task}; run {own} with it")
