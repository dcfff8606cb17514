"""What the checkpoint that options name says about the rest of them."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from centernet.builders.find import check_task, find_checkpoint, read_checkpoint_or_file
from centernet.io.meter import Log
from centernet.models.checkpoint import Checkpoint
from centernet.models.zoo import ZOO, locate, remote_named
from centernet.options.options import Options
from centernet.runtime.errors import UserError


def open_checkpoint(options: Options, log: Log = print) -> Checkpoint:
    """The checkpoint of --load_model: a path, a published name or an address, fetched if need be.

    What is published of it stands in for what the file does not say of itself.
    """
    model = options.model
    folder = options.root / "models"
    return find_checkpoint(model.load_model, folder, offline=model.offline, log=log)


def awaited_download(options: Options) -> str | None:
    """What would be downloaded before the checkpoint can be read, in words; None if nothing."""
    remote = remote_named(options.model.load_model)
    path = options.root / "models" / (remote.name if remote else "")
    if remote is None or path.exists():
        return None
    if options.model.offline or not remote.url:
        open_checkpoint(options)  # says why it cannot be had
    return f"{remote.url} is downloaded to {path.absolute()} first"


def task_of(word: str) -> str | None:
    """The task of the checkpoint that --load_model names; None if that is not known yet."""
    if remote_named(word) is not None:
        return ZOO[word].known.get("task") if word in ZOO else None
    return read_checkpoint_or_file(locate(word, Path())[0]).description.get("task")


def named_checkpoint(options: Options) -> Checkpoint:
    """The checkpoint to test or show with; UserError if none is named."""
    if not options.model.load_model:
        raise UserError(
            "name the checkpoint to use: --load_model FILE (or a published name), or --exp_id NAME"
            f" --resume for the last one of a run under {options.exp_dir}"
        )
    checkpoint = open_checkpoint(options)
    check_task(checkpoint, options.task_name)
    return checkpoint


def fill_from_checkpoint(
    options: Options, checkpoint: Checkpoint | None, names: Sequence[str]
) -> Options:
    """`options` with those of `names` that were not given taken from the checkpoint."""
    known = {} if checkpoint is None else checkpoint.description
    return options.changed(
        **{n: known[n] for n in names if known.get(n) and n not in options.given}
    )
