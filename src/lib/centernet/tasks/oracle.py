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

from centernet.datasets.augment import View
from centernet.datasets.objects import Objects
from centernet.errors import UserError
from centernet.tasks.losses import AtCentres, Dense, Focal, Loss, MeanSquare

if TYPE_CHECKING:
    from centernet.tasks.task import Maps, Task

Targets = Mapping[str, Tensor]

# The heads that each published switch (--eval_oracle_...) makes perfect, in any task.
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
}


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

    def truth(self, objects: Objects, view: View, size: tuple[int, int]) -> Maps:
        """{head: (C, h, w)} of an image's `objects`, for maps of `size` (h, w) that show `view`.

        NaN where nothing is known: there the network's own answer stands.
        """
        seen = objects.warp(view, (size[1], size[0]), self.task.info.flip_pairs)
        targets = {
            name: torch.from_numpy(value) for name, value in self.task.encode(seen, size).items()
        }
        return {name: true_map(self.task.heads[name].loss, targets, size) for name in self.heads}

    def correct(self, maps: Mapping[str, Tensor], truths: Sequence[Mapping[str, Tensor]]) -> Maps:
        """Activated `maps` (B, C, h, w) with the truth of each image put in."""
        corrected = dict(maps)
        for name in self.heads:
            predicted = maps[name]
            true = torch.stack([truth[name] for truth in truths]).to(predicted)
            corrected[name] = torch.where(true.isnan(), predicted, true)
        return corrected


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
    values, mask = targets[loss.target].float(), targets[loss.mask].bool()
    if mask.dim() == 1:
        mask = mask.unsqueeze(1).expand_as(values)
    known = mask.any(1)
    if not known.any():
        return torch.full((values.shape[1], *size), torch.nan)
    values = values.masked_fill(~mask, torch.nan)[known]
    index = targets[loss.index][known]
    places = torch.stack([index % size[1], index // size[1]], dim=1).float()
    rows, columns = torch.meshgrid(*(torch.arange(n).float() for n in size), indexing="ij")
    cells = torch.stack([columns.ravel(), rows.ravel()], dim=1)
    nearest = torch.cdist(cells, places, compute_mode="donot_use_mm_for_euclid_dist").argmin(1)
    return values[nearest].T.reshape(-1, *size)
