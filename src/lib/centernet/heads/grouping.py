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
CELLS = 1 << 18  # candidates tried at once, which bounds the memory
EXPORTED = 1 << 22  # and in an exported program, which tries those and no more
ROUNDING = 1e-5  # of a score


class Groups(NamedTuple):
    """The N best groups of every image; those that do not exist have score 0."""

    scores: Tensor  # (B, N)
    classes: Tensor  # (B, N) int64
    members: Tensor  # (B, N, 4) int64, which of the K peaks is top, left, bottom, right


class Pairs(NamedTuple):
    """Some of the pairs of a top and a bottom, best first: P of every image."""

    top: Tensor  # (B, P) int64, which of the K peaks
    bottom: Tensor
    fits: Tensor  # (B, P) bool, may they be of one object?


def group(
    sides: Peaks,
    centre: Tensor,
    *,
    agnostic: bool,
    scores_thresh: float,
    center_thresh: float,
    limit: int,
) -> Groups:
    """The `limit` best groups of every image.

    The fields of `sides` are (B, 4, K): peaks of top, left, bottom, right. `centre` (B, C, H, W)
    are the heat maps of the centres. Points must be of one class, which names the object;
    `agnostic` points have none, and the centre names it. Points below `scores_thresh` and groups
    whose centre is below `center_thresh` do not count. A score is the mean of the points' and,
    twice, the centre's.

    Pairs of a top and a bottom are taken best first, and each part of them is tried with all pairs
    of a left and a right, in tensors of fixed shape of about CELLS numbers, until no better group
    is possible. An exported program tries one part of EXPORTED candidates: all of them up to
    K = 45, the best pairs beyond.
    """
    heat, names = centre.max(1, keepdim=True) if agnostic else (centre, None)
    fits = fitting_pairs(sides, scores_thresh)
    batch, _, k = sides.scores.shape
    once = exporting()
    cells = EXPORTED if once else CELLS // batch
    part = min(k * k, max(1, cells // (k * k)))  # pairs that are tried together
    sums = sides.scores[:, TOP].unsqueeze(2) + sides.scores[:, BOTTOM].unsqueeze(1)
    sums = torch.where(fits[TOP, BOTTOM], sums, -torch.ones_like(sums))
    sums, index = sums.flatten(1).topk(part if once else k * k)
    most = most_of_others(sides, heat)
    none = torch.zeros_like(index[:, :1])
    best = Groups(
        heat.new_zeros(batch, limit), none.expand(-1, limit), none.unsqueeze(2).expand(-1, limit, 4)
    )
    for start in range(0, index.shape[1], part):
        stop = start + part
        if start and not once:
            better = (sums[:, start] + most) / 6 + ROUNDING > best.scores[:, -1]
            if not (better & (sums[:, start] >= 0)).any():
                break
        pairs = Pairs(index[:, start:stop] // k, index[:, start:stop] % k, sums[:, start:stop] >= 0)
        best = joined(best, with_sides(pairs, sides, fits, heat, center_thresh, limit))
    if names is None:
        return best
    classes = names.flatten(1).gather(1, middle_of(best.members, sides, heat.shape[3]))
    return best._replace(classes=classes * (best.scores > 0))


def fitting_pairs(sides: Peaks, scores_thresh: float) -> dict[tuple[int, int], Tensor]:
    """{(a, b): (B, K, K) bool}: may this peak of side a and that of side b be of one object?"""
    # outward[:, s, t, k]: how far out, towards side s, peak k of side t lies
    outward = torch.stack([-sides.y, -sides.x, sides.y, sides.x], dim=1)
    usable = sides.scores >= scores_thresh

    def fit(a: int, b: int) -> Tensor:
        a_is_outermost = outward[:, a, a].unsqueeze(2) >= outward[:, a, b].unsqueeze(1)
        b_is_outermost = outward[:, b, b].unsqueeze(1) >= outward[:, b, a].unsqueeze(2)
        same = sides.classes[:, a].unsqueeze(2) == sides.classes[:, b].unsqueeze(1)
        both = usable[:, a].unsqueeze(2) & usable[:, b].unsqueeze(1)
        return a_is_outermost & b_is_outermost & same & both

    wanted = [(TOP, BOTTOM), (TOP, LEFT), (BOTTOM, LEFT)]
    wanted += [(TOP, RIGHT), (LEFT, RIGHT), (BOTTOM, RIGHT)]
    return {pair: fit(*pair) for pair in wanted}


def most_of_others(sides: Peaks, heat: Tensor) -> Tensor:
    """(B,): what left, right and the centre can add to a pair at most; infinite where unknown."""
    points = sides.scores[:, LEFT].amax(1) + sides.scores[:, RIGHT].amax(1)
    return (points + 2 * heat.amax((1, 2, 3))).nan_to_num(nan=torch.inf)


def with_sides(
    pairs: Pairs,
    sides: Peaks,
    fits: dict[tuple[int, int], Tensor],
    heat: Tensor,
    center_thresh: float,
    limit: int,
) -> Groups:
    """The best groups, at most `limit`, of `pairs` with every left and every right."""
    k = sides.scores.shape[2]

    def of_pair(values: Tensor, which: Tensor) -> Tensor:  # (B, K, K) -> (B, P, K)
        return values.gather(1, which.unsqueeze(2).expand(-1, -1, k))

    left = of_pair(fits[TOP, LEFT], pairs.top) & of_pair(fits[BOTTOM, LEFT], pairs.bottom)
    right = of_pair(fits[TOP, RIGHT], pairs.top) & of_pair(fits[BOTTOM, RIGHT], pairs.bottom)
    left = left & pairs.fits.unsqueeze(2)
    fit = left.unsqueeze(3) & right.unsqueeze(2) & fits[LEFT, RIGHT].unsqueeze(1)  # (B, P, K, K)
    top, lefts, bottom, rights = sides.scores.unbind(1)
    points = top.gather(1, pairs.top).unsqueeze(2) + lefts.unsqueeze(1)
    points = points + bottom.gather(1, pairs.bottom).unsqueeze(2)
    middle = middles(pairs, sides, heat)
    scores = (points.unsqueeze(3) + rights[:, None, None] + 2 * middle) / 6
    scores = torch.where(fit & (middle >= center_thresh), scores, torch.zeros_like(scores))
    scores, index = scores.flatten(1).topk(min(limit, fit[0].numel()))
    pair, l_and_r = index // (k * k), index % (k * k)
    top, bottom = pairs.top.gather(1, pair), pairs.bottom.gather(1, pair)
    members = torch.stack([top, l_and_r // k, bottom, l_and_r % k], dim=2)
    members = members * (scores > 0).unsqueeze(2)
    return Groups(scores, sides.classes[:, TOP].gather(1, top) * (scores > 0), members)


def middles(pairs: Pairs, sides: Peaks, heat: Tensor) -> Tensor:
    """The centre's score (B, P, K, K) in the middle of every pair, left and right.

    A pair knows the row, left and right the column: so a row of the map (B, P, W) is read for each
    pair, and of it the columns.
    """
    _, channels, height, width = heat.shape
    y = sides.y[:, TOP].gather(1, pairs.top) + sides.y[:, BOTTOM].gather(1, pairs.bottom)
    row = ((y + 0.5) / 2).long()
    if channels > 1:
        row = row + height * sides.classes[:, TOP].gather(1, pairs.top)
    rows = heat.flatten(1, 2).gather(1, row.unsqueeze(2).expand(-1, -1, width))
    x = sides.x[:, LEFT].unsqueeze(2) + sides.x[:, RIGHT].unsqueeze(1)
    column = ((x + 0.5) / 2).long().flatten(1).unsqueeze(1).expand(-1, rows.shape[1], -1)
    k = sides.scores.shape[2]
    return rows.gather(2, column).unflatten(2, (k, k))


def middle_of(members: Tensor, sides: Peaks, width: int) -> Tensor:
    """The cells (B, N), y * width + x, in the middle of groups (B, N, 4)."""
    y = sides.y[:, TOP].gather(1, members[..., TOP])
    y = y + sides.y[:, BOTTOM].gather(1, members[..., BOTTOM])
    x = sides.x[:, LEFT].gather(1, members[..., LEFT])
    x = x + sides.x[:, RIGHT].gather(1, members[..., RIGHT])
    return ((y + 0.5) / 2).long() * width + ((x + 0.5) / 2).long()


def joined(best: Groups, found: Groups) -> Groups:
    """The best of both, as many as `best` has."""
    scores, classes, members = (torch.cat(both, 1) for both in zip(best, found, strict=True))
    scores, rank = scores.topk(best.scores.shape[1])
    members = members.gather(1, rank.unsqueeze(2).expand(-1, -1, 4))
    return Groups(scores, classes.gather(1, rank), members)


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
