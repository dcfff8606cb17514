"""The commands: parse, build, run. Each is called with its words and returns the exit code.

0 is success, 2 a mistake of the user's (one line on standard error), 130 an interruption.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Sequence
from importlib import import_module
from itertools import tee
from pathlib import Path

import torch

from centernet.builders.checkpoint import (
    as_checkpoint_says,
    named_checkpoint,
    open_checkpoint,
    task_of,
)
from centernet.builders.data import open_part, renamed
from centernet.builders.detection import make_detector, make_sketches, run_budget, run_test
from centernet.builders.dry_run import explain_demo, explain_test, explain_training
from centernet.builders.process import make_logger, settle, where_it_runs
from centernet.builders.record import record_test, recorded
from centernet.builders.training import in_turn, make_trainer
from centernet.console.exit_code import exit_code
from centernet.detectors.album import Album
from centernet.detectors.detector import Detector
from centernet.io.stream import Pictures, Video, open_stream
from centernet.options.options import Options
from centernet.opts import opts
from centernet.runs.logger import Logger
from centernet.runs.provenance import hash_of
from centernet.runtime.device import choose_devices
from centernet.runtime.errors import UserError
from centernet.trains.distributed import join, spawn

Root = str | Path | None


def train(argv: Sequence[str], root: Root = None, prog: str = "main.py") -> int:
    """Train a network, or with --test judge one as training would.

    Folders data/, exp/ and models/ lie beneath `root`, by default the current folder.
    """
    return exit_code(prog, lambda: _train(_options("train", argv, root, prog)))


def test(argv: Sequence[str], root: Root = None, prog: str = "test.py") -> int:  # noqa: PT028
    """Judge a network on the validation (with --trainval: test) part of a data set."""
    return exit_code(prog, lambda: _test(_options("test", argv, root, prog)))


def demo(argv: Sequence[str], root: Root = None, prog: str = "demo.py") -> int:
    """Detect in a user's pictures, video or camera, and save what is found."""
    return exit_code(prog, lambda: _demo(_options("demo", argv, root, prog)))


VERBS: dict[str, Callable[..., int]] = {"train": train, "test": test, "demo": demo}
# Those that take no task, by the module that holds them; one is imported when it is called.
TOOLS = {
    "repro": "centernet.commands.repro",
    "get_data": "centernet.commands.get_data",
    "info": "centernet.commands.info",
    "doctor": "centernet.commands.doctor",
}


def main(argv: Sequence[str] | None = None) -> int:
    """`centernet [train | test | demo] <task> ...`, with the current folder as the root."""
    words = list(sys.argv[1:] if argv is None else argv)
    if words and words[0] in TOOLS:
        tool = getattr(import_module(TOOLS[words[0]]), words[0])
        return tool(words[1:], prog=f"centernet {words[0]}")
    verb = words.pop(0) if words and words[0] in VERBS else None
    if verb is None and words in ([], ["-h"], ["--help"]):
        return exit_code("centernet", _usage) or (0 if words else 2)
    verb = verb or "train"
    return VERBS[verb](words, prog=f"centernet {verb}")


def _usage() -> None:
    print(f"usage: centernet {{{','.join(VERBS)}}} <task> [flags]; <verb> --help says more")
    print(f"       centernet {{{','.join(TOOLS)}}} [flags]")


def _options(verb: str, argv: Sequence[str], root: Root, prog: str) -> Options:
    return opts(verb, root, prog, task_of=task_of).parse(argv)


def _train(options: Options) -> None:
    if options.dry_run:
        explain_training(options)
        return
    started = "WORLD_SIZE" in os.environ  # by torchrun, one process per device
    devices = [] if started else choose_devices(options.gpus)
    if len(devices) > 1:
        spawn(train_process, (options,), options.gpus)
    else:
        train_process(options)


def train_process(options: Options) -> None:
    """Train in this process, alone or as one of those that the environment tells of."""
    said: list[str] = [*options.notices]
    several = int(os.environ.get("WORLD_SIZE", "1")) > 1
    # One of several takes the GPU of its rank among those left visible to it.
    device = choose_devices((0,) if several and options.gpus[0] >= 0 else options.gpus, said.append)
    settle(options)
    with join(device[0]) as processes:
        logger = make_logger(options, processes.rank)
        for line in said:
            logger.write(line)
        checkpoint = None
        if options.load_model:
            checkpoint = in_turn(processes, lambda: open_checkpoint(options, logger.write))
        options = as_checkpoint_says(options, checkpoint, ("arch", "head_conv"))
        trainer = make_trainer(options, checkpoint, processes, logger)
        place = where_it_runs(trainer.step.model, processes.device)
        logger.write(f"on {place}; run in {options.save_dir.absolute()}")
        if options.test:
            trainer.validate(trainer.epoch)
            return
        if processes.main and trainer.epoch < options.num_epochs:
            options.save(options.save_dir)
        with recorded(options, processes, trainer.epoch):
            trainer.run()
        logger.close()


def _test(options: Options) -> None:
    if options.dry_run:
        explain_test(options)
        return
    checkpoint = named_checkpoint(options)
    assert checkpoint.path is not None  # a test reads it from a file
    sha256 = hash_of(checkpoint.path)
    options = as_checkpoint_says(options, checkpoint, ("dataset",))
    logger = make_logger(options)
    device = _one_device(options, logger)
    source = open_part(options, "test" if options.trainval else "val", logger)
    for line in renamed(checkpoint.name, checkpoint.description, source.info):
        logger.write(line)
    detector = make_detector(options, checkpoint, device, source.info)
    place = where_it_runs(detector.engine.model, device)
    logger.write(f"{checkpoint.name} (epoch {checkpoint.epoch}) on {place}, {len(source)} images")
    detector.warm_up()
    run = run_budget if options.error_budget else run_test
    metrics = run(options, detector, source, logger)
    logger.write(f"time per image: {detector.timings}")
    logger.metrics(checkpoint.epoch, "test", metrics)
    record_test(options, checkpoint, sha256, source, metrics, device)
    logger.write(f"results in {options.save_dir.absolute()}")


def _demo(options: Options) -> None:
    if not options.demo:
        raise UserError("--demo: name an image, a folder, a pattern, a video or webcam")
    if options.dry_run:
        explain_demo(options)
        return
    stream = open_stream(options.demo)
    checkpoint = named_checkpoint(options)
    logger = Logger()
    device = _one_device(options, logger)
    detector = make_detector(options, checkpoint, device)
    logger.write(f"{checkpoint.name} on {where_it_runs(detector.engine.model, device)}")
    detector.warm_up()
    album = Album(
        options.output_dir, stream, options.vis_thresh, options.debugger_theme, options.show
    )
    try:
        with album:
            _fill(album, options, detector, stream, logger)
    finally:
        for line in (*(f"left out: {reason}" for reason in stream.unreadable), *album.says()):
            logger.write(line)
    logger.write(f"time per image: {detector.timings}")


def _fill(
    album: Album, options: Options, detector: Detector, stream: Pictures | Video, logger: Logger
) -> None:
    """Detect in every frame of `stream` until it ends or the user closes the window."""
    sketches = make_sketches(options, detector)
    frames, to_detect = tee(stream)
    for frame, found in zip(frames, detector.run(to_detect), strict=False):
        summary = found.summary(options.vis_thresh, flag="--vis_thresh")
        logger.write(f"{frame.name}: {summary}")
        if options.debug > 0:
            ready = detector.prepare(frame.image)
            sketches.draw(Path(frame.name).stem, frame.image, ready, found)
        if not album.add(frame, found):
            break


def _one_device(options: Options, logger: Logger) -> torch.device:
    """The device of a command that runs in one process."""
    settle(options)
    for line in options.notices:
        logger.write(line)
    devices = choose_devices(options.gpus, logger.write)
    if len(devices) > 1:
        logger.write(f"this command uses one device: {devices[0]}")
    return devices[0]
