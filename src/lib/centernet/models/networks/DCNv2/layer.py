"""The layer of the published networks: a convolution that predicts its own offsets and mask."""

from __future__ import annotations

import math
from collections.abc import Sequence

import torch
from torch import Tensor, nn

from centernet.models.networks.DCNv2.operator import deform_conv2d
from centernet.models.networks.DCNv2.sampling import pair


class DCN(nn.Module):
    """Modulated deformable convolution (Zhu et al., CVPR 2019) with its offset branch.

    Takes (N, in_channels, H, W), gives (N, out_channels, Ho, Wo) like the plain convolution of the
    same parameters. State dict keys: weight, bias, conv_offset_mask.weight, conv_offset_mask.bias.
    The branch starts at zero: no offset, and a mask of one half everywhere. With the attribute
    `relu` a ReLU is computed along with it (see `models.fuse`).
    """

    def __init__(
        self,
        in_channels: int,
        out_channels: int,
        kernel_size: int | Sequence[int] = 3,
        stride: int | Sequence[int] = 1,
        padding: int | Sequence[int] = 1,
        dilation: int | Sequence[int] = 1,
        deformable_groups: int = 1,
    ) -> None:
        super().__init__()
        kernel = pair(kernel_size)
        self.stride, self.padding, self.dilation = pair(stride), pair(padding), pair(dilation)
        self.deformable_groups = deformable_groups
        self.relu = False
        self.weight = nn.Parameter(torch.empty(out_channels, in_channels, *kernel))
        self.bias = nn.Parameter(torch.empty(out_channels))
        self._samples = deformable_groups * kernel[0] * kernel[1]
        self.conv_offset_mask = nn.Conv2d(
            in_channels, 3 * self._samples, kernel, self.stride, self.padding, self.dilation
        )
        self.reset_parameters()

    def reset_parameters(self) -> None:
        """Weight uniform within 1 / sqrt(fan in), as published; bias and offset branch zero."""
        bound = 1 / math.sqrt(self.weight[0].numel())
        nn.init.uniform_(self.weight, -bound, bound)
        nn.init.zeros_(self.bias)
        for parameter in self.conv_offset_mask.parameters():
            nn.init.zeros_(parameter)

    def forward(self, x: Tensor) -> Tensor:
        # Published checkpoints chunk the branch into three and join the first two as the offset.
        offset, mask = self.conv_offset_mask(x).split([2 * self._samples, self._samples], dim=1)
        return deform_conv2d(
            x,
            offset,
            mask,
            self.weight,
            self.bias,
            self.stride,
            self.padding,
            self.dilation,
            self.deformable_groups,
            sigmoid_mask=True,
            relu=self.relu,
        )

    def extra_repr(self) -> str:
        out_channels, in_channels, *kernel = self.weight.shape
        return (
            f"{in_channels}, {out_channels}, kernel_size={tuple(kernel)}, stride={self.stride}, "
            f"padding={self.padding}, dilation={self.dilation}, "
            f"deformable_groups={self.deformable_groups}" + (", relu=True" if self.relu else "")
        )
