"""What a process needs before anything is built."""

from __future__ import annotations

import torch
from torch import nn

from centernet.models.networks.DCNv2 import DCN
from centernet.models.networks.DCNv2.backends import describe_backend, use_backend
from centernet.options.options import Options
from centernet.runs.logger import Logger
from centernet.runtime.private import keep_compilers_private


def settle(options: Options) -> None:
    """Set what PyTorch keeps per process: threads, cuDNN's search, the deformable convolution.

    And where its compilers keep their results.
    """
    keep_compilers_private()
    if options.threads:
        torch.set_num_threads(options.threads)
    torch.backends.cudnn.benchmark = not options.not_cuda_benchmark
    use_backend(None if options.dcn == "auto" else options.dcn)


def where_it_runs(model: nn.Module, device: torch.device) -> str:
    """The device and, if the network has deformable convolutions, what computes them there."""
    deformable = any(isinstance(layer, DCN) for layer in model.modules())
    return f"{device}; {describe_backend(device.type)}" if deformable else str(device)


def make_logger(options: Options, rank: int = 0) -> Logger:
    """The logger of the run's folder."""
    return Logger(
        options.save_dir,
        f"{options.task}/{options.exp_id}",
        rank,
        print_iter=options.print_iter,
        hide_data_time=options.hide_data_time,
        tensorboard=options.verb == "train",
    )
