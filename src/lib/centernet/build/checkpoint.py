"""What the checkpoint that options name says about the rest of them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from centernet.errors import UserError
from centernet.load import check_task
from centernet.models.checkpoint import Checkpoint, read_checkpoint
from centernet.options.options import Options


def named_checkpoint(options: Options) -> Checkpoint:
    """The checkpoint to test or show with; UserError if none is named."""
    if not options.load_model:
        raise UserError(
            "name the checkpoint to use: --load_model FILE, or --exp_id NAME --resume for the last"
            f" one of a run under {options.exp_dir}"
        )
    checkpoint = read_checkpoint(options.load_model)
    check_task(checkpoint, options.task)
    return checkpoint


def as_checkpoint_says(
    options: Options, checkpoint: Checkpoint | None, names: Sequence[str]
) -> Options:
    """`options` with those of `names` that were not given taken from the checkpoint's words."""
    said = {} if checkpoint is None else checkpoint.description
    return replace(options, **{n: said[n] for n in names if said.get(n) and n not in options.given})
