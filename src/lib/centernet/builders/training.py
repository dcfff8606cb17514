"""The trainer that options name."""

from __future__ import annotations

import shlex
from collections.abc import Callable
from typing import Any, TypeVar

import torch
from torch import nn

from centernet.builders.data import check_joints, open_part, training_source
from centernet.builders.detection import detector_settings, input_size, perfect_heads, run_test
from centernet.datasets.framing import NO_AUGMENTATION, Augmentation
from centernet.datasets.inspect import compare
from centernet.datasets.source import Source
from centernet.detectors.detector import Detector
from centernet.geometry.view import Size
from centernet.models.checkpoint import Checkpoint, load_weights
from centernet.models.description import describe
from centernet.models.model import CenterNet, create_model
from centernet.models.networks.segment import recompute
from centernet.models.pretrained import initialise
from centernet.options.flag import unknown
from centernet.options.options import Options
from centernet.runs.logger import Logger
from centernet.runtime.errors import UserError
from centernet.tasks import TASKS, Task
from centernet.tasks.oracle import Oracle
from centernet.trains.checkpoints import Best, Keeper
from centernet.trains.distributed import Processes
from centernet.trains.loader import EpochLoader
from centernet.trains.optimisers import adam
from centernet.trains.precision import Precision
from centernet.trains.samples import Dataset
from centernet.trains.schedules import MultiStep
from centernet.trains.seeds import seed_everything
from centernet.trains.step import Step
from centernet.trains.trainer import Length, Trainer

Thing = TypeVar("Thing")


def make_trainer(
    options: Options, checkpoint: Checkpoint | None, processes: Processes, logger: Logger
) -> Trainer:
    """Everything that one process of a training needs, at the start or where it is resumed."""
    source = in_turn(processes, lambda: training_source(options, logger))
    task = TASKS[options.task](source.info, options.own)
    seed_everything(options.seed)
    model = make_network(options, task)
    size = input_size(options, task.resolution(source.info, options.own), model)
    description = describe(task, model, options.arch, options.head_conv, size, options.dataset)
    if processes.main and not (checkpoint and options.continues):
        logger.write(starting_weights(options, model, checkpoint, description))
    step = make_step(options, task, model, processes)
    validation = {} if options.trainval else make_validation(options, source, size, step, logger)
    trainer = Trainer(
        step,
        MultiStep(options.lr, options.lr_step),
        make_loader(options, source, step, size, training=True),
        Keeper(
            options.save_dir,
            description,
            {"processes": processes.world, "torch": str(torch.__version__)},
            every=options.val_intervals if options.save_all else 0,
            milestones=options.lr_step,
        ),
        logger,
        Best(options.metric or task.metric),
        Length(options.num_epochs, options.num_iters, options.val_intervals, options.accumulate),
        seed=options.seed,
        name=lambda index: str(source.path(index)),
        resume_command=resume_command(options),
        **validation,
    )
    if checkpoint and options.continues:
        trainer.resume(checkpoint)
    return trainer


def in_turn(processes: Processes, make: Callable[[], Thing]) -> Thing:
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
        return initialise(model.backbone, options.weights, folder, options.offline)
    loaded = load_weights(model, checkpoint, strict=False, wanted=description)
    return f"{checkpoint.name}: {loaded}"


def make_network(options: Options, task: Task) -> CenterNet:
    """The network to train, with random weights."""
    model = create_model(options.arch, task.heads, options.head_conv)
    if len(task.learners):
        model.add_module("criterion", task.learners)  # trained, moved and kept with the network
    if options.checkpoint_activations:
        if options.compile:
            raise UserError(
                "--checkpoint_activations: torch.compile cannot keep BatchNorm's statistics as they"
                " are when it computes activations twice; leave out --compile"
            )
        recompute(model, options.arch)
    return model


def make_step(options: Options, task: Task, model: CenterNet, processes: Processes) -> Step:
    """One step of the optimiser, on the device of this process."""
    model.to(processes.device)
    perfect = perfect_heads(options)
    return Step(
        task,
        model,
        adam(model.parameters(), options.lr),
        precision=Precision(options.amp),
        clip=options.clip_grad,
        channels_last=options.channels_last,
        compiled=options.compile,
        processes=processes,
        oracle=Oracle(task, perfect) if perfect else None,
    )


def make_loader(
    options: Options, source: Source, step: Step, size: Size, training: bool
) -> EpochLoader:
    """The batches to learn from, or those whose losses are only looked at."""
    backbone, processes = step.model.backbone, step.processes
    batch_size = options.batch_size
    one_by_one = options.keep_res and not step.task.framing.one_size
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
        keep_res=options.keep_res,
        augmentation=augmentation(options) if training else NO_AUGMENTATION,
        seed=options.seed,
        unfinished=options.encode_on_device,
    )
    return EpochLoader(
        data,
        processes.world if one_by_one else batch_size,
        seed=options.seed,
        shuffle=training,
        drop_last=training,
        workers=options.num_workers,
        pin=processes.device.type == "cuda",
        processes=processes,
    )


def augmentation(options: Options) -> Augmentation:
    """How far training views may stray."""
    return Augmentation(
        random_crop=not options.not_rand_crop,
        shift=options.shift,
        scale=options.scale,
        rotate=options.rotate,
        rotate_chance=options.aug_rot,
        flip=options.flip,
        colour=not options.no_color_aug,
        crop_chance=options.aug_ddd,
    )


def make_validation(
    options: Options, training: Source, size: Size, step: Step, logger: Logger
) -> dict[str, Any]:
    """What a trainer validates with: the loader of the losses, and the measure of the metrics."""
    source = in_turn(step.processes, lambda: open_part(options, "val", logger))
    check_joints(type(step.task), training.info, source.info)
    for line in compare(training, source):
        logger.write(line)
    check_metric(options.metric, step.task, source)

    def measure(network: nn.Module, epoch: int) -> dict[str, float]:
        detector = Detector.of(
            step.task,
            network,
            input_size=size,
            device=step.processes.device,
            **detector_settings(options),
        )
        return run_test(options, detector, source, logger, phase="detect", epoch=epoch)

    loader = make_loader(options, source, step, size, training=False)
    return {"val_loader": loader, "evaluate": measure}


def check_metric(name: str | None, task: Task, source: Source) -> None:
    """Raise UserError for a --metric that no validation on `source` will give, where that is known.

    The others are found out at the first validation, which may be hours later.
    """
    if name is None or not source.metric_names:
        return
    losses = dict.fromkeys(["loss", *(term.stat for term in task.terms)])
    if name not in losses and name not in source.metric_names:
        raise UserError(f"--metric: {unknown('metric', name, [*losses, *source.metric_names])}")


def resume_command(options: Options) -> str:
    """What to type to go on with the run; opt.json holds the rest."""
    prog = options.command[0]
    words = [options.task, "--exp_id", options.exp_id, "--resume"]
    if "root" in options.given:
        words += ["--root", str(options.root)]
    return f"{'python ' if prog.endswith('.py') else ''}{prog} {shlex.join(words)}"
