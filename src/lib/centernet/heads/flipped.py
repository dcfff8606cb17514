"""Maps of mirrored images kept beside those of the images, for tasks whose flip test needs both.

Where objects are put together from several points, averaging two maps would blur what belongs
together; such tasks decode the mirrored image by itself and join the detections.
"""

from __future__ import annotations

import torch
from torch import Tensor

from centernet.heads.head_map import Maps

PREFIX = "mirrored."


def join_flipped(maps: Maps) -> Maps:
    """Maps (2 B, ...) of [images, mirrored images] as (B, ...) under their names and the twins'."""
    halves = {name: both.halves() for name, both in maps.items()}
    upright = {name: half[0] for name, half in halves.items()}
    return upright | {PREFIX + name: half[1] for name, half in halves.items()}


def split_flipped(maps: Maps) -> list[Maps]:
    """[maps of the images] or, after `join_flipped`, [those, maps of the mirrored images]."""
    upright = {name: value for name, value in maps.items() if not name.startswith(PREFIX)}
    twins = {n.removeprefix(PREFIX): v for n, v in maps.items() if n.startswith(PREFIX)}
    return [upright, twins] if twins else [upright]


def mirror_boxes(boxes: Tensor, width: int) -> Tensor:
    """Boxes (B, K, 4) of a mirrored image, in pixels of maps `width` wide, on the image itself.

    A point x of the map, not a pixel, becomes width - x.
    """
    x1, y1, x2, y2 = boxes.unbind(2)
    return torch.stack([width - x2, y1, width - x1, y2], dim=2)
