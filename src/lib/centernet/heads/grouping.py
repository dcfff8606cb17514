"""Extreme points and centres grouped into objects.

Zhou, Zhuo, Kraehenbuehl, "Bottom-up Object Detection by Grouping Extreme and Center Points",
CVPR 2019. Four points may be an object's top, left, bottom and right if none lies further out than
the one of that side, and if the centre map is high in the middle between them.
"""

from __future__ import annotations

from typing import NamedTuple

import torch
import torch.nn.functional as F
from torch import Tensor

from centernet.heads.peaks import Peaks
from centernet.runtime.exporting import doublings, exporting

TOP, LEFT, BOTTOM, RIGHT = range(4)
CELLS = 1 << 20  # candidates tried at once, which bounds the memory


class Groups(NamedTuple):
    """The N best groups of one image; those that do not exist have score 0."""

    scores: Tensor  # (N,)
    classes: Tensor  # (N,) int64
    members: Tensor  # (N, 4) int64, which of the K peaks is top, left, bottom, right


def group(
    sides: Peaks,
    centre: Tensor,
    *,
    agnostic: bool,
    scores_thresh: float,
    center_thresh: float,
    limit: int,
) -> Groups:
    """The `limit` best groups of one image.

    The fields of `sides` are (4, K): peaks of top, left, bottom, right. `centre` (C, H, W) is the
    heat map of the centres. Points must be of one class, which names the object; `agnostic` points
    have none, and the centre names it. Points below `scores_thresh` and groups whose centre is
    below `center_thresh` do not count. A score is the mean of the points' and, twice, the centre's.

    Whether points fit together is decided pair by pair, so of the K^4 groups only those whose
    pairs all fit are ever built, and no more than about CELLS at a time.
    """
    if agnostic:
        heat, names = centre.max(0, keepdim=True)
    else:
        heat, names = centre, None
    fits = _fitting_pairs(sides, scores_thresh)
    top, bottom = fits[TOP, BOTTOM].nonzero().unbind(1)
    both = fits[TOP, LEFT][top] & fits[BOTTOM, LEFT][bottom]  # (pairs, K)
    pair, left = both.nonzero().unbind(1)
    top, bottom = top[pair], bottom[pair]
    best = Groups(
        torch.zeros(limit, dtype=heat.dtype, device=heat.device),
        torch.zeros(limit, dtype=torch.int64, device=heat.device),
        torch.zeros(limit, 4, dtype=torch.int64, device=heat.device),
    )
    for part in _parts(torch.stack([top, left, bottom], dim=1), sides.scores.shape[1]):
        top, left, bottom = part.unbind(1)
        all_fit = fits[TOP, RIGHT][top] & fits[LEFT, RIGHT][left] & fits[BOTTOM, RIGHT][bottom]
        triple, right = all_fit.nonzero().unbind(1)
        members = torch.cat([part[triple], right.unsqueeze(1)], dim=1)
        found = _scored(members, sides, heat, names, center_thresh)
        joined = Groups(*(torch.cat(both) for both in zip(best, found, strict=True)))
        scores, order = joined.scores.topk(limit)
        best = Groups(scores, joined.classes[order], joined.members[order])
    return best


def _fitting_pairs(sides: Peaks, scores_thresh: float) -> dict[tuple[int, int], Tensor]:
    """{(a, b): (K, K) bool}: may this peak of side a and that of side b be of one object?"""
    # outward[s, t, k]: how far out, towards side s, peak k of side t lies
    outward = torch.stack([-sides.y, -sides.x, sides.y, sides.x])
    usable = sides.scores >= scores_thresh

    def fit(a: int, b: int) -> Tensor:
        a_is_outermost = outward[a, a][:, None] >= outward[a, b][None]
        b_is_outermost = outward[b, b][None] >= outward[b, a][:, None]
        same = sides.classes[a][:, None] == sides.classes[b][None]
        return a_is_outermost & b_is_outermost & same & usable[a][:, None] & usable[b][None]

    wanted = [(TOP, BOTTOM), (TOP, LEFT), (BOTTOM, LEFT)]
    wanted += [(TOP, RIGHT), (LEFT, RIGHT), (BOTTOM, RIGHT)]
    return {pair: fit(*pair) for pair in wanted}


def _parts(triples: Tensor, k: int) -> tuple[Tensor, ...]:
    """`triples` in parts that make at most CELLS groups with `k` peaks; the exporter sees one."""
    if exporting():
        return (triples,)
    return triples.split(max(1, CELLS // max(1, k)))


def _scored(
    members: Tensor, sides: Peaks, heat: Tensor, names: Tensor | None, center_thresh: float
) -> Groups:
    """Scores of groups (M, 4) whose points fit, 0 where the centre is too low, and classes."""
    _, height, width = heat.shape
    x = (sides.x[LEFT][members[:, LEFT]] + sides.x[RIGHT][members[:, RIGHT]] + 0.5) / 2
    y = (sides.y[TOP][members[:, TOP]] + sides.y[BOTTOM][members[:, BOTTOM]] + 0.5) / 2
    place = y.long() * width + x.long()
    if names is None:
        classes = channel = sides.classes[TOP][members[:, TOP]]
    else:
        classes, channel = names.flatten()[place], torch.zeros_like(place)
    middle = heat.flatten()[channel * (height * width) + place]
    top, left, bottom, right = (sides.scores[side][members[:, side]] for side in range(4))
    scores = (top + left + bottom + right + 2 * middle) / 6
    return Groups(scores * (middle >= center_thresh), classes, members)


def aggregate_edges(heat: Tensor, dim: int, weight: float) -> Tensor:
    """Add to `heat` what lies beside each value along `dim`, while it only falls, times `weight`.

    An extreme point on a flat edge is smeared along it; so its peak gathers what the edge holds.
    """
    forward = _climb(heat, dim)
    backward = _climb(heat.flip(dim), dim).flip(dim)
    return weight * (forward - heat) + weight * (backward - heat) + heat


def _climb(heat: Tensor, dim: int) -> Tensor:
    """Each value plus those before it along `dim`, as far back as they rise towards it.

    The sums double their reach in each step, so that there is no loop over the pixels.
    """
    sums = heat.transpose(dim, -1)
    size = sums.shape[-1]
    rises = F.pad((sums[..., 1:] >= sums[..., :-1]).to(sums.dtype), (1, 0))
    for reach in doublings(size):
        sums = sums + F.pad(sums, (reach, 0)).narrow(-1, 0, size) * rises
        rises = rises * F.pad(rises, (reach, 0)).narrow(-1, 0, size)
    return sums.transpose(dim, -1)
