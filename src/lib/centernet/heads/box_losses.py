"""Losses of whole boxes: how far a box lies from the true one, or how little they overlap.

Boxes are x1 y1 x2 y2, (N, 4) and (N, 4) -> (N,). Methods: IoU (Yu et al., "UnitBox", 2016), GIoU
(Rezatofighi et al., CVPR 2019), DIoU and CIoU (Zheng et al., AAAI 2020). Of the complete IoU the
weight of the aspect ratio gets a gradient too, which torchvision's does not have.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor

from centernet.heads.losses import Loss, Targets
from centernet.heads.peaks import gather

EPSILON = 1e-8
BoxDistance = Callable[[Tensor, Tensor], Tensor]


def overlap(boxes: Tensor, others: Tensor) -> Tensor:
    """Intersection over union (N,) of pairs of boxes."""
    corner = torch.max(boxes[:, :2], others[:, :2])
    shared = (torch.min(boxes[:, 2:], others[:, 2:]) - corner).clamp(min=0).prod(dim=1)
    areas = [(each[:, 2:] - each[:, :2]).prod(dim=1) for each in (boxes, others)]
    return shared / (areas[0] + areas[1] - shared + EPSILON)


def iou(boxes: Tensor, others: Tensor) -> Tensor:
    """1 - IoU."""
    return 1 - overlap(boxes, others)


def giou(boxes: Tensor, others: Tensor) -> Tensor:
    """1 - IoU + the part of the enclosing box that is in neither."""
    from torchvision.ops import generalized_box_iou_loss  # slow to import

    return generalized_box_iou_loss(boxes, others)


def diou(boxes: Tensor, others: Tensor) -> Tensor:
    """1 - IoU + the squared distance of the centres over that of the enclosing box's corners."""
    from torchvision.ops import distance_box_iou_loss

    return distance_box_iou_loss(boxes, others)


def ciou(boxes: Tensor, others: Tensor) -> Tensor:
    """As `diou`, and the difference of the aspect ratios, weighed by it and the overlap."""
    w, h = (boxes[:, 2:] - boxes[:, :2]).clamp(min=EPSILON).unbind(1)  # of no size: no direction
    true_w, true_h = (others[:, 2:] - others[:, :2]).clamp(min=EPSILON).unbind(1)
    ratio = 4 / math.pi**2 * (torch.atan(true_w / true_h) - torch.atan(w / h)) ** 2
    weight = ratio / (iou(boxes, others) + ratio + EPSILON)
    return diou(boxes, others) + weight * ratio


def l1(boxes: Tensor, others: Tensor) -> Tensor:
    """The sum over the four sides of how far each is off."""
    return (boxes - others).abs().sum(dim=1)


def smooth_l1(boxes: Tensor, others: Tensor) -> Tensor:
    """The same, quadratic below 1."""
    return F.smooth_l1_loss(boxes, others, reduction="none").sum(dim=1)


def l2(boxes: Tensor, others: Tensor) -> Tensor:
    """The sum of the squares."""
    return ((boxes - others) ** 2).sum(dim=1)


BOX_DISTANCES: dict[str, BoxDistance] = {
    each.__name__: each for each in (l1, smooth_l1, l2, iou, giou, diou, ciou)
}


@dataclass(frozen=True)
class Sides:
    """From raw values to the distances of a box's sides from the middle of a cell, in map pixels.

    `multiplier` times the raw value or, with `log`, its exponential; never below 0.
    """

    multiplier: float = 1.0
    log: bool = False

    def __call__(self, raw: Tensor) -> Tensor:
        """Distances of the shape of `raw`."""
        return (self.multiplier * (raw.exp() if self.log else raw)).clamp(min=0)

    def inverse(self, distances: Tensor) -> Tensor:
        """The raw values of `distances`."""
        scaled = distances / self.multiplier
        return scaled.clamp(min=EPSILON).log() if self.log else scaled


@dataclass(frozen=True)
class BoxLoss(Loss):
    """A distance of the boxes that cells predict by the distances of their sides.

    `target` (B, R, 4) boxes in map pixels, `index` (B, R) the cells, `mask` (B, R) which of them
    count, or how much. Boxes are compared in `unit` times map pixels. Divided by the sum of `mask`.
    """

    target: str
    distance: BoxDistance
    sides: Sides
    unit: float = 1.0
    mask: str = "reg_mask"
    index: str = "ind"

    def totals(self, maps: Sequence[Tensor], targets: Targets) -> Tensor:
        (raw,) = maps
        index, weight = targets[self.index], targets[self.mask].float()
        found = boxes_of(self.sides(gather(raw, index)), index, raw.shape[3])
        used = weight.flatten() > 0
        true = targets[self.target].to(found.dtype).flatten(0, 1)
        # Rows without an object have no box: one of a single cell in both places costs nothing.
        cell = torch.tensor([0.0, 0.0, 1.0, 1.0], device=raw.device, dtype=found.dtype)
        pairs = [torch.where(used[:, None], each, cell) for each in (found.flatten(0, 1), true)]
        each = self.distance(self.unit * pairs[0], self.unit * pairs[1])
        return (each * weight.flatten()).sum().view(1)

    def counts(self, targets: Targets) -> Tensor:
        return targets[self.mask].float().sum().view(1)

    def truth(self, targets: Targets, size: tuple[int, int]) -> tuple[Tensor, ...]:
        """Every learning cell has its own sides; elsewhere any value would do."""
        mask, index = targets[self.mask] > 0, targets[self.index]
        height, width = size
        true = torch.full((4, height * width), torch.nan, device=index.device)
        middle = middles(index[mask][None], width)[0]
        box = targets[self.target][mask].float()
        sides = torch.cat([middle - box[:, :2], box[:, 2:] - middle], dim=1)
        true[:, index[mask]] = self.sides.inverse(sides).T
        return (true.view(4, height, width),)


def middles(index: Tensor, width: int) -> Tensor:
    """x y (B, K, 2) of the middles of the cells `index` (B, K) = y * width + x."""
    return torch.stack([index % width, index // width], dim=2) + 0.5


def boxes_of(sides: Tensor, index: Tensor, width: int) -> Tensor:
    """Boxes (B, K, 4) with their `sides` (B, K, 4), left top right bottom, so far from cells."""
    middle = middles(index, width).to(sides.dtype)
    return torch.cat([middle - sides[..., :2], middle + sides[..., 2:]], dim=2)
