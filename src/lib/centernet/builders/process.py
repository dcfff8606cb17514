"""What a process needs before anything is built."""

from __future__ import annotations

import torch

from centernet.models.networks.DCNv2.backends import use_backend
from centernet.options.groups import Machine
from centernet.options.options import Options
from centernet.runs.logger import Logger
from centernet.runtime.device import choose_devices
from centernet.runtime.private import keep_compilers_private


def configure_process(machine: Machine) -> None:
    """Set what PyTorch keeps per process: threads, cuDNN's search, the deformable convolution.

    And where its compilers keep their results.
    """
    keep_compilers_private()
    if machine.threads:
        torch.set_num_threads(machine.threads)
    torch.backends.cudnn.benchmark = not machine.not_cuda_benchmark
    use_backend(None if machine.dcn == "auto" else machine.dcn)


def make_logger(options: Options, rank: int = 0) -> Logger:
    """The logger of the run's folder."""
    return Logger(
        options.save_dir,
        f"{options.task_name}/{options.run.exp_id}",
        rank,
        print_iter=options.batches.print_iter,
        hide_data_time=options.train.hide_data_time,
        tensorboard=options.verb == "train",
    )


def one_device(options: Options, logger: Logger) -> torch.device:
    """The device of a command that runs in one process."""
    configure_process(options.machine)
    for line in options.notices:
        logger.write(line)
    devices = choose_devices(options.machine.gpus, logger.write)
    if len(devices) > 1:
        logger.write(f"this command uses one device: {devices[0]}")
    return devices[0]
