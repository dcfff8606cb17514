"""Which devices the command runs on."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import torch

from centernet.runtime.errors import ArgumentError, UserError


def choose_devices(
    gpus: Sequence[int], log: Callable[[str], None] = lambda line: None
) -> list[torch.device]:
    """The devices for `--gpus`: one or several GPUs, or the CPU for -1 or where there is no GPU.

    Being without a GPU goes to `log`; a number beyond the GPUs that exist is a UserError.
    """
    if gpus[0] < 0:
        return [torch.device("cpu")]
    count = torch.cuda.device_count() if torch.cuda.is_available() else 0
    if count == 0:
        log(f"no GPU: running on the CPU ({_why_none()})")
        return [torch.device("cpu")]
    beyond = [gpu for gpu in gpus if gpu >= count]
    if beyond:
        present = ",".join(map(str, range(count)))
        raise UserError(f"--gpus: there is no GPU {beyond[0]} here; choose from {present}")
    return [torch.device("cuda", gpu) for gpu in gpus]


def _why_none() -> str:
    if torch.version.cuda is None:
        return f"PyTorch {torch.__version__} is a build without CUDA"
    return f"PyTorch {torch.__version__} finds none: no NVIDIA driver, or one older than CUDA"


def check_device(device: str | torch.device | None) -> None:
    """Raise ArgumentError unless `device` ("cpu", "cuda:1", ...) is one that is here."""
    if device is None:
        return
    try:
        asked = torch.device(device)
    except (RuntimeError, TypeError):
        raise ArgumentError(f"device {device!r} is none; name cpu, cuda or cuda:0") from None
    if asked.type == "cuda":
        count = torch.cuda.device_count() if torch.cuda.is_available() else 0
        if count == 0:
            raise ArgumentError(f"device {device!r}: {_why_none()}; name cpu")
        if (asked.index or 0) >= count:
            raise ArgumentError(f"device {device!r}: there are {count} here, counted from 0")
