"""Modulated deformable convolution as one dispatcher operator, `centernet::deform_conv2d`.

Zhu, Hu, Lin, Dai: Deformable ConvNets v2: More Deformable, Better Results (CVPR 2019). Tap (i, j)
of the kernel samples the input bilinearly at its regular place plus an offset and multiplies what
it finds by a mask; a sample is kept while -1 < y < H and -1 < x < W, with zeros outside the image.

The operator carries its own gradient (first order), shape function and autocast rule, so autograd,
torch.compile and export see one node. Which code computes it is `backends.choose`'s affair.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import torch
from torch import Tensor
from torch.library import Library

from centernet.models.networks.DCNv2 import backends, plain
from centernet.models.networks.DCNv2.sampling import Sampling, layout, pair
from centernet.runtime.exporting import exporting

_NAME = "centernet::deform_conv2d"
Gradients = tuple[Tensor, Tensor, Tensor, Tensor, Tensor]
_PARAMETERS = (
    "SymInt[2] stride=1, SymInt[2] padding=0, SymInt[2] dilation=1, SymInt deformable_groups=1, "
    "bool sigmoid_mask=False"
)


def deform_conv2d(
    input: Tensor,
    offset: Tensor,
    mask: Tensor,
    weight: Tensor,
    bias: Tensor | None = None,
    stride: int | Sequence[int] = 1,
    padding: int | Sequence[int] = 0,
    dilation: int | Sequence[int] = 1,
    deformable_groups: int = 1,
    sigmoid_mask: bool = False,
    relu: bool = False,
) -> Tensor:
    """Convolve `input` (N, C, H, W) with `weight` (O, C, kh, kw) at displaced, weighted samples.

    offset: (N, 2 * groups * kh * kw, Ho, Wo) in input pixels; of tap (i, j) channel
        2 * (i * kw + j) moves down, the next one right.
    mask: (N, groups * kh * kw, Ho, Wo), channel i * kw + j; with `sigmoid_mask` its logits.
    bias: (O,) or None.
    relu: whether what comes out is 0 where the result is below, as by torch.relu.

    Offset and mask are of the input's dtype or float32. Returns (N, O, Ho, Wo) in the input's dtype
    and memory format; under autocast input, weight and bias are cast first and offset and mask left
    as they are. Raises ValueError for shapes or dtypes that do not fit. Exporters are shown
    torchvision's operator, which they translate (ONNX: DeformConv), or plain tensor operations
    under `use_backend("plain")`.
    """
    parameters = (pair(stride), pair(padding), pair(dilation), deformable_groups, sigmoid_mask)
    if exporting():
        out = _exportable(input, offset, mask, weight, bias, Sampling.of(*parameters))
        return torch.relu(out) if relu else out
    return torch.ops.centernet.deform_conv2d(input, offset, mask, weight, bias, *parameters, relu)


def _exportable(
    input: Tensor,
    offset: Tensor,
    mask: Tensor,
    weight: Tensor,
    bias: Tensor | None,
    sampling: Sampling,
) -> Tensor:
    if backends.forced_backend() == plain.NAME:
        return plain.forward(input, offset, mask, weight, bias, sampling)
    import torchvision  # slow to import, and most commands never export

    if sampling.sigmoid_mask:
        mask = mask.sigmoid()
    return torchvision.ops.deform_conv2d(
        input,
        offset.to(input.dtype),
        weight,
        bias,
        sampling.stride,
        sampling.padding,
        sampling.dilation,
        mask.to(input.dtype),
    )


@torch.library.custom_op(
    _NAME,
    mutates_args=(),
    schema="(Tensor input, Tensor offset, Tensor mask, Tensor weight, Tensor? bias, "
    f"{_PARAMETERS}, bool relu=False) -> Tensor",
)
def _forward(
    input: Tensor,
    offset: Tensor,
    mask: Tensor,
    weight: Tensor,
    bias: Tensor | None,
    *parameters: Any,
) -> Tensor:
    sampling, relu = _read(*parameters)
    sampling.check(input, offset, mask, weight, bias)
    if input.shape[0] == 0:
        return _empty(input, offset, mask, weight, bias, *parameters)
    backend = backends.choose(input.device.type)
    out = backend.forward(input, offset, mask, weight, bias, sampling, relu)
    return out.contiguous(memory_format=layout(input))


@_forward.register_fake
def _empty(
    input: Tensor,
    offset: Tensor,
    mask: Tensor,
    weight: Tensor,
    bias: Tensor | None,
    *parameters: Any,
) -> Tensor:
    sampling, _ = _read(*parameters)
    sampling.check(input, offset, mask, weight, bias)
    size = (input.shape[0], weight.shape[0], *sampling.output_size(input, weight))
    return torch.empty(size, dtype=input.dtype, device=input.device, memory_format=layout(input))


def _read(*parameters: Any) -> tuple[Sampling, bool]:
    """Sampling and relu; the dispatcher leaves out what stands last and has its default."""
    count = len(Sampling.of().parameters)
    return Sampling.of(*parameters[:count]), any(parameters[count:])


@torch.library.custom_op(
    f"{_NAME}_backward",
    mutates_args=(),
    schema="(Tensor grad, Tensor input, Tensor offset, Tensor mask, Tensor weight, "
    f"{_PARAMETERS}) -> (Tensor, Tensor, Tensor, Tensor, Tensor)",
)
def _backward(
    grad: Tensor, input: Tensor, offset: Tensor, mask: Tensor, weight: Tensor, *parameters: Any
) -> Gradients:
    if input.shape[0] == 0:
        empty = _empty_gradients(grad, input, offset, mask, weight)
        for gradient in empty:
            gradient.zero_()
        return empty
    backend = backends.choose(input.device.type)
    gradients = backend.backward(grad, input, offset, mask, weight, Sampling.of(*parameters))
    grad_input, grad_offset, grad_mask, grad_weight, grad_bias = gradients
    order = layout(input)
    return (
        grad_input.contiguous(memory_format=order),
        grad_offset.contiguous(memory_format=order),
        grad_mask.contiguous(memory_format=order),
        grad_weight.contiguous(memory_format=layout(weight)),
        grad_bias,
    )


@_backward.register_fake
def _empty_gradients(
    grad: Tensor, input: Tensor, offset: Tensor, mask: Tensor, weight: Tensor, *parameters: Any
) -> Gradients:
    def like(tensor: Tensor, order: torch.memory_format) -> Tensor:
        return torch.empty(
            tensor.shape, dtype=tensor.dtype, device=tensor.device, memory_format=order
        )

    order = layout(input)
    maps = like(input, order), like(offset, order), like(mask, order)
    return (*maps, like(weight, layout(weight)), weight.new_empty(weight.shape[0]))


def _save(ctx: Any, inputs: tuple[Any, ...], output: Tensor) -> None:
    input, offset, mask, weight, bias, *ctx.parameters, relu = inputs
    ctx.save_for_backward(input, offset, mask, weight, output if relu else None)
    ctx.has_bias = bias is not None


def _differentiate(ctx: Any, grad: Tensor) -> tuple[Tensor | None, ...]:
    *tensors, rectified = ctx.saved_tensors
    if rectified is not None:
        grad = torch.ops.aten.threshold_backward(grad, rectified, 0)
    *gradients, grad_bias = torch.ops.centernet.deform_conv2d_backward(
        grad, *tensors, *ctx.parameters
    )
    return (*gradients, grad_bias if ctx.has_bias else None, *(None for _ in ctx.parameters), None)


_forward.register_autograd(_differentiate, setup_context=_save)


def _autocast(device: str) -> Callable[..., Tensor]:
    """The operator's rule under autocast: a positional call with three tensors cast."""

    def cast(
        input: Tensor,
        offset: Tensor,
        mask: Tensor,
        weight: Tensor,
        bias: Tensor | None = None,
        *parameters: Any,
    ) -> Tensor:
        dtype = torch.get_autocast_dtype(device)
        with torch.autocast(device, enabled=False):
            return torch.ops.centernet.deform_conv2d(
                input.to(dtype),
                offset if offset.dtype == dtype else offset.float(),
                mask if offset.dtype == dtype else mask.float(),
                weight.to(dtype),
                None if bias is None else bias.to(dtype),
                *parameters,
            )

    return cast


_LIBRARY = Library("centernet", "FRAGMENT")  # kept: registrations last as long as it does
for _device, _key in (("cpu", "AutocastCPU"), ("cuda", "AutocastCUDA")):
    _LIBRARY.impl("deform_conv2d", _autocast(_device), _key)
