"""The compiled operators and their stand-ins, each run on a small input and compared."""

from __future__ import annotations

import time
from collections.abc import Iterable

import numpy as np
import torch
import torchvision

from centernet.commands.checkup.finding import BAD, GOOD, NOTE, Finding
from centernet.external import nms, nms_numba
from centernet.models.networks.DCNv2 import backends, plain
from centernet.models.networks.DCNv2.operator import deform_conv2d
from centernet.runtime.errors import UserError

CLOSE = 1e-4  # largest difference, relative to the largest value, that is rounding
PAIR = "install torch and torchvision together, so that they fit: pip install -U torch torchvision"
BUILD = "install a C++ compiler, then: python -m centernet.models.networks.DCNv2"
AGAIN = "do what stands in brackets, then: python -m centernet.models.networks.DCNv2"


def check_torchvision() -> Iterable[Finding]:
    """Whether torchvision's own operators load, which fails with a torch of another release."""
    try:
        boxes = torch.tensor([[0.0, 0, 10, 10], [1, 1, 10, 10], [20, 20, 30, 30]])
        kept = torchvision.ops.nms(boxes, torch.tensor([0.9, 0.8, 0.7]), 0.5).tolist()
    except (RuntimeError, NotImplementedError) as error:
        yield Finding(BAD, f"torchvision's operators do not load ({_first(error)})", PAIR)
        return
    state = GOOD if kept == [0, 2] else BAD
    yield Finding(state, "torchvision's operators", "" if state == GOOD else PAIR)


def check_dcn() -> Iterable[Finding]:
    """Every backend of the deformable convolution on every kind of device, forth and back."""
    devices = ["cpu", *(["cuda"] if torch.cuda.is_available() else [])]
    expected = _dcn(plain.NAME, "cpu")
    for device in devices:
        for name in backends.BACKENDS:
            yield _compare(name, device, expected)
        try:
            yield Finding(GOOD, f"on the {device.upper()} {backends.describe_backend(device)}")
        except UserError as error:  # the environment forces one that does not run here
            remedy = f"unset {backends.ENVIRONMENT}, or name another there"
            yield Finding(BAD, f"on the {device.upper()}: {error}", remedy)


def _compare(name: str, device: str, expected: list[torch.Tensor]) -> Finding:
    what = f"DCNv2 {name} on the {device.upper()}"
    try:
        start = time.perf_counter()
        found = _dcn(name, device)
        seconds = time.perf_counter() - start
    except Exception as error:  # whatever a build, a driver or a kernel raises
        compiled = name == backends.compiled.NAME
        if compiled and device == "cpu":
            remedy = BUILD if "compiler" in _first(error) else AGAIN
            return Finding(NOTE, f"{what}: not available ({_first(error)})", remedy)
        return Finding(NOTE, f"{what}: not available ({_first(error)})")
    worst = max(
        ((f - e).abs().max() / e.abs().max()).item() for f, e in zip(found, expected, strict=True)
    )
    if not worst <= CLOSE:
        remedy = "force another with --dcn, and report this"
        return Finding(BAD, f"{what}: wrong by {worst:.1e}", remedy)
    return Finding(GOOD, f"{what}: agrees within {worst:.1e}, {seconds * 1000:.0f} ms")


def _dcn(name: str, device: str) -> list[torch.Tensor]:
    """Output and gradients of a small deformable convolution by the backend `name`."""
    generator = torch.Generator().manual_seed(0)

    def random(*shape: int) -> torch.Tensor:
        values = torch.randn(shape, generator=generator).to(device)
        return values.requires_grad_()

    inputs = [random(1, 4, 9, 11), random(1, 18, 9, 11), random(1, 9, 9, 11), random(3, 4, 3, 3)]
    image, offset, mask, weight = inputs
    with backends.use_backend(name):
        out = deform_conv2d(image, offset, mask, weight, random(3), padding=1, sigmoid_mask=True)
        out.square().sum().backward()
    gradients = [value.grad for value in inputs if value.grad is not None]
    return [tensor.detach().cpu() for tensor in (out, *gradients)]


def check_nms() -> Iterable[Finding]:
    """The soft-NMS in use against its form in numba, on many overlapping boxes."""
    found, expected = _rows(), _rows()
    kept = len(nms.soft_nms(found, Nt=0.5, method=nms.GAUSSIAN))
    count = nms_numba.soft(expected, 0.5, 0.5, 0.001, nms.GAUSSIAN, False, 0.0, False)
    if kept != count or not np.allclose(found, expected, rtol=1e-6):
        remedy = "install again: pip install --force-reinstall --no-deps centernet"
        yield Finding(BAD, f"NMS: {nms.BACKEND} differs from numba", remedy)
    elif nms.BACKEND == "numba":
        remedy = "with a C compiler, install again; this is as right, and compiles at first use"
        yield Finding(NOTE, "NMS: numba (the extension is not built)", remedy)
    else:
        yield Finding(GOOD, f"NMS: {nms.BACKEND}, equal to numba on {len(found)} boxes")


def _rows() -> np.ndarray:
    rng = np.random.default_rng(0)
    corners = rng.uniform(0, 100, (60, 2))
    sides = rng.uniform(10, 60, (60, 2))
    return np.hstack([corners, corners + sides, rng.random((60, 1))]).astype(np.float32)


def _first(error: Exception) -> str:
    return (str(error) or type(error).__name__).splitlines()[0]
