"""The backend for NVIDIA GPUs: Triton kernels, compiled at first use without a CUDA toolkit.

`TRITON_INTERPRET=1`, set before anything imports triton, runs the same kernels on the CPU, slowly,
in Triton's interpreter: that is how they are tested where there is no GPU.
"""

from __future__ import annotations

import contextlib
import importlib.util
import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from typing import Any

import torch
from torch import Tensor

from centernet.models.networks.DCNv2.sampling import Sampling
from centernet.models.networks.DCNv2.triton_tiles import (
    Problem,
    Tiles,
    data_tiles,
    forward_tiles,
    up,
    weight_tiles,
)

NAME = "triton"
_LEAST = (8, 0)  # compute capability: the first with bfloat16 and TF32 in its matrix units
_FINISH = 1024  # numbers that one program of `finish` adds up


@dataclass(frozen=True)
class Launch:
    """A kernel, its grid and arguments: made apart from the call, so that tests compile it too."""

    kernel: Any
    grid: tuple[int, ...]
    arguments: Mapping[str, Any]
    warps: int = 4
    stages: int = 1

    def __call__(self) -> None:
        self.kernel[self.grid](**self.arguments, num_warps=self.warps, num_stages=self.stages)


@cache
def why_not(device: str) -> str | None:
    """None where the kernels run on this type of device, else the reason in a few words."""
    if importlib.util.find_spec("triton") is None:
        return "triton is not installed; pip install triton"
    if device == "cpu" and os.environ.get("TRITON_INTERPRET") == "1":
        return None
    if device != "cuda":
        return f"it runs on NVIDIA GPUs, not on {device}"
    if torch.version.hip is not None or not torch.cuda.is_available():
        return "no NVIDIA GPU is to be seen"
    capability = torch.cuda.get_device_capability()
    if capability < _LEAST:
        return f"the GPU has compute capability {capability[0]}.{capability[1]}, 8.0 is needed"
    return None


def processors(device: torch.device) -> int:
    """Multiprocessors of the GPU, for each of which there should be a program; 8 for a CPU."""
    if device.type != "cuda":
        return 8
    return torch.cuda.get_device_properties(device).multi_processor_count


def forward(
    input: Tensor,
    offset: Tensor,
    mask: Tensor,
    weight: Tensor,
    bias: Tensor | None,
    sampling: Sampling,
    relu: bool = False,
) -> Tensor:
    """Output (N, O, Ho, Wo), channels last; arguments as `operator.deform_conv2d`.

    Sums are float32 (float64 for float64); float32 factors are multiplied as three TF32 products,
    or as one where `torch.backends.cuda.matmul.allow_tf32` says so.
    """
    out, launches = plan_forward(input, offset, mask, weight, bias, sampling, relu)
    _run(launches, input.device)
    return out


def backward(
    grad: Tensor,
    input: Tensor,
    offset: Tensor,
    mask: Tensor,
    weight: Tensor,
    sampling: Sampling,
) -> tuple[Tensor, Tensor, Tensor, Tensor, Tensor]:
    """Gradients of input, offset, mask, weight and bias for `grad` (N, O, Ho, Wo).

    That of the input is added up atomically, in no fixed order: its last bits may differ from run
    to run. Raises RuntimeError where torch.use_deterministic_algorithms forbids that.
    """
    _refuse_if_deterministic()
    gradients, launches = plan_backward(grad, input, offset, mask, weight, sampling)
    _run(launches, input.device)
    grad_input, grad_offset, grad_mask, grad_weight = gradients
    return (
        grad_input.to(input.dtype),
        grad_offset,
        grad_mask,
        grad_weight.sum(0).permute(0, 3, 1, 2).to(weight.dtype),
        grad.sum((0, 2, 3), dtype=grad_input.dtype).to(weight.dtype),
    )


def plan_forward(
    input: Tensor,
    offset: Tensor,
    mask: Tensor,
    weight: Tensor,
    bias: Tensor | None,
    sampling: Sampling,
    relu: bool = False,
    tiles: Tiles | None = None,
) -> tuple[Tensor, list[Launch]]:
    """The output, not yet computed, and what computes it, in `tiles` or those of the rule."""
    from centernet.models.networks.DCNv2.triton_forward import convolve, finish

    problem = _problem(input, weight, sampling)
    tiles = tiles or forward_tiles(problem, processors(input.device))
    out = _channels_last(input, problem.outs, problem.out_size, input.dtype)
    common = _common(input, offset, mask, weight, sampling, tiles)
    common |= {"x": _last(input), "weight": _last(weight), "bias": bias}
    grid = (tiles.count(problem), up(problem.outs, tiles.outs), tiles.splits)
    common["PLACES"] = up(problem.places, tiles.splits)
    # Of what adds up the whole sums.
    last: dict[str, Any] = {"BIAS": bias is not None, "RELU": relu}
    whole: dict[str, Any] = {"output": out, "splits_apart": 0} | last
    if tiles.splits == 1:
        return out, [Launch(convolve, grid, common | whole, tiles.warps, tiles.stages)]
    parts = out.new_empty((tiles.splits, out.numel()), dtype=_sums(input))
    split = {"output": parts, "splits_apart": out.numel(), "BIAS": False, "RELU": False}
    end = {"parts": parts, "bias": bias, "output": out, "size": out.numel(), "OUTS": problem.outs}
    end |= {"SPLITS": tiles.splits, "BLOCK": _FINISH} | last
    return out, [
        Launch(convolve, grid, common | split, tiles.warps, tiles.stages),
        Launch(finish, (up(out.numel(), _FINISH),), end),
    ]


def plan_backward(
    grad: Tensor,
    input: Tensor,
    offset: Tensor,
    mask: Tensor,
    weight: Tensor,
    sampling: Sampling,
) -> tuple[tuple[Tensor, Tensor, Tensor, Tensor], list[Launch]]:
    """Gradients of input, offset, mask and weight, not yet computed, and what computes them.

    That of the input is in the type of the sums, that of the weight (splits, O, kh, kw, C).
    """
    from centernet.models.networks.DCNv2.triton_backward import correlate, differentiate

    problem = _problem(input, weight, sampling)
    sums, size = _sums(input), problem.out_size
    grad_input = _channels_last(input, problem.channels, input.shape[2:], sums).zero_()
    grad_offset = _channels_last(input, 2 * problem.places, size, offset.dtype)
    grad_mask = _channels_last(input, problem.places, size, mask.dtype)
    tensors = {"grad": _last(grad), "x": _last(input)}

    data = data_tiles(problem)
    arguments = _common(input, offset, mask, weight, sampling, data) | tensors
    arguments |= {"weight": _last(weight), "grad_input": grad_input}
    arguments |= {"grad_offset": grad_offset, "grad_mask": grad_mask}
    grid: tuple[int, ...] = (data.count(problem), problem.places)
    launches = [Launch(differentiate, grid, arguments, data.warps, data.stages)]

    tiles = weight_tiles(problem, processors(input.device))
    kernel = weight.shape[2:]
    parts = input.new_empty((tiles.splits, problem.outs, *kernel, problem.channels), dtype=sums)
    arguments = _common(input, offset, mask, weight, sampling, tiles) | tensors
    arguments |= {"grad_weight": parts, "tiles": tiles.count(problem)}
    arguments["tiles_each"] = up(tiles.count(problem), tiles.splits)
    blocks = up(problem.share, tiles.channels)
    grid = (problem.places * blocks, up(problem.outs, tiles.outs), tiles.splits)
    launches.append(Launch(correlate, grid, arguments, tiles.warps, tiles.stages))
    return (grad_input, grad_offset, grad_mask, parts), launches


def _common(
    input: Tensor, offset: Tensor, mask: Tensor, weight: Tensor, sampling: Sampling, tiles: Tiles
) -> dict[str, Any]:
    """The arguments that all kernels take."""
    import triton.language as tl

    out_height, out_width = sampling.output_size(input, weight)
    tf32 = torch.backends.cuda.matmul.allow_tf32
    precision = {torch.float32: "tf32" if tf32 else "tf32x3"}.get(input.dtype, "ieee")
    values: dict[str, Any] = {"height": input.shape[2], "width": input.shape[3]}
    values |= {"out_height": out_height, "out_width": out_width, "offset": offset, "mask": mask}
    for name, tensor in (("offset", offset), ("mask", mask)):
        for axis, stride in zip(
            ("image", "channel", "row", "column"), tensor.stride(), strict=True
        ):
            values[f"{name}_{axis}"] = stride
    return values | {
        "CHANNELS": input.shape[1],
        "OUTS": weight.shape[0],
        "GROUPS": sampling.deformable_groups,
        "KERNEL": tuple(weight.shape[2:]),
        "SAMPLING": (*sampling.stride, *sampling.padding, *sampling.dilation),
        "SIGMOID": sampling.sigmoid_mask,
        "SUM": tl.float64 if input.dtype == torch.float64 else tl.float32,
        "PRECISION": precision,
        "TILE_H": tiles.height,
        "TILE_W": tiles.width,
        "BLOCK_OUT": tiles.outs,
        "BLOCK": tiles.channels,
    }


def _problem(input: Tensor, weight: Tensor, sampling: Sampling) -> Problem:
    return Problem(
        batch=input.shape[0],
        out_size=sampling.output_size(input, weight),
        channels=input.shape[1],
        outs=weight.shape[0],
        groups=sampling.deformable_groups,
        taps=weight.shape[2] * weight.shape[3],
        item_size=input.element_size(),
    )


def _sums(input: Tensor) -> torch.dtype:
    return torch.float64 if input.dtype == torch.float64 else torch.float32


def _last(tensor: Tensor) -> Tensor:
    """Channels last, without a copy where it lies so already (a network's maps and weights)."""
    return tensor.contiguous(memory_format=torch.channels_last)


def _channels_last(like: Tensor, channels: int, size: Sequence[int], dtype: torch.dtype) -> Tensor:
    shape = (like.shape[0], channels, *size)
    return torch.empty(shape, dtype=dtype, device=like.device, memory_format=torch.channels_last)


def _run(launches: list[Launch], device: torch.device) -> None:
    with torch.cuda.device(device) if device.type == "cuda" else contextlib.nullcontext():
        for launch in launches:
            launch()


def _refuse_if_deterministic() -> None:
    forbidden = torch.are_deterministic_algorithms_enabled()
    if forbidden and not torch.is_deterministic_algorithms_warn_only_enabled():
        raise RuntimeError(
            "DCNv2 triton: the gradient of the input has no deterministic form; "
            "use torch.use_deterministic_algorithms(True, warn_only=True)"
        )
