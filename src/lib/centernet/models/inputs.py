"""What a network sees: the image, and further inputs where a task has some."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import torch
from torch import Tensor

IMAGE, PREVIOUS = "image", "previous"  # names of this frame's image and of the one before


@dataclass(frozen=True)
class Input:
    """One input (B, `channels`, H, W) of a network, of the same height and width as the image.

    "image" and "previous" are images, normalised alike. Whatever else a task's network takes, the
    task makes of what is known of the previous frame (`Task.recall`).
    """

    channels: int = 3


IMAGE_ALONE: Mapping[str, Input] = {IMAGE: Input()}


def blank(
    inputs: Mapping[str, Input],
    batch: int,
    size: tuple[int, int],
    device: torch.device | str = "cpu",
) -> dict[str, Tensor]:
    """Inputs of zeros of `size` (height, width): what a network can be tried with."""
    return {
        name: torch.zeros(batch, each.channels, *size, device=device)
        for name, each in inputs.items()
    }
