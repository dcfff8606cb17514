"""The detector that options name, and its test."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import fields
from typing import Any

import torch

from centernet.builders.checkpoint import as_checkpoint_says
from centernet.datasets.published import PUBLISHED
from centernet.datasets.source import Info, Source
from centernet.detectors.detector import Detector
from centernet.detectors.error_budget import budget_lines, error_budget
from centernet.detectors.evaluation import Look, evaluate
from centernet.detectors.load import load_detector
from centernet.detectors.preprocess import Ready
from centernet.detectors.sketches import Sketches
from centernet.geometry.view import Size, divisible
from centernet.models.checkpoint import Checkpoint
from centernet.models.model import CenterNet
from centernet.options.flag import flags_of
from centernet.options.groups import Oracle as OracleOptions
from centernet.options.options import Options
from centernet.runs.logger import Logger
from centernet.runtime.errors import UserError
from centernet.structures.detections import Detections
from centernet.tasks import TASKS
from centernet.tasks.oracle import Oracle


def make_detector(
    options: Options, checkpoint: Checkpoint, device: torch.device, info: Info | None = None
) -> Detector:
    """The detector of `checkpoint`, for data of `info`, else for what it learned itself."""
    said = checkpoint.description
    options = as_checkpoint_says(options, checkpoint, ("arch", "head_conv", "dataset"))
    own = {
        flag.name: getattr(options.own, flag.name)
        for flag in flags_of(type(options.own))
        if flag.name in options.given or not said
    }
    if info is None and "class_names" not in said:
        info = _published_facts(options, checkpoint)
    task = TASKS[options.task]
    resolution = tuple(said.get("input_size") or task.resolution(info, options.own))
    return load_detector(
        checkpoint,
        task=options.task,
        arch=options.arch,
        head_conv=options.head_conv,
        info=info,
        flags=own,
        input_size=options.input_size(resolution),
        device=device,
        **detector_settings(options) | _own_size(options, said),
    )


def _own_size(options: Options, said: Mapping[str, Any]) -> dict[str, Any]:
    """That each image keeps its size, where the checkpoint is published so and no flag differs."""
    sizes = {"fix_res", "input_res", "input_h", "input_w"}
    return {"keep_res": True} if said.get("keep_res") and not sizes & options.given else {}


def _published_facts(options: Options, checkpoint: Checkpoint) -> Info:
    if options.dataset not in PUBLISHED:
        raise UserError(
            f"{checkpoint.name}: does not say what its classes are; --dataset names the set that it"
            f" learned, one of {', '.join(PUBLISHED)}"
        )
    return PUBLISHED[options.dataset]


def input_size(options: Options, resolution: Size, model: CenterNet) -> Size:
    """(height, width) of the input, which the network must be able to divide."""
    size, backbone = options.input_size(resolution), model.backbone
    if not divisible(size, backbone.pad, backbone.stride):
        raise UserError(
            f"input of {size[0]} x {size[1]}: height and width must be multiples of"
            f" {backbone.pad + 1} for {options.arch}; set --input_res, or --input_h and --input_w"
        )
    return size


def detector_settings(options: Options) -> dict[str, Any]:
    """How a detector is to test."""
    return {
        "keep_res": options.keep_res,
        "flip_test": options.flip_test,
        "scales": options.test_scales,
        "nms": options.nms,
        "k": options.K,
        "batch_size": options.test_batch_size,
        "amp": None if options.amp == "none" else options.amp,
        "channels_last": options.channels_last,
        "fuse": not options.no_fuse,
    }


def run_test(
    options: Options,
    detector: Detector,
    source: Source,
    logger: Logger,
    phase: str = "test",
    epoch: int | None = None,
) -> dict[str, float]:
    """Metrics of `detector` on `source`; results files go into the run's folder.

    The heads of --eval_oracle_... are made perfect for it.
    """
    names = perfect_heads(options)
    if names:
        detector = detector.with_oracle(Oracle(detector.task, names))
    ahead = not options.not_prefetch_test
    return evaluate(
        detector,
        source,
        options.save_dir,
        logger,
        workers=options.num_workers if ahead else 0,
        phase=phase,
        epoch=epoch,
        look=make_look(options, detector, source),
    )


def perfect_heads(options: Options) -> list[str]:
    """The names of the oracles that --eval_oracle_... asks for."""
    names = [f.name for f in fields(OracleOptions) if f.name.startswith("eval_oracle_")]
    return [name.removeprefix("eval_oracle_") for name in names if getattr(options, name)]


def run_budget(
    options: Options, detector: Detector, source: Source, logger: Logger, epoch: int | None = None
) -> dict[str, float]:
    """The metrics of `run_test`; before them what each perfect head would gain, as a table."""
    if perfect_heads(options):
        raise UserError("--error_budget tries every --eval_oracle_... by itself: leave those out")
    metrics: dict[str, float] = {}

    def measure(tested: Detector) -> float:
        metrics.update(run_test(options, tested, source, logger, epoch=epoch))
        return next(iter(metrics.values()))

    budget = error_budget(detector, measure)
    for line in budget_lines(budget, next(iter(metrics))):
        logger.write(line)
    return metrics


def make_look(options: Options, detector: Detector, source: Source) -> Look | None:
    """What --debug draws of each image that is tested on."""
    if options.debug == 0:
        return None
    sketches = make_sketches(options, detector)

    def look(index: int, ready: Ready, found: Detections) -> None:
        sketches.draw(str(source.image_id(index)), source.image(index), ready, found)

    return look


def make_sketches(options: Options, detector: Detector) -> Sketches:
    """The drawings of --debug."""
    return Sketches(
        options.debug_dir, detector, options.debug, options.vis_thresh, options.debugger_theme
    )
