"""Random deformable convolutions for the tests, and a reference written from the definition."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor

from centernet.models.networks.DCNv2 import deform_conv2d, use_backend


@dataclass(frozen=True)
class Case:
    """One call of the operator: sizes, parameters and how far the offsets reach (pixels)."""

    batch: int = 2
    channels: int = 8
    out_channels: int = 6
    size: tuple[int, int] = (7, 9)
    kernel: tuple[int, int] = (3, 3)
    stride: tuple[int, int] = (1, 1)
    padding: tuple[int, int] = (1, 1)
    dilation: tuple[int, int] = (1, 1)
    groups: int = 1
    sigmoid: bool = True
    bias: bool = True
    spread: float = 1.5
    seed: int = 0

    @property
    def out_size(self) -> tuple[int, int]:
        """(height, width) of the output, from the definition of a convolution."""
        height, width = (
            (n + 2 * p - d * (k - 1) - 1) // s + 1
            for n, p, d, k, s in zip(
                self.size, self.padding, self.dilation, self.kernel, self.stride, strict=True
            )
        )
        return height, width

    @property
    def parameters(self) -> tuple[object, ...]:
        """What follows the tensors in a call of the operator."""
        return self.stride, self.padding, self.dilation, self.groups, self.sigmoid

    def tensors(self, dtype: torch.dtype = torch.float32) -> list[Tensor | None]:
        """input, offset, mask, weight and bias."""
        generator = torch.Generator().manual_seed(self.seed)

        def normal(*shape: int) -> Tensor:
            return torch.randn(*shape, generator=generator, dtype=torch.float64)

        taps = self.groups * math.prod(self.kernel)
        fan_in = self.channels * math.prod(self.kernel)
        tensors = [
            normal(self.batch, self.channels, *self.size),
            normal(self.batch, 2 * taps, *self.out_size) * self.spread,
            normal(self.batch, taps, *self.out_size),
            normal(self.out_channels, self.channels, *self.kernel) / math.sqrt(fan_in),
            normal(self.out_channels) if self.bias else None,
        ]
        return [None if tensor is None else tensor.to(dtype) for tensor in tensors]


def run(
    backend: str | None,
    tensors: list[Tensor | None],
    parameters: tuple[object, ...],
    after: Callable[[Tensor], Tensor] = Tensor.clone,
) -> tuple[Tensor, list[Tensor]]:
    """Output and the gradients of all tensors given, for a fixed random gradient of the output.

    `after` is what is computed from the operator's output before it is looked at.
    """
    with use_backend(backend):
        leaves = [None if t is None else t.detach().clone().requires_grad_() for t in tensors]
        out = after(deform_conv2d(*leaves, *parameters))
        generator = torch.Generator().manual_seed(1)
        grad = torch.randn(out.shape, generator=generator).to(out.dtype)
        present = [leaf for leaf in leaves if leaf is not None]
        return out.detach(), list(torch.autograd.grad(out, present, grad))


def relative_error(actual: Tensor, expected: Tensor) -> float:
    """|actual - expected| / |expected| in the Frobenius norm (absolute where expected is zero)."""
    error = (actual.double() - expected.double()).norm()
    scale = expected.double().norm()
    return (error / scale if scale > 0 else error).item()


def by_definition(case: Case, tensors: list[Tensor | None]) -> Tensor:
    """The forward pass as a loop over output pixels and taps: slow, and plain to read."""
    x, offset, mask, weight, bias = tensors
    height, width = case.size
    taps = math.prod(case.kernel)
    out = x.new_zeros(case.batch, case.out_channels, *case.out_size)
    if bias is not None:
        out += bias[:, None, None]
    share = case.channels // case.groups

    def pixel(n: int, channels: slice, row: int, column: int) -> Tensor:
        if 0 <= row < height and 0 <= column < width:
            return x[n, channels, row, column]
        return x.new_zeros(share)

    for n, oy, ox, group, tap in (
        (n, oy, ox, group, tap)
        for n in range(case.batch)
        for oy in range(case.out_size[0])
        for ox in range(case.out_size[1])
        for group in range(case.groups)
        for tap in range(taps)
    ):
        i, j = divmod(tap, case.kernel[1])
        place = group * taps + tap
        y = oy * case.stride[0] - case.padding[0] + i * case.dilation[0]
        y += offset[n, 2 * place, oy, ox].item()
        z = ox * case.stride[1] - case.padding[1] + j * case.dilation[1]
        z += offset[n, 2 * place + 1, oy, ox].item()
        top, left = math.floor(y), math.floor(z)
        channels = slice(group * share, (group + 1) * share)
        value = x.new_zeros(share)
        for row, vertical in ((top, top + 1 - y), (top + 1, y - top)):
            for column, horizontal in ((left, left + 1 - z), (left + 1, z - left)):
                value = value + vertical * horizontal * pixel(n, channels, row, column)
        modulation = mask[n, place, oy, ox]
        modulation = modulation.sigmoid() if case.sigmoid else modulation
        out[n, :, oy, ox] += weight[:, channels, i, j] @ (value * modulation)
    return out
