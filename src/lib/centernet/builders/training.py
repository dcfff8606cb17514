"""The trainer that options name."""

from __future__ import annotations

import shlex
from collections.abc import Callable, Sequence
from typing import Any, TypeVar, cast

import torch
from torch import nn

from centernet.builders.colours import starting_colours
from centernet.builders.data import check_joints, open_part, training_source
from centernet.builders.evaluation import run_test
from centernet.builders.examine import doubts_of, framed_for
from centernet.builders.learning import make_average, make_optimizer, make_schedule
from centernet.builders.network import network_spec
from centernet.builders.repeats import first_with_objects, repeats_of
from centernet.builders.settings import detector_settings, input_size
from centernet.datasets.class_map import matched
from centernet.datasets.evaluate.tracking import METRICS as TRACK_METRICS
from centernet.datasets.framing import NO_AUGMENTATION, Augmentation
from centernet.datasets.inspect import compare
from centernet.datasets.source import Source
from centernet.datasets.table_source import TableSource
from centernet.detectors.detector import Detector
from centernet.geometry.view import Size
from centernet.io.download import DownloadError
from centernet.models.checkpoint import Checkpoint, load_weights
from centernet.models.create import create_model
from centernet.models.description import describe
from centernet.models.model import CenterNet
from centernet.models.networks.segment import recompute
from centernet.models.pretrained import initialise, take_bgr
from centernet.models.spec import ModelSpec
from centernet.options.flag import unknown
from centernet.options.groups import Augment, Train
from centernet.options.options import Options
from centernet.runs.logger import Logger
from centernet.runtime.errors import UserError
from centernet.tasks import TASKS, Task
from centernet.tasks.oracle import Oracle
from centernet.trains.checkpoints import BestMetric, CheckpointWriter
from centernet.trains.distributed import Processes
from centernet.trains.loader import EpochLoader
from centernet.trains.precision import Precision
from centernet.trains.samples import Dataset
from centernet.trains.seeds import seed_everything
from centernet.trains.step import Step
from centernet.trains.trainer import RunLength, Trainer

JUDGED = "MOTA"  # by which the best epoch is chosen where tracks are measured
METRICS = tuple(name for name in TRACK_METRICS if name != "IDSW")  # higher is better
T = TypeVar("T")


def make_trainer(
    options: Options, checkpoint: Checkpoint | None, processes: Processes, logger: Logger
) -> Trainer:
    """Everything that one process of a training needs, at the start or where it is resumed."""
    train, network, data = options.train, options.model, options.data
    kind = TASKS[options.task_name]
    source = main_process_first(processes, lambda: training_source(data, kind, logger))
    if train.overfit:
        source = first_with_objects(source, train.overfit)
        logger.write(f"--overfit: {len(source)} images, unchanged, to learn and to test on")
    spec = network_spec(network, checkpoint)
    task = kind(starting_colours(source.info, spec, train.weights, checkpoint), options.task)
    seed_everything(train.seed)
    model = make_network(spec, train, task)
    resolution = task.resolution(source.info, options.task)
    size = input_size(options.input, resolution, model, spec.arch)
    description = describe(task, spec, model.head_conv, size, data.dataset)
    if data.dataset == "custom":
        pad, stride = model.backbone.pad, model.backbone.stride
        framed = framed_for(task.framing, size, pad, options.input.keep_res)
        for line in doubts_of(source, framed, stride):
            logger.write(f"train: {line}")
    if processes.main and not (checkpoint and options.continues):
        logger.write(starting_weights(options, model, checkpoint, description))
    step = make_step(options, task, model, processes)
    validates = train.test or (train.val_intervals > 0 and not data.trainval)
    known = source if train.overfit else None
    validation = make_validation(options, source, size, step, logger, known) if validates else {}
    trainer = Trainer(
        step,
        make_schedule(options.learning, train.lr, train.lr_step, train.num_epochs),
        make_loader(options, source, step, size, training=True),
        CheckpointWriter(
            options.save_dir,
            description,
            {"processes": processes.world, "torch": str(torch.__version__)},
            every=train.val_intervals if train.save_all else 0,
            milestones=train.lr_step,
        ),
        logger,
        BestMetric(train.metric or (JUDGED if tracks(options) else task.metric)),
        RunLength(train.num_epochs, train.num_iters, train.val_intervals, train.accumulate),
        seed=train.seed,
        name=lambda index: str(source.path(index)),
        resume_command=resume_command(options),
        patience=train.patience,
        **validation,
    )
    if checkpoint and options.continues:
        trainer.resume(checkpoint)
    return trainer


def main_process_first(processes: Processes, make: Callable[[], T]) -> T:
    """What `make` gives, in the main process first: the others find what it has drawn to disk."""
    first = make() if processes.main else None
    processes.share(None)
    return make() if first is None else first


def starting_weights(
    options: Options, model: CenterNet, checkpoint: Checkpoint | None, description: dict[str, Any]
) -> str:
    """Fill `model` from `checkpoint`, or its backbone from ImageNet; a line that says what was."""
    if checkpoint is None:
        folder = options.root / "models"
        weights = options.train.weights
        try:
            line = initialise(model.backbone, weights, folder, options.model.offline)
        except DownloadError as error:
            if "weights" in options.given:
                raise
            return f"backbone: random weights; --weights imagenet was not asked for, and {error}"
        if weights == "none" or not take_bgr(model.backbone):
            return line
        return f"{line}; the trunk sees colours as its classifier did"
    loaded = load_weights(model, checkpoint, strict=False, wanted=description)
    return f"{checkpoint.name}: {loaded}"


def make_network(spec: ModelSpec, train: Train, task: Task) -> CenterNet:
    """The network to train, with random weights."""
    model = create_model(spec, task.heads, inputs=task.inputs)
    if len(task.learners):
        model.add_module("criterion", task.learners)  # trained, moved and kept with the network
    if train.checkpoint_activations:
        if train.compile:
            raise UserError(
                "--checkpoint_activations: torch.compile cannot keep BatchNorm's statistics as they"
                " are when it computes activations twice; leave out --compile"
            )
        recompute(model, spec.arch)
    return model


def make_step(options: Options, task: Task, model: CenterNet, processes: Processes) -> Step:
    """One step of the optimiser, on the device of this process."""
    train, learning, machine = options.train, options.learning, options.machine
    model.to(processes.device)
    perfect = options.oracle.eval_oracle
    return Step(
        task,
        model,
        make_optimizer(learning, model, train.lr),
        precision=Precision(machine.amp),
        clip=train.clip_grad,
        channels_last=machine.channels_last,
        compiled=train.compile,
        processes=processes,
        average=make_average(learning, model),
        oracle=Oracle(task, perfect) if perfect else None,
    )


def make_loader(
    options: Options, source: Source, step: Step, size: Size, training: bool
) -> EpochLoader:
    """The batches to learn from, or those whose losses are only looked at."""
    backbone, processes = step.model.backbone, step.processes
    batch_size, keep_res = options.train.batch_size, options.input.keep_res
    one_by_one = keep_res and not step.task.framing.one_size
    if one_by_one and training and batch_size > processes.world:
        raise UserError(
            "--keep_res: images of different sizes do not make a batch; add --batch_size"
            f" {processes.world} (and --accumulate {batch_size} for the same step)"
        )
    data = Dataset(
        source,
        step.task,
        size=size,
        stride=backbone.stride,
        pad=backbone.pad,
        keep_res=keep_res,
        augmentation=step.task.augmentation(augmentation(options.augment))
        if training and not options.train.overfit
        else NO_AUGMENTATION,
        seed=options.train.seed,
        unfinished=options.train.encode_on_device,
    )
    return EpochLoader(
        data,
        processes.world if one_by_one else batch_size,
        seed=options.train.seed,
        shuffle=training,
        drop_last=training,
        workers=options.batches.num_workers,
        pin=processes.device.type == "cuda",
        processes=processes,
        repeats=repeats_of(options.train, source) if training else None,
    )


def augmentation(asked: Augment) -> Augmentation:
    """How far training views may stray."""
    return Augmentation(
        random_crop=not asked.not_rand_crop,
        shift=asked.shift,
        scale=asked.scale,
        rotate=asked.rotate,
        rotate_chance=asked.aug_rot,
        flip=asked.flip,
        colour=not asked.no_color_aug,
    )


def make_validation(
    options: Options,
    training: Source,
    size: Size,
    step: Step,
    logger: Logger,
    known: Source | None = None,
) -> dict[str, Any]:
    """What a trainer validates with: the loader of the losses, and the measure of the metrics.

    On the images that are `known` or, as ever, on the validation part.
    """
    kind = type(step.task)
    source = known or main_process_first(
        step.processes, lambda: open_part(options.data, kind, "val", logger)
    )
    check_joints(kind, training.info, source.info)
    if isinstance(source, TableSource):
        for line in matched(source, training.info.class_names):
            logger.write(line)
    for line in () if known else compare(training, source):
        logger.write(line)
    names = METRICS if tracks(options) else tuple(source.metric_names)
    check_metric(options.train.metric, step.task, names)

    def measure(network: nn.Module, epoch: int) -> dict[str, float]:
        detector = Detector.of(
            step.task,
            cast("CenterNet", network),
            input_size=size,
            device=step.processes.device,
            **detector_settings(options),
        )
        return run_test(options, detector, source, logger, phase="detect", epoch=epoch).metrics

    loader = make_loader(options, source, step, size, training=False)
    return {"val_loader": loader, "evaluate": measure}


def tracks(options: Options) -> bool:
    """Whether validation gives identities, so that tracks are measured."""
    return options.track.tracker != "none"


def check_metric(name: str | None, task: Task, names: Sequence[str]) -> None:
    """Raise UserError for a --metric that is no loss and not among `names`, unless none is known.

    The others are found out at the first validation, which may be hours later.
    """
    if name is None or not names:
        return
    losses = dict.fromkeys(["loss", *(term.stat for term in task.terms)])
    if name not in losses and name not in names:
        raise UserError(f"--metric: {unknown('metric', name, [*losses, *names])}")


def resume_command(options: Options) -> str:
    """What to type to go on with the run; opt.json holds the rest."""
    prog = options.command[0]
    words = [options.task_name, "--exp_id", options.run.exp_id, "--resume"]
    if "root" in options.given:
        words += ["--root", str(options.root)]
    return f"{'python ' if prog.endswith('.py') else ''}{prog} {shlex.join(words)}"
