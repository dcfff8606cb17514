"""Where a deformable convolution samples: its integer parameters and the shapes they imply."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor


@dataclass(frozen=True)
class Sampling:
    """Parameters of one deformable convolution besides its tensors; pairs are (height, width).

    `deformable_groups` sets of offsets each move C / deformable_groups consecutive channels.
    `sigmoid_mask` says that the mask is given as logits, so that a kernel can fuse the sigmoid.
    """

    stride: tuple[int, int]
    padding: tuple[int, int]
    dilation: tuple[int, int]
    deformable_groups: int
    sigmoid_mask: bool

    @classmethod
    def of(
        cls,
        stride: int | Sequence[int] = 1,
        padding: int | Sequence[int] = 0,
        dilation: int | Sequence[int] = 1,
        deformable_groups: int = 1,
        sigmoid_mask: bool = False,
    ) -> Sampling:
        """From the operator's arguments, with the defaults of its schema."""
        return cls(pair(stride), pair(padding), pair(dilation), deformable_groups, sigmoid_mask)

    @property
    def parameters(self) -> tuple[tuple[int, int], tuple[int, int], tuple[int, int], int, bool]:
        """The operator's arguments after its tensors."""
        return self.stride, self.padding, self.dilation, self.deformable_groups, self.sigmoid_mask

    def output_size(self, input: Tensor, weight: Tensor) -> tuple[int, int]:
        """(height, width) of the output for an input (N, C, H, W) and a weight (O, C, kh, kw)."""

        def along(axis: int) -> int:
            reach = self.dilation[axis] * (weight.shape[2 + axis] - 1) + 1
            free = input.shape[2 + axis] + 2 * self.padding[axis] - reach
            return free // self.stride[axis] + 1

        return along(0), along(1)

    def check(
        self, input: Tensor, offset: Tensor, mask: Tensor, weight: Tensor, bias: Tensor | None
    ) -> None:
        """Raise ValueError, naming the tensor, where shapes or dtypes do not fit each other."""
        if input.ndim != 4 or weight.ndim != 4:
            raise ValueError(
                "deform_conv2d takes an input (N, C, H, W) and a weight (O, C, kh, kw), got "
                f"{tuple(input.shape)} and {tuple(weight.shape)}"
            )
        batch, channels = input.shape[:2]
        taps = weight.shape[2] * weight.shape[3]
        if weight.shape[1] != channels:
            raise ValueError(f"input has {channels} channels, weight expects {weight.shape[1]}")
        if self.deformable_groups < 1 or channels % self.deformable_groups != 0:
            raise ValueError(
                f"{channels} channels do not split into {self.deformable_groups} deformable groups"
            )
        if min(*self.stride, *self.dilation) < 1 or min(self.padding) < 0:
            raise ValueError(f"stride and dilation must be positive, padding not negative: {self}")
        height, width = self.output_size(input, weight)
        if height < 1 or width < 1:
            raise ValueError(
                f"kernel {tuple(weight.shape[2:])} does not fit {tuple(input.shape)} with {self}"
            )
        for name, tensor, per_tap in (("offset", offset, 2), ("mask", mask, 1)):
            expected = (batch, per_tap * self.deformable_groups * taps, height, width)
            if tuple(tensor.shape) != expected:
                raise ValueError(f"{name} must be {expected}, got {tuple(tensor.shape)}")
        if bias is not None and tuple(bias.shape) != (weight.shape[0],):
            raise ValueError(f"bias must be ({weight.shape[0]},), got {tuple(bias.shape)}")
        if weight.dtype != input.dtype or (bias is not None and bias.dtype != input.dtype):
            raise ValueError(f"weight and bias must be {input.dtype} as the input is")
        if offset.dtype != mask.dtype or offset.dtype not in (input.dtype, torch.float32):
            raise ValueError(
                f"offset and mask must both be {input.dtype} or float32, "
                f"got {offset.dtype} and {mask.dtype}"
            )


def pair(value: int | Sequence[int]) -> tuple[int, int]:
    """(height, width) of a value given once for both or for each."""
    if isinstance(value, int):
        return value, value
    first, second = value
    return first, second


def layout(tensor: Tensor) -> torch.memory_format:
    """channels_last where the tensor lies so (and not also contiguously), else contiguous."""
    if tensor.is_contiguous() or not tensor.is_contiguous(memory_format=torch.channels_last):
        return torch.contiguous_format
    return torch.channels_last
