"""The detector that options name, and its test."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import fields
from typing import Any

import torch

from centernet.builders.checkpoint import fill_from_checkpoint
from centernet.builders.findings import keep_evaluation, keep_findings
from centernet.builders.network import network_spec
from centernet.builders.tracking import make_tracker
from centernet.datasets.evaluate.evaluation import Evaluation
from centernet.datasets.published import PUBLISHED
from centernet.datasets.source import Info, Source
from centernet.detectors.detector import Detector
from centernet.detectors.error_budget import budget_lines, error_budget
from centernet.detectors.evaluation import OnImage, Results, evaluate
from centernet.detectors.load import load_detector
from centernet.detectors.preprocess import Ready
from centernet.detectors.sketches import Sketches
from centernet.export.file_engine import file_detector
from centernet.export.opening import is_exported, open_file
from centernet.geometry.view import Size, check_divisible
from centernet.models.checkpoint import Checkpoint
from centernet.models.description import info_of
from centernet.models.model import CenterNet
from centernet.options import groups
from centernet.options.flag import flags_of
from centernet.options.groups import Input
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


def input_size(asked: Input, resolution: Size, model: CenterNet, arch: str) -> Size:
    """(height, width) of the input, which the network must be able to divide."""
    size, backbone = asked.size(resolution), model.backbone
    check_divisible(size, backbone.pad, backbone.stride, arch)
    return size


def detector_settings(options: Options) -> dict[str, Any]:
    """How a detector is to test."""
    test, machine = options.test, options.machine
    return {
        "keep_res": options.input.keep_res,
        "flip_test": test.flip_test,
        "scales": test.test_scales,
        "nms": test.nms,
        "k": test.K,
        "batch_size": options.batches.test_batch_size,
        "amp": None if machine.amp == "none" else machine.amp,
        "channels_last": machine.channels_last,
        "fuse": not machine.no_fuse,
    }


def run_test(
    options: Options,
    detector: Detector,
    source: Source,
    logger: Logger,
    phase: str = "test",
    epoch: int | None = None,
) -> Evaluation:
    """The evaluation of `detector` on `source`; results files go into the run's folder.

    The heads of --eval_oracle_... are made perfect for it.
    """
    names = perfect_heads(options.oracle)
    if names:
        detector = detector.with_oracle(Oracle(detector.task, names))
    ahead = not options.evaluate.not_prefetch_test

    def keep(results: Results) -> None:
        if phase == "test" and not options.evaluate.error_budget:
            threshold = options.drawing.vis_thresh
            keep_findings(options.folder, detector, source, results, threshold)

    evaluation = evaluate(
        detector,
        source,
        options.save_dir,
        logger,
        workers=options.batches.num_workers if ahead else 0,
        phase=phase,
        epoch=epoch,
        on_image=make_image_callback(options, detector, source),
        keep=keep,
        tracker=make_tracker(options.track, source.info.num_classes),
    )
    keep_evaluation(options.folder, evaluation)
    return evaluation


def perfect_heads(asked: groups.Oracle) -> list[str]:
    """The names of the oracles that --eval_oracle_... asks for."""
    names = [f.name for f in fields(groups.Oracle) if f.name.startswith("eval_oracle_")]
    return [name.removeprefix("eval_oracle_") for name in names if getattr(asked, name)]


def run_budget(
    options: Options, detector: Detector, source: Source, logger: Logger, epoch: int | None = None
) -> Evaluation:
    """As `run_test`; before it what each perfect head would gain, as a table."""
    if perfect_heads(options.oracle):
        raise UserError("--error_budget tries every --eval_oracle_... by itself: leave those out")
    evaluations: list[Evaluation] = []

    def measure(tested: Detector) -> float:
        evaluations.append(run_test(options, tested, source, logger, epoch=epoch))
        return evaluations[-1].main

    budget = error_budget(detector, measure)
    last = evaluations[-1]  # of the network as it is
    for line in budget_lines(budget, next(iter(last.metrics))):
        logger.write(line)
    return last


def make_image_callback(options: Options, detector: Detector, source: Source) -> OnImage | None:
    """What --debug draws of each image that is tested on."""
    if options.drawing.debug == 0:
        return None
    sketches = make_sketches(options, detector)

    def draw(index: int, ready: Ready, found: Detections) -> None:
        sketches.draw(str(source.image_id(index)), source.image(index), ready, found)

    return draw


def make_sketches(options: Options, detector: Detector) -> Sketches:
    """The drawings of --debug."""
    asked = options.drawing
    return Sketches(
        options.debug_dir, detector, asked.debug, asked.vis_thresh, asked.debugger_theme
    )
