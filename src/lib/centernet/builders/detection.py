"""The detector that options name, and its test."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import torch

from centernet.builders.checkpoint import fill_from_checkpoint
from centernet.builders.load import load_detector
from centernet.builders.network import network_spec
from centernet.builders.settings import detector_settings
from centernet.datasets.published import PUBLISHED
from centernet.datasets.source import Info
from centernet.detectors.detector import Detector
from centernet.export.file_engine import file_detector
from centernet.export.opening import is_exported, open_file
from centernet.models.checkpoint import Checkpoint
from centernet.models.description import info_of
from centernet.options.flag import flags_of
from centernet.options.options import Options
from centernet.runtime.errors import UserError
from centernet.tasks import TASKS


def make_detector(
    options: Options, checkpoint: Checkpoint, device: torch.device, info: Info | None = None
) -> Detector:
    """The detector of `checkpoint`, for data of `info`, else for what it learned itself."""
    if is_exported(checkpoint.path):
        return exported_detector(options, checkpoint)
    said = checkpoint.description
    options = fill_from_checkpoint(options, checkpoint, ("arch", "head_conv", "dataset"))
    own = {
        flag.name: getattr(options.task, flag.name)
        for flag in flags_of(type(options.task))
        if flag.name in options.given or not said
    }
    if info is None and "class_names" not in said:
        info = _published_facts(options, checkpoint)
    task = TASKS[options.task_name]
    facts = info or info_of(said)
    assert facts is not None  # what the file says of its classes, or what is published of them
    resolution = tuple(said.get("input_size") or task.resolution(facts, options.task))
    return load_detector(
        checkpoint,
        task=options.task_name,
        arch=network_spec(options.model, checkpoint),
        head_conv=options.model.head_conv,
        info=info,
        flags=own,
        input_size=options.input.size(resolution),
        device=device,
        **detector_settings(options) | _own_size(options, said),
    )


def exported_detector(options: Options, checkpoint: Checkpoint) -> Detector:
    """The detector that runs an exported file as the options ask."""
    runtime = options.runtime
    assert checkpoint.path is not None
    opened = open_file(
        checkpoint.path,
        runtime.runtime,
        threads=options.machine.threads,
        providers=runtime.providers,
    )
    if "K" in options.given and opened.card.k != options.test.K:
        made = opened.card.k
        raise UserError(f"--K {options.test.K}: {checkpoint.name} was exported with {made}")
    if options.machine.amp != "none":
        raise UserError(f"--amp: {checkpoint.name} has its precision, {opened.card.precision}")
    sizes = {"fix_res", "input_res", "input_h", "input_w"} & options.given
    size = options.input.size(opened.card.input_size) if sizes else None
    keep_res = options.input.keep_res or (False if sizes else None)
    flags = flags_of(type(options.task))
    return file_detector(
        opened,
        checkpoint.name,
        flags={f.name: getattr(options.task, f.name) for f in flags if f.name in options.given},
        input_size=size,
        keep_res=keep_res,
        scales=options.test.test_scales,
        nms=options.test.nms,
        batch_size=options.batches.test_batch_size,
        flip_test=options.test.flip_test,
    )


def _own_size(options: Options, said: Mapping[str, Any]) -> dict[str, Any]:
    """That each image keeps its size, where the checkpoint is published so and no flag differs."""
    sizes = {"fix_res", "input_res", "input_h", "input_w"}
    return {"keep_res": True} if said.get("keep_res") and not sizes & options.given else {}


def _published_facts(options: Options, checkpoint: Checkpoint) -> Info:
    dataset = options.data.dataset
    if dataset not in PUBLISHED:
        raise UserError(
            f"{checkpoint.name}: does not say what its classes are; --dataset names the set that it"
            f" learned, one of {', '.join(PUBLISHED)}"
        )
    return PUBLISHED[dataset]
