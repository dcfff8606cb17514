"""Corner pairs that have something of their class in their middle, in tensors.

Duan et al., "CenterNet: Keypoint Triplets for Object Detection", ICCV 2019; `heads.centre_check` in
the graph.
"""

from __future__ import annotations

from collections.abc import Mapping

import torch
from torch import Tensor

from centernet.heads.centre_check import SMALL_AREA


def confirmed_scores(found: Mapping[str, Tensor]) -> Tensor:
    """(B, N): (2 s + c) / 3 of pairs with a centre of score c in their middle, 0 of all others.

    `found` has boxes (B, N, 4) and centres (B, M, 4: x y class score) in pixels of the input,
    scores and classes (B, N). A pair of score 0 or less is none.
    """
    boxes, scores, centres = found["boxes"], found["scores"], found["centres"]
    low, high = boxes[..., :2], boxes[..., 2:]
    sides = high - low
    small = sides[..., :1] * sides[..., 1:] <= SMALL_AREA
    margin = sides * torch.where(small, 1 / 3, 2 / 5)
    low, high = (low + margin).unsqueeze(2), (high - margin).unsqueeze(2)
    places = centres[..., :2].unsqueeze(1)
    inside = ((places > low) & (places < high)).all(3)
    inside = inside & (centres[:, None, :, 2] == found["classes"].unsqueeze(2))
    middle = torch.where(inside, centres[:, None, :, 3], -1.0).amax(2)
    return torch.where((middle >= 0) & (scores > 0), (2 * scores + middle) / 3, 0.0)
