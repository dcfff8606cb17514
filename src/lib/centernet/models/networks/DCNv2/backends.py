"""Which implementation of the deformable convolution runs, and the one switch that forces it."""

from __future__ import annotations

import os
from types import TracebackType
from typing import Protocol

from torch import Tensor

from centernet.errors import UserError
from centernet.models.networks.DCNv2 import compiled, plain, torchvision_backend
from centernet.models.networks.DCNv2.sampling import Sampling

ENVIRONMENT = "CENTERNET_DCN"


class Backend(Protocol):
    """A module that computes the operator; see `plain` for what each function takes and gives."""

    NAME: str

    @staticmethod
    def forward(
        input: Tensor,
        offset: Tensor,
        mask: Tensor,
        weight: Tensor,
        bias: Tensor | None,
        sampling: Sampling,
    ) -> Tensor: ...

    @staticmethod
    def backward(
        grad: Tensor,
        input: Tensor,
        offset: Tensor,
        mask: Tensor,
        weight: Tensor,
        sampling: Sampling,
    ) -> tuple[Tensor, Tensor, Tensor, Tensor, Tensor]: ...


BACKENDS: dict[str, Backend] = {
    backend.NAME: backend for backend in (compiled, torchvision_backend, plain)
}
_forced: str | None = None  # the switch: set by use_backend alone


def _check(name: str, origin: str) -> str:
    if name not in BACKENDS:
        raise UserError(f"{origin}: no DCN backend {name!r}; choose from {', '.join(BACKENDS)}")
    return name


class use_backend:
    """Force a backend by name, or None for the best available again.

    Takes effect at once; as a context manager the earlier choice returns at the end of the block.
    Raises UserError for a name that is not in BACKENDS.
    """

    def __init__(self, name: str | None) -> None:
        global _forced
        if name is not None:
            _check(name, "use_backend")
        self._previous = _forced
        _forced = name

    def __enter__(self) -> None:
        return None

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        global _forced
        _forced = self._previous


def forced_backend() -> str | None:
    """The name forced by `use_backend`, else by the variable CENTERNET_DCN, else None."""
    if _forced is not None:
        return _forced
    name = os.environ.get(ENVIRONMENT)
    return _check(name, ENVIRONMENT) if name else None


def choose(device: str) -> Backend:
    """The backend that serves tensors on a device of this type ("cpu", "cuda", ...).

    The forced one, else the compiled kernels where they run, else torchvision's. Raises UserError
    where the compiled kernels are forced and cannot be had.
    """
    forced = forced_backend()
    if forced is not None and forced != compiled.NAME:
        return BACKENDS[forced]
    reason = _why_not_compiled(device)
    if reason is None:
        return compiled
    if forced is not None:
        raise UserError(f"DCN backend {compiled.NAME!r} was forced: {reason}")
    return torchvision_backend


def _why_not_compiled(device: str) -> str | None:
    return compiled.why_not() if device == "cpu" else f"it runs on the CPU, not on {device}"


def backend_in_use(device: str = "cpu") -> str:
    """Name of the backend that runs on this type of device (compiling it if need be)."""
    return choose(device).NAME


def describe_backend(device: str = "cpu") -> str:
    """One line for the caller to print: the backend that runs, and why it is not the fast one."""
    name = backend_in_use(device)
    forced = forced_backend()
    if forced is not None:
        return f"DCNv2: {name} (forced)"
    reason = _why_not_compiled(device) if device == "cpu" else None
    return f"DCNv2: {name}" + (f", slower than compiled ({reason})" if reason else "")
