"""The backend of our own C++ kernels for the CPU (csrc/), compiled at first use."""

from __future__ import annotations

from functools import cache

import torch
from torch import Tensor

from centernet.models.networks.DCNv2 import build
from centernet.models.networks.DCNv2.sampling import Sampling

NAME = "compiled"


@cache
def why_not() -> str | None:
    """Load the kernels, compiling them if need be: None, or why they cannot be had."""
    try:
        torch.ops.load_library(build.library())
    except build.BuildError as error:
        return str(error)
    except OSError as error:  # a library that does not load must not take the program with it
        return f"the compiled library does not load ({error}); delete {build.cache_folder()}"
    return None


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

    float32, float64 and bfloat16 are computed as they are (sums of bfloat16 in float32), others in
    float32.
    """
    kernel = torch.ops.centernet_cpu.deform_conv2d
    return kernel(input, offset, mask, weight, bias, *sampling.parameters, relu)


def backward(
    grad: Tensor,
    input: Tensor,
    offset: Tensor,
    mask: Tensor,
    weight: Tensor,
    sampling: Sampling,
) -> tuple[Tensor, Tensor, Tensor, Tensor, Tensor]:
    """Gradients of input, offset, mask, weight and bias for `grad` (N, O, Ho, Wo).

    float32 and float64 are computed as they are, others in float32.
    """
    kernel = torch.ops.centernet_cpu.deform_conv2d_backward
    return kernel(grad, input, offset, mask, weight, *sampling.parameters)
