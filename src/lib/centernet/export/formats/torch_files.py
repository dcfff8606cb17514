"""PyTorch's own files: TorchScript, exported programs, and those compiled ahead of time."""

from __future__ import annotations

import warnings
from pathlib import Path

import torch

from centernet.export.card import KEY
from centernet.export.job import Job
from centernet.export.settings import Settings
from centernet.export.sidecar import write_card
from centernet.io.files import atomic_write


def write_torchscript(job: Job, path: Path, settings: Settings) -> None:
    """For libtorch; PyTorch calls it outdated, and has nothing else that older versions read."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of constants, which these are
        traced = job.traced
        with atomic_write(path) as temporary:
            torch.jit.save(traced, str(temporary), _extra_files={KEY: job.card.to_json()})


def describe_torchscript(job: Job, path: Path) -> None:
    """Let the file say what the card of `job` says."""
    write_torchscript(job, path, Settings())


def write_exported_program(job: Job, path: Path, settings: Settings | None = None) -> None:
    """What torch.export.load reads, with free sizes."""
    with atomic_write(path) as temporary:
        torch.export.save(job.exported, str(temporary), extra_files={KEY: job.card.to_json()})


def describe_exported_program(job: Job, path: Path) -> None:
    """Let the file say what the card of `job` says."""
    write_exported_program(job, path)


def write_aoti(job: Job, path: Path, settings: Settings) -> None:
    """Compiled for this kind of processor; needs a C++ compiler."""
    from torch._inductor import aoti_compile_and_package

    with atomic_write(path) as temporary:
        aoti_compile_and_package(job.exported, package_path=str(temporary))
    write_card(job.card, path)


def describe_aoti(job: Job, path: Path) -> None:
    """Let the file beside it say what the card of `job` says."""
    write_card(job.card, path)
