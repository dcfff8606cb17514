"""Normalise images and draw heat maps on the device.

The loader then sends images as bytes and heat maps as lists of spots, about a tenth of the data,
and its worker processes are spared the arithmetic.
"""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor

from centernet.geometry.view import map_size
from centernet.heads.spots import SUFFIX, drawn
from centernet.models.inputs import IMAGE
from centernet.tasks.task import Task

INPUTS = "inputs"
RAW, MAPPING = "pictures", "colours"  # in the place of images in an incomplete batch


def complete_on_device(
    batch: dict[str, Any], task: Task, stride: int, device: torch.device
) -> dict[str, Any]:
    """`batch` on `device`, as `samples.Dataset` would have made it whole.

    An incomplete one has `pictures` {name: (B, H, W, 3) uint8} and `colours` {name: (B, 3, 4)} in
    place of the images among its `inputs`, and perhaps `<name>_spots` (B, N, 4) in place of heat
    maps; a whole one is only moved.
    """
    return {
        INPUTS: network_inputs(batch, device),
        **complete_targets(batch, task, stride, device),
    }


def network_inputs(batch: dict[str, Any], device: torch.device) -> dict[str, Tensor]:
    """The inputs of `batch` by name, (B, channels, H, W) float32, on `device`."""
    whole = {name: _moved(value, device) for name, value in batch[INPUTS].items()}
    colours = batch.get(MAPPING, {})
    for name, picture in batch.get(RAW, {}).items():
        whole[name] = map_colours(_moved(picture, device), _moved(colours[name], device))
    return whole


def complete_targets(
    batch: dict[str, Any], task: Task, stride: int, device: torch.device
) -> dict[str, Any]:
    """All of `batch` but the network's inputs, on `device`, with heat maps drawn there."""
    targets = {
        name: _moved(value, device)
        for name, value in batch.items()
        if name not in (INPUTS, RAW, MAPPING) and not name.endswith(SUFFIX)
    }
    if RAW not in batch:
        return targets
    picture = batch[RAW][IMAGE]
    size = map_size((picture.shape[1], picture.shape[2]), stride)
    channels = {name: head.channels for name, head in task.heads.items()}
    spots = {name: value for name, value in batch.items() if name.endswith(SUFFIX)}
    return {**targets, **drawn(spots, channels, size, device)}


def _moved(value: Any, device: torch.device) -> Any:
    return value.to(device, non_blocking=True) if isinstance(value, Tensor) else value


def map_colours(image: Tensor, matrix: Tensor) -> Tensor:
    """(B, H, W, 3) uint8 and (B, 3, 4) -> (B, 3, H, W) float32, channels last in memory.

    Sums written out, as matrix products may be rounded to fewer bits on a GPU.
    """
    colours = image.permute(0, 3, 1, 2).to(torch.float32)
    parts = matrix[:, :, :, None, None]
    total = parts[:, :, 3] + parts[:, :, 0] * colours[:, :1]
    total = torch.addcmul(total, parts[:, :, 1], colours[:, 1:2])
    return torch.addcmul(total, parts[:, :, 2], colours[:, 2:])
