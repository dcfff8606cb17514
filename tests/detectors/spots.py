"""A network made by hand that sees bright spots, so that a detector's geometry can be checked."""

from __future__ import annotations

from types import SimpleNamespace

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from centernet.datasets.source import Info
from centernet.tasks.ctdet import Ctdet

NAMES = ("blue", "green", "red")
SIDE = 5.0  # of every box, in pixels of the map
TASK = Ctdet(Info("spots", NAMES, (1, 2, 3), resolution=(128, 128)))


class SpotNet(nn.Module):
    """Heat is the brightness of a colour in a cell of 4 x 4 pixels; boxes are SIDE cells wide."""

    def __init__(self, offset: float = 0.5) -> None:
        super().__init__()
        self.backbone = SimpleNamespace(pad=31, stride=4)
        self.offset = offset
        self.batches: list[tuple[int, ...]] = []

    def forward(self, x: Tensor, last_only: bool = False) -> list[dict[str, Tensor]]:
        self.batches.append(tuple(x.shape))
        heat = F.avg_pool2d(x, 4)
        like = heat[:, :2]
        maps = {
            "hm": 4 * heat - 4,
            "wh": torch.full_like(like, SIDE),
            "reg": torch.full_like(like, self.offset),
        }
        return [maps]


def spots_image(size: tuple[int, int], *spots: tuple[int, int, int]) -> np.ndarray:
    """A black image (height, width) with bright round spots at (x, y, channel)."""
    y, x = np.mgrid[: size[0], : size[1]]
    image = np.zeros((*size, 3))
    for column, row, channel in spots:
        distance = (x - column) ** 2 + (y - row) ** 2
        image[..., channel] += 255 * np.exp(-distance / (2 * 7.0**2))
    return image.clip(0, 255).astype(np.uint8)
