"""Deformable convolution in plain tensor operations: no compiler, no operator of any library.

Each sample is a weighted sum of four rows of the channels-last image: one `embedding_bag`, whose
kernels gather, weigh and add without storing the four corners. Exporters get the same sum written
with index and add, which every runtime has.
"""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor

from centernet.models.networks.DCNv2.sampling import Sampling
from centernet.runtime.exporting import exporting

NAME = "plain"


def forward(
    input: Tensor,
    offset: Tensor,
    mask: Tensor,
    weight: Tensor,
    bias: Tensor | None,
    sampling: Sampling,
    relu: bool = False,
) -> Tensor:
    """Output (N, O, Ho, Wo), differentiable; arguments as `operator.deform_conv2d`."""
    dtype = torch.float64 if input.dtype == torch.float64 else torch.float32
    batch, channels = input.shape[:2]
    groups = sampling.deformable_groups
    out_size = sampling.output_size(input, weight)
    index, share = _corners(offset.to(dtype), mask.to(dtype), input, weight, sampling)
    rows = input.to(dtype).permute(0, 2, 3, 1).reshape(-1, channels // groups)
    columns = _weighted_rows(rows, index.reshape(-1, 4), share.reshape(-1, 4))
    taps = weight.shape[2] * weight.shape[3]
    columns = columns.reshape(batch * out_size[0] * out_size[1], taps * channels)
    kernel = weight.to(dtype).permute(2, 3, 1, 0).reshape(taps * channels, -1)
    out = columns @ kernel
    if bias is not None:
        out = out + bias.to(dtype)
    if relu:
        out = out.relu()
    return out.reshape(batch, *out_size, weight.shape[0]).permute(0, 3, 1, 2).to(input.dtype)


def backward(
    grad: Tensor,
    input: Tensor,
    offset: Tensor,
    mask: Tensor,
    weight: Tensor,
    sampling: Sampling,
) -> tuple[Tensor, Tensor, Tensor, Tensor, Tensor]:
    """Gradients of input, offset, mask, weight and bias for `grad` (N, O, Ho, Wo)."""

    def run(x: Tensor, o: Tensor, m: Tensor, w: Tensor, b: Tensor) -> Tensor:
        return forward(x, o, m, w, b, sampling)

    bias = weight.new_zeros(weight.shape[0])
    pull_back = torch.func.vjp(run, input, offset, mask, weight, bias)[1]
    return pull_back(grad)


def _corners(
    offset: Tensor, mask: Tensor, input: Tensor, weight: Tensor, sampling: Sampling
) -> tuple[Tensor, Tensor]:
    """Row numbers (int64) and weights of the four neighbours of each sample.

    Both are (N, Ho, Wo, taps, groups, 4); the rows are those of the channels-last image seen as
    (N * H * W * groups, C / groups). Corners outside the image have weight zero.
    """
    batch, _, height, width = input.shape
    kernel_height, kernel_width = weight.shape[2:]
    out_height, out_width = sampling.output_size(input, weight)
    groups, taps = sampling.deformable_groups, kernel_height * kernel_width
    device, dtype = offset.device, offset.dtype

    def base(size: int, axis: int, kernel: int) -> Tensor:
        start = torch.arange(size, device=device) * sampling.stride[axis] - sampling.padding[axis]
        step = torch.arange(kernel, device=device) * sampling.dilation[axis]
        return (start[:, None] + step).to(dtype)

    shape = (batch, groups, kernel_height, kernel_width, 2, out_height, out_width)
    moved = offset.reshape(shape).permute(0, 5, 6, 2, 3, 1, 4)  # N, Ho, Wo, kh, kw, groups, (y, x)
    y = base(out_height, 0, kernel_height)[:, None, :, None, None] + moved[..., 0]
    x = base(out_width, 1, kernel_width)[:, None, :, None] + moved[..., 1]
    # Beyond one pixel outside nothing is sampled: clamping there keeps the integers in range.
    y, x = y.clamp(-2, height + 1), x.clamp(-2, width + 1)
    modulation = mask.reshape(batch, groups, taps, out_height, out_width).permute(0, 3, 4, 2, 1)
    if sampling.sigmoid_mask:
        modulation = modulation.sigmoid()
    modulation = modulation.reshape(y.shape)

    top, left = y.detach().floor(), x.detach().floor()
    below, right = y - top, x - left
    image = torch.arange(batch, device=device).reshape(-1, 1, 1, 1, 1, 1) * (height * width)
    group = torch.arange(groups, device=device)
    indices, shares = [], []
    for row, vertical in ((top, 1 - below), (top + 1, below)):
        for column, horizontal in ((left, 1 - right), (left + 1, right)):
            inside = (row >= 0) & (row < height) & (column >= 0) & (column < width)
            pixel = torch.where(inside, row * width + column, 0).long()
            indices.append((image + pixel) * groups + group)
            shares.append(vertical * horizontal * modulation * inside)
    return torch.stack(indices, -1), torch.stack(shares, -1)


def _weighted_rows(rows: Tensor, index: Tensor, share: Tensor) -> Tensor:
    """sum_k share[:, k] * rows[index[:, k]], (R, columns of `rows`)."""
    if exporting():
        terms = (rows[index[:, k]] * share[:, k, None] for k in range(index.shape[1]))
        return torch.stack(tuple(terms)).sum(0)
    return F.embedding_bag(index, rows, mode="sum", per_sample_weights=share)
