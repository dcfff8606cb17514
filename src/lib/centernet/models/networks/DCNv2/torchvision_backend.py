"""torchvision's operator, in float32 or float64: the backend of other devices than CPUs."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor

from centernet.models.networks.DCNv2.sampling import Sampling

NAME = "torchvision"
_FAR = 1e6  # pixels


def _working_type(input: Tensor) -> torch.dtype:
    """float64 stays; half precisions are computed in float32 (the CPU operator has no bfloat16)."""
    return torch.float64 if input.dtype == torch.float64 else torch.float32


def _positions(offset: Tensor, mask: Tensor, sampling: Sampling) -> tuple[Tensor, Tensor]:
    """Offset and mask that are safe to hand on: the CPU operator reads wild addresses at NaN.

    A NaN offset becomes zero and its mask NaN, so that it shows in the output all the same; far
    ones are brought to a distance at which nothing is sampled either.
    """
    if sampling.sigmoid_mask:
        mask = mask.sigmoid()
    lost = offset.isnan().unflatten(1, (-1, 2)).any(2)
    return offset.nan_to_num(nan=0.0).clamp(-_FAR, _FAR), mask.masked_fill(lost, float("nan"))


def _arguments(sampling: Sampling) -> tuple[int | bool, ...]:
    return (
        *sampling.stride,
        *sampling.padding,
        *sampling.dilation,
        1,  # groups of the weight
        sampling.deformable_groups,
        True,  # modulated
    )


def _operators() -> Any:
    """torch.ops.torchvision; imported at the first call, because the import takes a second."""
    import torchvision  # noqa: F401  registers them

    return torch.ops.torchvision


def forward(
    input: Tensor,
    offset: Tensor,
    mask: Tensor,
    weight: Tensor,
    bias: Tensor | None,
    sampling: Sampling,
    relu: bool = False,
) -> Tensor:
    """Output (N, O, Ho, Wo), contiguous; arguments as `operator.deform_conv2d`."""
    dtype = _working_type(input)
    x, w = input.to(dtype), weight.to(dtype)
    off, modulation = _positions(offset.to(dtype), mask.to(dtype), sampling)
    b = w.new_zeros(w.shape[0]) if bias is None else bias.to(dtype)
    out = _operators().deform_conv2d(x, w, off, modulation, b, *_arguments(sampling))
    return (out.relu_() if relu else out).to(input.dtype)


def backward(
    grad: Tensor,
    input: Tensor,
    offset: Tensor,
    mask: Tensor,
    weight: Tensor,
    sampling: Sampling,
) -> tuple[Tensor, Tensor, Tensor, Tensor, Tensor]:
    """Gradients of input, offset, mask, weight and bias for `grad` (N, O, Ho, Wo)."""
    dtype = _working_type(input)
    g, x, w = (tensor.to(dtype) for tensor in (grad, input, weight))
    off, modulation = _positions(offset.to(dtype), mask.to(dtype), sampling)
    b = w.new_zeros(w.shape[0])
    grad_input, grad_weight, grad_offset, grad_mask, grad_bias = (
        _operators()._deform_conv2d_backward(g, x, w, off, modulation, b, *_arguments(sampling))
    )
    if sampling.sigmoid_mask:
        grad_mask = grad_mask * modulation * (1 - modulation)
    return (
        grad_input.to(input.dtype),
        grad_offset.to(offset.dtype),
        grad_mask.to(mask.dtype),
        grad_weight.to(weight.dtype),
        grad_bias.to(weight.dtype),
    )
