"""From a detector's parts to a Job, and from that to a file that has been compared."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from datetime import date
from pathlib import Path
from typing import Any

import torch

from centernet.datasets.framing import SquareFraming, WideFraming
from centernet.datasets.natural_framing import NaturalFraming
from centernet.export.card import Card
from centernet.export.job import Job
from centernet.export.parity import Parity
from centernet.export.program import Colours, Program, made_ready
from centernet.export.runtimes.runtime import Runtime
from centernet.export.settings import Settings
from centernet.export.sizes import Sizes
from centernet.models.model import CenterNet
from centernet.tasks import Task

PRECISIONS = {"fp32": torch.float32, "fp16": torch.float16}


def make_job(
    task: Task,
    model: CenterNet,
    settings: Settings,
    description: Mapping[str, Any],
    *,
    mean: tuple[float, ...],
    std: tuple[float, ...],
    sha256: str = "",
) -> Job:
    """The export of `model` as `settings` say; `description` is its checkpoint's."""
    dtype = PRECISIONS[settings.precision]
    program = Program(
        task,
        made_ready(model, dtype),
        k=settings.k,
        colours=None if settings.floats else Colours(mean, std),
        raw=settings.raw,
        flip_test=settings.flip_test,
        dtype=dtype,
    ).eval()
    pad, stride = model.backbone.pad, model.backbone.stride
    card = card_for(program, settings, description, pad=pad, stride=stride)
    return Job(program, replace(card, mean=mean, std=std, sha256=sha256))


def card_for(
    program: Program, settings: Settings, description: Mapping[str, Any], *, pad: int, stride: int
) -> Card:
    """What the file of `program` will say of itself; what it puts out is found by running it."""
    task = program.task
    info = task.info
    sizes = Sizes.of(
        task, pad=pad, stride=stride, k=settings.k, fixed=settings.fixed, batch=settings.batch
    )
    size = settings.input_size
    card = Card(
        description=dict(description),
        inputs=program.input_names,
        outputs=program.output_names,
        sizes=sizes,
        stride=stride,
        k=settings.k,
        framing=framing_of(task, settings.keep_res),
        input_size=size if all(size) else task.resolution(info, task.options),
        mean=tuple(info.mean),
        std=tuple(info.std),
        colour=info.colour,
        raw=settings.raw,
        flip_test=settings.flip_test,
        precision=settings.precision,
        dcn=settings.dcn,
        date=date.today().isoformat(),
    )
    return card


def framing_of(task: Task, keep_res: bool) -> str:
    """The word for how a task's pictures become inputs; see Card."""
    framing: SquareFraming = task.framing
    if isinstance(framing, NaturalFraming):
        return "natural"
    if isinstance(framing, WideFraming):
        return "wide"
    return "keep_res" if keep_res else "affine"


def compared(job: Job, runtime: Runtime, trials: int | None = None) -> Parity:
    """How far `runtime` is from PyTorch on drawn pictures of the sizes of `job.trials`."""
    parity = Parity()
    for seed, (batch, size) in enumerate(job.trials()[:trials]):
        inputs = job.pictures(batch, size, seed)
        parity.see(job.reference(inputs), runtime.run(inputs))
    return parity


def described(job: Job, path: Path, write: Callable[[Job, Path], None], parity: Parity) -> Job:
    """Write the file once more, with the parity that was measured on it."""
    job.card = replace(job.card, parity=parity.figures())
    write(job, path)
    return job
