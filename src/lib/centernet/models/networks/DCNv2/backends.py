"""Which implementation of the deformable convolution runs, and the one switch that forces it."""

from __future__ import annotations

import os
from types import TracebackType
from typing import Protocol

from torch import Tensor

from centernet.models.networks.DCNv2 import compiled, plain, torchvision_backend, triton_backend
from centernet.models.networks.DCNv2.sampling import Sampling
from centernet.runtime.errors import UserError

ENVIRONMENT = "CENTERNET_DCN"


class Backend(Protocol):
    """A module that computes the operator; see `plain` for what each function takes and gives."""

    NAME: str

    def forward(
        self,
        input: Tensor,
        offset: Tensor,
        mask: Tensor,
        weight: Tensor,
        bias: Tensor | None,
        sampling: Sampling,
        relu: bool = False,
    ) -> Tensor: ...

    def backward(
        self,
        grad: Tensor,
        input: Tensor,
        offset: Tensor,
        mask: Tensor,
        weight: Tensor,
        sampling: Sampling,
    ) -> tuple[Tensor, Tensor, Tensor, Tensor, Tensor]: ...


BACKENDS: dict[str, Backend] = {
    backend.NAME: backend for backend in (compiled, triton_backend, torchvision_backend, plain)
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

    The forced one, else our kernels for that device where they run (compiled, triton), else plain
    tensor operations on a CPU, where they take a fraction of the time of torchvision's operator,
    and that operator elsewhere. Raises UserError where kernels are forced that cannot be had.
    """
    forced = forced_backend()
    if forced is None:
        kernels = _kernels(device)
        if _why_not(kernels, device) is None:
            return kernels
        return plain if device == "cpu" else torchvision_backend
    backend = BACKENDS[forced]
    if (reason := _why_not(backend, device)) is not None:
        raise UserError(f"DCN backend {forced!r} was forced: {reason}")
    return backend


def _kernels(device: str) -> Backend:
    """Our own kernels for a type of device, whether or not they run here."""
    return triton_backend if device == "cuda" else compiled


def _why_not(backend: Backend, device: str) -> str | None:
    """None where the backend runs on this type of device, else the reason."""
    if backend is triton_backend:
        return triton_backend.why_not(device)
    if backend is compiled:
        return compiled.why_not() if device == "cpu" else f"it runs on the CPU, not on {device}"
    return None


def backend_in_use(device: str = "cpu") -> str:
    """Name of the backend that runs on this type of device (compiling it if need be)."""
    return choose(device).NAME


def describe_backend(device: str = "cpu") -> str:
    """One line for the caller to print: the backend that runs, and why it is not the fast one."""
    name = backend_in_use(device)
    if forced_backend() is not None:
        return f"DCNv2: {name} (forced)"
    kernels = _kernels(device)
    reason = _why_not(kernels, device) if device in ("cpu", "cuda") else None
    return f"DCNv2: {name}" + (f", slower than {kernels.NAME} ({reason})" if reason else "")
