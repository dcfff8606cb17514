"""What a command would do, checked as far as can be without doing it: nothing is written.

The data set is read, the network built and the checkpoint fitted to it by the very code of the
command, so that what is wrong is said in the command's own words.
"""

from __future__ import annotations

from collections.abc import Callable

import torch

from centernet.builders.checkpoint import (
    awaited_download,
    fill_from_checkpoint,
    named_checkpoint,
    open_checkpoint,
)
from centernet.builders.data import open_part, tested_part
from centernet.builders.detection import make_detector
from centernet.builders.network import network_spec
from centernet.builders.training import make_trainer
from centernet.datasets import not_yet_made
from centernet.detectors.results_writer import ResultWriter
from centernet.io.stream import open_videos
from centernet.models.networks import make_backbone
from centernet.models.pretrained import classifier
from centernet.options.options import Options
from centernet.runs.logger import Logger
from centernet.runtime.device import choose_devices
from centernet.tasks import TASKS
from centernet.trains.distributed import Processes
from centernet.trains.trainer import Trainer

Log = Callable[[str], None]


def explain_training(options: Options) -> None:
    """Say what main.py would do; UserError for what would stop it."""
    logger = _begin(options)
    devices = choose_devices(options.machine.gpus, logger.write)
    checkpoint, download = None, None
    if options.model.load_model:
        download = awaited_download(options)
    if download:
        logger.write(f"checkpoint: {download}; whether it fits is not checked")
        options = options.changed(load_model="", weights="none")
    elif options.model.load_model:
        checkpoint = open_checkpoint(options)
    options = fill_from_checkpoint(options, checkpoint, ("arch", "head_conv"))
    data, task = options.data, TASKS[options.task_name]
    drawn = not_yet_made(data.dataset, data.data_dir, task.needs)
    if drawn is not None:
        make_backbone(network_spec(options.model, checkpoint))
        logger.write(f"data: {drawn} is drawn first; what depends on it is not checked")
    else:
        # On this device a network has shapes but no numbers: it takes neither time nor memory.
        nowhere = Processes(device=torch.device("meta"))
        with torch.device("meta"):
            trainer = make_trainer(_without_download(options, logger.write), checkpoint, nowhere,
                                   logger)  # fmt: skip
        for line in _facts(options, trainer, len(devices)):
            logger.write(line)
    logger.write(f"device: {', '.join(map(str, devices))}")
    logger.write(f"writes: {options.save_dir.absolute()}{_state(options)}")


def explain_test(options: Options, awaited: bool = False) -> None:
    """Say what test.py would do; UserError for what would stop it.

    With `awaited` the run's checkpoint may be missing still: a training comes before.
    """
    logger = _begin(options)
    device = choose_devices(options.machine.gpus, logger.write)[0]
    last = options.folder.last
    missing = awaited and options.model.load_model == str(last) and not last.exists()
    download = awaited_download(options)
    checkpoint = None if missing or download else named_checkpoint(options)
    options = fill_from_checkpoint(options, checkpoint, ("dataset",))
    data, task = options.data, TASKS[options.task_name]
    drawn = not_yet_made(data.dataset, data.data_dir, task.needs)
    if drawn is not None:
        logger.write(f"data: {drawn} is drawn first")
    else:
        source = open_part(data, task, tested_part(options), logger)
        logger.write(f"data: {source.info.name}, {len(source)} images to test on")
        if checkpoint is not None:
            make_detector(options, checkpoint, torch.device("cpu"), source.info)
    if download:
        logger.write(f"checkpoint: {download}; whether it fits is not checked")
    elif checkpoint is None:
        logger.write(f"checkpoint: {last.absolute()}, once training has written it")
    else:
        logger.write(f"checkpoint: {checkpoint.name}, epoch {checkpoint.epoch}")
    scales = ", ".join(f"{scale:g}" for scale in options.test.test_scales)
    logger.write(
        f"test: scales {scales}, {'with' if options.test.flip_test else 'without'} mirroring"
    )
    logger.write(f"device: {device}")
    logger.write(f"writes: {options.save_dir.absolute()}")


def explain_demo(options: Options) -> None:
    """Say what demo.py would do; UserError for what would stop it."""
    logger = _begin(options)
    streams = open_videos(options.demo.demo)
    if len(streams) == 1:  # several go into folders of their own
        ResultWriter.spare_the_originals(options.output_dir, streams[0])
    device = choose_devices(options.machine.gpus, logger.write)[0]
    said = awaited_download(options)
    if said is None:
        checkpoint = named_checkpoint(options)
        make_detector(options, checkpoint, torch.device("cpu"))
        said = f"{checkpoint.name}, epoch {checkpoint.epoch}"
    count = sum(len(stream) for stream in streams)
    logger.write(f"pictures: {options.demo.demo}" + (f", {count} in all" if count else ""))
    logger.write(f"checkpoint: {said}")
    logger.write(f"device: {device}")
    logger.write(f"writes: {options.output_dir.absolute()}")


def _begin(options: Options) -> Logger:
    logger = Logger()
    logger.write("dry run: nothing is written")
    for line in options.notices:
        logger.write(line)
    return logger


def _without_download(options: Options, log: Log) -> Options:
    """`options` that start from random weights where ImageNet's would have to be fetched."""
    if options.model.load_model or options.train.weights != "imagenet":
        return options
    published = make_backbone(network_spec(options.model)).pretrained
    if published is None:
        return options
    remote = classifier(published)
    path = options.root / "models" / remote.name
    if path.exists() or options.model.offline:
        return options
    log(
        f"weights: {remote.url} is downloaded to {path.absolute()} first; random ones stand in here"
    )
    return options.changed(weights="none")


def _facts(options: Options, trainer: Trainer, devices: int) -> list[str]:
    step, loader, info = trainer.step, trainer.loader, trainer.step.task.info
    millions = sum(weight.numel() for weight in step.model.parameters()) / 1e6
    height, width = trainer.checkpoints.description["input_size"]
    held = ", validated on none" if trainer.val_loader is None else (
        f", {len(trainer.val_loader.data)} to validate on"
    )  # fmt: skip
    train = options.train
    batch = f"batch {train.batch_size}" + (f" x {train.accumulate}" if train.accumulate > 1 else "")
    drops = ", ".join(map(str, train.lr_step))
    return [
        f"data: {info.name}, {len(loader.data)} images to train on{held}, {len(info.class_names)}"
        " classes",
        f"network: {network_spec(options.model).arch}, {millions:.2f} million parameters,"
        f" input {height} x {width}",
        f"schedule: epoch {trainer.epoch + 1} to {train.num_epochs}, {len(loader)} batches each,"
        f" {batch} over {devices} device{'s' if devices > 1 else ''}, learning rate {train.lr:g},"
        f" a tenth after {drops}",
    ]


def _state(options: Options) -> str:
    if not options.folder.last.exists():
        return " (new)"
    return "" if options.continues else " (the run that is there is kept under a number)"
