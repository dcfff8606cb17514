"""The detector of 2019 around its network: pre-processing, decoding and post-processing.

Written anew after the algorithms of "Objects as Points" (arXiv 1904.07850) as its reference
implementation runs them: arithmetic in float64, pooling for peaks, top-K class by class and then
over all, and Python loops over points and classes.
"""

from __future__ import annotations

import cv2
import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from centernet.geometry.affine import affine
from centernet.models.networks.DCNv2 import use_backend


def pre_process(
    image: np.ndarray, size: int, mean: tuple[float, ...], std: tuple[float, ...]
) -> tuple[Tensor, np.ndarray, float]:
    """Input (1, 3, size, size), and centre and longer side of the view."""
    height, width = image.shape[:2]
    centre = np.array([width / 2.0, height / 2.0], np.float32)
    side = max(height, width) * 1.0
    resized = cv2.resize(image, (width, height))
    matrix = affine(centre, side, 0, (size, size))
    seen = cv2.warpAffine(resized, matrix, (size, size), flags=cv2.INTER_LINEAR)
    middle, spread = (np.array(v, np.float32).reshape(1, 1, 3) for v in (mean, std))
    values = ((seen / 255.0 - middle) / spread).astype(np.float32)
    planes = np.ascontiguousarray(values.transpose(2, 0, 1).reshape(1, 3, size, size))
    return torch.from_numpy(planes), centre, side


def gather(maps: Tensor, index: Tensor) -> Tensor:
    """Values (B, K, C) of maps (B, C, H, W), all of which are put in order first."""
    flat = maps.permute(0, 2, 3, 1).contiguous().view(maps.shape[0], -1, maps.shape[1])
    return flat.gather(1, index.unsqueeze(2).expand(-1, -1, flat.shape[2]))


def decode(raw: dict[str, Tensor], k: int = 100) -> Tensor:
    """Boxes, score and class of the K best: (B, K, 6), from raw maps."""
    heat = torch.sigmoid(raw["hm"])
    batch, classes, height, width = heat.shape
    heat = heat * (F.max_pool2d(heat, 3, stride=1, padding=1) == heat).float()
    scores, index = heat.view(batch, classes, -1).topk(k)
    index = index % (height * width)
    y, x = (index // width).float(), (index % width).float()
    score, order = scores.view(batch, -1).topk(k)
    kind = (order // k).float()
    index, y, x = (v.view(batch, -1).gather(1, order) for v in (index, y, x))
    offset, size = gather(raw["reg"], index), gather(raw["wh"], index)
    cx, cy = x + offset[:, :, 0], y + offset[:, :, 1]
    half_w, half_h = size[:, :, 0] / 2, size[:, :, 1] / 2
    box = [cx - half_w, cy - half_h, cx + half_w, cy + half_h]
    return torch.stack([*box, score, kind], dim=2)


def post_process(
    rows: np.ndarray, centre: np.ndarray, side: float, map_size: int, classes: int
) -> dict[int, np.ndarray]:
    """(1, K, 6) rows of `decode` -> {class from 1: (N, 5) boxes in image pixels and score}.

    One point after another, then class by class.
    """
    found = []
    for i in range(len(rows)):
        for first in (0, 2):
            matrix = affine(centre, side, 0, (map_size, map_size), inverse=True)
            points = rows[i, :, first : first + 2]
            for j in range(len(points)):
                point = np.array([points[j, 0], points[j, 1], 1.0], np.float32)
                points[j] = np.dot(matrix, point)[:2]
        kinds, by_class = rows[i, :, -1], {}
        for j in range(classes):
            own = kinds == j
            boxes, scores = rows[i, own, :4].astype(np.float32), rows[i, own, 4:5]
            by_class[j + 1] = np.concatenate([boxes, scores.astype(np.float32)], 1).tolist()
        found.append(by_class)
    return {j: np.array(found[0][j], np.float32).reshape(-1, 5) for j in range(1, classes + 1)}


def merge(results: dict[int, np.ndarray], limit: int = 100) -> dict[int, np.ndarray]:
    """The `limit` best of all classes."""
    scores = np.hstack([rows[:, 4] for rows in results.values()])
    if len(scores) > limit:
        least = np.partition(scores, len(scores) - limit)[len(scores) - limit]
        results = {j: rows[rows[:, 4] >= least] for j, rows in results.items()}
    return results


class EagerNetwork(nn.Module):
    """The network as it was trained, planes apart in memory, every head of every stage computed.

    Deformable convolutions are those of torchvision, the operator of that kind that installs today.
    """

    def __init__(self, model: nn.Module) -> None:
        super().__init__()
        self.model = model.eval()

    @torch.no_grad()
    def forward(self, x: Tensor) -> dict[str, Tensor]:
        with use_backend("torchvision"):
            return self.model(x)[-1]
