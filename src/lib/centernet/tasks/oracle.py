"""True maps in the place of predicted ones: how good would the rest be if a head were perfect?

The maps are read off a task's own training targets, so a task needs nothing for it but losses that
`true_map` knows.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import singledispatch
from typing import TYPE_CHECKING

import torch
from torch import Tensor

from centernet.geometry.view import View
from centernet.heads import flipped
from centernet.heads.embedding import APART, Embedding
from centernet.heads.losses import AtCentres, Dense, Focal, Loss, MeanSquare
from centernet.heads.orientation import InBins
from centernet.runtime.errors import UserError
from centernet.structures.objects import Objects

if TYPE_CHECKING:
    from centernet.tasks.task import Maps, Task

Targets = Mapping[str, Tensor]

# The heads that each switch (--eval_oracle_...) makes perfect, in any task. The last three switches
# are not among the published ones.
ORACLES: dict[str, tuple[str, ...]] = {
    "hm": (
        *("hm", "hm_t", "hm_l", "hm_b", "hm_r", "hm_c"),
        *("hmap_tl", "hmap_br", "hmap_ct"),
    ),
    "wh": ("wh",),
    "offset": (
        *("reg", "reg_t", "reg_l", "reg_b", "reg_r"),
        *("regs_tl", "regs_br", "regs_ct"),
    ),
    "kps": ("hps",),
    "hmhp": ("hm_hp",),
    "hp_offset": ("hp_offset",),
    "dep": ("dep",),
    "dim": ("dim",),
    "rot": ("rot",),
    "embd": ("embd_tl", "embd_br"),
}
SURE = 10.0  # a logit that leaves no doubt


def oracles_for(task: Task) -> list[str]:
    """Those of ORACLES that mean some head of `task`."""
    return [name for name, heads in ORACLES.items() if set(heads) & set(task.heads)]


class Oracle:
    """Knows the truth about some heads of `task`: those that `names` (of ORACLES) stand for."""

    def __init__(self, task: Task, names: Sequence[str]) -> None:
        self.task = task
        possible = oracles_for(task)
        for name in names:
            if name not in possible:
                fitting = ", ".join(f"--eval_oracle_{one}" for one in possible)
                raise UserError(
                    f"--eval_oracle_{name}: {task.name} has no head for it; it has {fitting}"
                )
        self.heads = [h for name in names for h in ORACLES[name] if h in task.heads]

    def truth(
        self, objects: Objects, view: View, size: tuple[int, int], *, mirrored: bool = False
    ) -> Maps:
        """{head: (C, h, w)} of an image's `objects`, for maps of `size` (h, w) that show `view`.

        NaN where nothing is known: there the network's own answer stands. Regions to ignore are
        empty: what training draws there, nearly a peak, would be found as an object. `mirrored`
        adds the maps of the mirrored image, for tasks that keep those beside (`heads/flipped.py`).
        """
        pairs = self.task.info.flip_pairs
        seen = objects.select(objects.classes >= 0).warp(view, (size[1], size[0]), pairs)
        truth = self._of_objects(seen, size)
        if mirrored:
            # Point x of the map, not pixel x, becomes width - x.
            twin = self._of_objects(seen.flip(size[1] + 1, pairs), size)
            truth |= {flipped.PREFIX + name: value for name, value in twin.items()}
        return truth

    def _of_objects(self, objects: Objects, size: tuple[int, int]) -> Maps:
        encoded = self.task.encode(objects, size)
        targets = {name: torch.from_numpy(value) for name, value in encoded.items()}
        return {name: true_map(self.task.heads[name].loss, targets, size) for name in self.heads}

    def correct(self, maps: Mapping[str, Tensor], truths: Sequence[Mapping[str, Tensor]]) -> Maps:
        """Activated `maps` (B, C, h, w) with the truth of each image put in."""
        known = [name for name in truths[0] if name in maps]
        true = {name: torch.stack([truth[name] for truth in truths]) for name in known}
        return {**maps, **{name: known_or(true[name], maps[name]) for name in known}}

    def correct_raw(self, maps: Mapping[str, Tensor], targets: Targets) -> Maps:
        """Raw `maps` (B, C, h, w) of one stage with the truth of a batch's `targets` put in."""
        corrected = dict(maps)
        for name in self.heads:
            loss, raw = self.task.heads[name].loss, maps[name]
            images = range(len(raw))
            each = ({key: value[image] for key, value in targets.items()} for image in images)
            size = (raw.shape[2], raw.shape[3])
            true = torch.stack([true_map(loss, image, size) for image in each])
            corrected[name] = known_or(raw_map(loss, true), raw)
        return corrected

    def loss(self, stages: Sequence[Mapping[str, Tensor]], targets: Targets) -> dict[str, Tensor]:
        """`Task.loss` with the heads perfect: what the others have left to learn."""
        return self.task.loss([self.correct_raw(maps, targets) for maps in stages], targets)


def known_or(true: Tensor, predicted: Tensor) -> Tensor:
    """`true`, but `predicted` where it is NaN."""
    true = true.to(predicted)
    return torch.where(true.isnan(), predicted, true)


@singledispatch
def true_map(loss: Loss, targets: Targets, size: tuple[int, int]) -> Tensor:
    """The map (C, h, w) that makes `loss` vanish on one image's `targets`; NaN where it is free."""
    raise TypeError(f"{type(loss).__name__} does not say what its map should be")


@true_map.register
def _(loss: Focal, targets: Targets, size: tuple[int, int]) -> Tensor:
    return targets[loss.target]


@true_map.register
def _(loss: MeanSquare, targets: Targets, size: tuple[int, int]) -> Tensor:
    return targets[loss.target]


@true_map.register
def _(loss: Dense, targets: Targets, size: tuple[int, int]) -> Tensor:
    values, weight = targets[loss.target], targets[loss.weight]
    return torch.where(weight > 0, values, torch.full_like(values, torch.nan))


@true_map.register
def _(loss: AtCentres, targets: Targets, size: tuple[int, int]) -> Tensor:
    """Every cell has the values of the nearest centre, for peaks that missed theirs a little."""
    return spread(targets[loss.target].float(), targets[loss.mask], targets[loss.index], size)


@true_map.register
def _(loss: InBins, targets: Targets, size: tuple[int, int]) -> Tensor:
    """Both bins sure of whether they hold the angle, in every cell that of the nearest centre."""
    held, residuals = targets[loss.bins].float(), targets[loss.residuals].float()
    present = SURE * (2 * held - 1)
    bins = torch.stack([-present, present, residuals.sin(), residuals.cos()], dim=2)  # (N, bin, 4)
    return spread(bins.flatten(1), targets[loss.mask], targets[loss.index], size)


@true_map.register
def _(loss: Embedding, targets: Targets, size: tuple[int, int]) -> Tensor:
    """The number of the object whose corner is nearest: APART from that of any other."""
    mask = targets[loss.mask]
    number = APART * torch.arange(len(mask), device=mask.device).float().unsqueeze(1)
    return spread(number, mask, targets[loss.indices[0]], size)


def spread(values: Tensor, mask: Tensor, index: Tensor, size: tuple[int, int]) -> Tensor:
    """Rows of `values` (N, D) at cells `index` (N,), where `mask` (N,) or (N, D) is set, as a map.

    It is (D, h, w); near is counted along rows and columns. Of centres equally near the first
    object's is taken; of objects with one centre it has the values of the last.
    """
    mask = mask.bool()
    if mask.dim() == 1:
        mask = mask.unsqueeze(1).expand_as(values)
    known = mask.any(1)
    if not known.any():
        return values.new_full((values.shape[1], *size), torch.nan)
    values, index = values.masked_fill(~mask, torch.nan)[known], index[known]
    same = index.unsqueeze(1) == index.unsqueeze(0)
    order = torch.arange(len(index), device=index.device)
    values = values[torch.where(same, order, -1).argmax(1)]
    cells = torch.arange(size[0] * size[1], device=index.device)
    nearest = torch.cdist(places(cells, size[1]), places(index, size[1]), p=1).argmin(1)
    return values[nearest].T.reshape(-1, *size)


def places(index: Tensor, width: int) -> Tensor:
    """Cells of a map `width` wide by their numbers (N,) -> their columns and rows (N, 2)."""
    return torch.stack([index % width, index // width], dim=1).float()


@singledispatch
def raw_map(loss: Loss, true: Tensor) -> Tensor:
    """The raw map that means `true` to `loss`."""
    return true


@raw_map.register
def _(loss: Focal, true: Tensor) -> Tensor:
    return torch.logit(true)


@raw_map.register
def _(loss: MeanSquare, true: Tensor) -> Tensor:
    return true if loss.activation is None else torch.logit(true)


@raw_map.register
def _(loss: AtCentres, true: Tensor) -> Tensor:
    return true if loss.inverse is None else loss.inverse(true)
