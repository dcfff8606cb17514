"""Cuboids placed before the camera, in tensors: `tasks.ddd` and `geometry.cuboids` in the graph."""

from __future__ import annotations

import math
from collections.abc import Mapping

import torch
from torch import Tensor


def in_space(found: Mapping[str, Tensor], calib: Tensor) -> dict[str, Tensor]:
    """locations (B, K, 3) in metres and rotations (B, K) about y in radians.

    `found` has centres (B, K, 2) in pixels of the input, depths (B, K), dimensions (B, K, 3) and
    alphas (B, K); `calib` (B, 3, 4) is the camera matrix for those pixels. A location is that of
    the middle of the bottom face, x right, y down, z forward.
    """
    x, y = found["centres"].unbind(2)
    depths = found["depths"]
    row = [[calib[:, i, j].unsqueeze(1) for j in range(4)] for i in range(3)]
    z = depths - row[2][3]
    places = [
        (pixels * depths - row[axis][3] - row[axis][2] * z) / row[axis][axis]
        for axis, pixels in ((0, x), (1, y))
    ]
    bottom = places[1] + found["dimensions"][..., 0] / 2
    sight = torch.atan((x - row[0][2]) / row[0][0])  # the focal length is positive
    return {
        "locations": torch.stack([places[0], bottom, z], dim=2),
        "rotations": wrapped(found["alphas"] + sight),
    }


def wrapped(angle: Tensor) -> Tensor:
    """The same angle in [-pi, pi)."""
    return angle - 2 * math.pi * torch.floor((angle + math.pi) / (2 * math.pi))
