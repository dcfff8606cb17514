"""True maps in the place of predicted ones: how good would the rest be if a head were perfect?

The maps are read off a task's own training targets: each part says which raw maps leave nothing to
learn (`Part.truth`).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

import torch
from torch import Tensor

from centernet.geometry.view import View
from centernet.heads import flipped
from centernet.heads.head_map import Maps, dense
from centernet.runtime.errors import UserError
from centernet.structures.objects import Objects

if TYPE_CHECKING:
    from centernet.tasks.task import Task

Targets = Mapping[str, Tensor]


def oracles_for(task: Task) -> dict[str, list[str]]:
    """{name: the heads of `task` that it makes perfect}: what `Head.oracle` says, else the head's.

    Heads that no term reads have none.
    """
    read = {name for term in task.terms for name in term.heads}
    found: dict[str, list[str]] = {}
    for name, head in task.heads.items():
        if name in read:
            found.setdefault(head.oracle or name, []).append(name)
    return found


class Oracle:
    """Knows the truth about some heads of `task`: those that `names` (of `oracles_for`) mean."""

    def __init__(self, task: Task, names: Sequence[str]) -> None:
        self.task = task
        possible = oracles_for(task)
        for name in names:
            if name not in possible:
                raise UserError(
                    f"--eval_oracle {name}: {task.name} has no head for it; it has"
                    f" {', '.join(possible)}"
                )
        self.heads = [head for name in names for head in possible[name]]

    def truth(
        self, objects: Objects, view: View, size: tuple[int, int], *, mirrored: bool = False
    ) -> dict[str, Tensor]:
        """{head: (C, h, w)} of an image's `objects`, for maps of `size` (h, w) that show `view`.

        Activated maps; NaN where nothing is known: there the network's own answer stands. Regions
        to ignore are empty: what training draws there, nearly a peak, would be found as an object.
        `mirrored` adds the maps of the mirrored image, for tasks that keep those beside
        (`flipped.py`).
        """
        pairs = self.task.info.flip_pairs
        seen = objects.select(objects.classes >= 0).warp(view, (size[1], size[0]), pairs)
        truth = self._of_objects(seen, size)
        if mirrored:
            # Point x of the map, not pixel x, becomes width - x.
            twin = self._of_objects(seen.flip(size[1] + 1, pairs), size)
            truth |= {flipped.PREFIX + name: value for name, value in twin.items()}
        return truth

    def _of_objects(self, objects: Objects, size: tuple[int, int]) -> dict[str, Tensor]:
        encoded = self.task.encode(objects, size)
        targets = {name: torch.from_numpy(value) for name, value in encoded.items()}
        raw = self.task.truth(targets, size, frozenset(self.heads))
        heads = self.task.heads
        changes = {name: heads[name].activation for name in raw}
        return {n: value if (f := changes[n]) is None else f(value) for n, value in raw.items()}

    def correct(self, maps: Maps, truths: Sequence[Mapping[str, Tensor]]) -> Maps:
        """Activated `maps` with the truth of each image put in."""
        known = [name for name in truths[0] if name in maps]
        true = {name: torch.stack([truth[name] for truth in truths]) for name in known}
        whole = {name: known_or(true[name], maps[name].whole()) for name in known}
        return {**maps, **dense(whole)}

    def correct_raw(self, maps: Mapping[str, Tensor], targets: Targets) -> dict[str, Tensor]:
        """Raw `maps` (B, C, h, w) of one stage with the truth of a batch's `targets` put in."""
        batch, _, *size = maps[self.heads[0]].shape
        each = [
            self.task.truth(
                {key: value[image] for key, value in targets.items()},
                (size[0], size[1]),
                frozenset(self.heads),
            )
            for image in range(batch)
        ]
        true = {name: torch.stack([one[name] for one in each]) for name in self.heads}
        return {**maps, **{name: known_or(true[name], maps[name]) for name in self.heads}}

    def loss(self, stages: Sequence[Mapping[str, Tensor]], targets: Targets) -> dict[str, Tensor]:
        """`Task.loss` with the heads perfect: what the others have left to learn."""
        return self.task.loss([self.correct_raw(maps, targets) for maps in stages], targets)


def known_or(true: Tensor, predicted: Tensor) -> Tensor:
    """`true`, but `predicted` where it is NaN."""
    true = true.to(predicted)
    return torch.where(true.isnan(), predicted, true)
