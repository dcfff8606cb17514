"""Networks in which everything does something, as after a training."""

from __future__ import annotations

from typing import TypeVar

import torch
from torch import nn

from centernet.models.networks.DCNv2 import DCN

Network = TypeVar("Network", bound=nn.Module)


@torch.no_grad()
def awaken(model: Network) -> Network:
    """`model` with statistics in BN, offsets in DCN and weights where there are hardly any.

    All of them start at nothing, or near it.
    """
    for module in model.modules():
        if isinstance(module, nn.Conv2d | nn.ConvTranspose2d) and module.weight.std() < 0.01:
            module.weight.normal_(std=module.weight[0].numel() ** -0.5)
        if isinstance(module, nn.BatchNorm2d) and module.running_mean is not None:
            module.running_mean.normal_(std=0.3)
            module.running_var.uniform_(0.5, 2)
            if module.affine:
                module.weight.uniform_(0.5, 1.5)
                module.bias.normal_(std=0.3)
        if isinstance(module, DCN):
            module.conv_offset_mask.weight.mul_(0.3)  # offsets of a pixel or so
    return model
