"""Training, in as many processes as there are devices."""

from __future__ import annotations

import os
from pathlib import Path

from centernet.builders.checkpoint import fill_from_checkpoint, open_checkpoint
from centernet.builders.dry_run import explain_training
from centernet.builders.process import configure_process, make_logger
from centernet.builders.record import recorded
from centernet.builders.repeats import overfit_verdict
from centernet.builders.training import main_process_first, make_trainer
from centernet.commands.jobs.report import report
from centernet.detectors.torch_engine import place_of
from centernet.options.options import Options
from centernet.runtime.device import choose_devices
from centernet.trains.distributed import join, spawn


def run(options: Options) -> None:
    """Train in one process for each of the devices."""
    if options.run.dry_run:
        explain_training(options)
        return
    started = "WORLD_SIZE" in os.environ  # by torchrun, one process per device
    devices = [] if started else choose_devices(options.machine.gpus)
    if len(devices) > 1:
        spawn(train_process, (options,), options.machine.gpus)
    else:
        train_process(options)


def train_process(options: Options) -> None:
    """Train in this process, alone or as one of those that the environment names."""
    said: list[str] = [*options.notices]
    several = int(os.environ.get("WORLD_SIZE", "1")) > 1
    # One of several takes the GPU of its rank among those left visible to it.
    device = choose_devices(
        (0,) if several and options.machine.gpus[0] >= 0 else options.machine.gpus, said.append
    )
    configure_process(options.machine)
    with join(device[0]) as processes:
        options = processes.share(with_old_run_aside(options, said) if processes.main else None)
        logger = make_logger(options, processes.rank)
        for line in said:
            logger.write(line)
        checkpoint = None
        if options.model.load_model:
            asked = options
            checkpoint = main_process_first(processes, lambda: open_checkpoint(asked, logger.write))
        options = fill_from_checkpoint(options, checkpoint, ("arch", "head_conv"))
        trainer = make_trainer(options, checkpoint, processes, logger)
        place = place_of(trainer.step.model, processes.device)
        logger.write(f"on {place}; run in {options.save_dir.absolute()}")
        if options.train.test:
            trainer.validate(trainer.epoch)
            return
        if processes.main and trainer.epoch < options.train.num_epochs:
            options.save(options.save_dir)
        with recorded(options, processes, trainer.epoch, lambda: trainer.epoch):
            trainer.run()
        if processes.main and options.train.overfit:
            best, count = trainer.best, len(trainer.loader.data)
            if not best.metric.endswith("loss"):
                logger.write(overfit_verdict(best.metric, best.value, count))
        if processes.main:
            report(options, logger.write)
        logger.close()


def with_old_run_aside(options: Options, said: list[str]) -> Options:
    """`options` to start again with: a run that is in the folder is kept under a number, and told.

    Weights to start from that lie in that folder are read from its new place.
    """
    if options.continues or options.train.test:
        return options
    old, load = options.folder.path.resolve(), options.model.load_model
    moved = options.folder.set_aside(said.append)
    if moved is None or not load or not Path(load).resolve().is_relative_to(old):
        return options
    return options.changed(load_model=str(moved.path / Path(load).resolve().relative_to(old)))
