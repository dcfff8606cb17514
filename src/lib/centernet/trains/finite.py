"""Stopping at the first loss that is not a number."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping

import torch
from torch import Tensor, nn

from centernet.runtime.errors import UserError
from centernet.tasks.task import Task
from centernet.trains.distributed import Processes

SHOWN = 8  # images named in the message
REMEDY = "try a lower --lr, --clip_grad 10, or --amp none, and look at these images' annotations"


class NonFiniteGuard:
    """Checks the losses one step late, so that no step waits for the GPU.

    One more step is thus taken after a bad loss. Nothing is lost by it: the weights in memory are
    spoilt either way, and no checkpoint is written before `flush`.
    """

    def __init__(self, task: Task, processes: Processes, name: Callable[[int], str]) -> None:
        """`name` gives the file of an image by its index."""
        self.task, self.processes, self.name = task, processes, name
        self._pending: tuple[str, Mapping[str, Tensor], list[int]] | None = None

    def check(self, where: str, stats: Mapping[str, Tensor], images: list[int]) -> None:
        """Keep the losses of the step at `where` over `images`, and check those of the step before.

        Raises UserError, in every process, if those were not finite. `stats` are the same in all
        processes, `images` this one's share.
        """
        self.flush()
        self._pending = where, stats, images

    def flush(self) -> None:
        """Check the last step too."""
        if self._pending is None:
            return
        where, stats, images = self._pending
        self._pending = None
        finite = torch.stack(list(stats.values())).isfinite().tolist()
        bad = [name for name, good in zip(stats, finite, strict=True) if not good]
        if bad:
            everyone = [i for share in self.processes.gather(images) for i in share]
            raise UserError(f"{where}: {self._culprits(bad)}; {self._files(everyone)}; {REMEDY}")

    def _culprits(self, bad: list[str]) -> str:
        losses = [name for name in bad if name != "loss"] or bad
        read = (name for t in self.task.terms if t.stat in losses for name in t.heads)
        heads = list(dict.fromkeys(read))
        plural = "s" if len(heads) > 1 else ""
        of = f" (head{plural} {', '.join(heads)})" if heads else ""
        return f"{', '.join(losses)} not finite{of}"

    def _files(self, images: Iterable[int]) -> str:
        names = [self.name(i) for i in images]
        rest = len(names) - SHOWN
        return f"images {', '.join(names[:SHOWN])}" + (f" and {rest} more" if rest > 0 else "")


def check_weights(model: nn.Module, where: str) -> None:
    """Raise UserError if a weight is not finite: that must not be saved over a good network."""
    with torch.no_grad():
        for key, value in model.state_dict().items():
            if value.is_floating_point() and not value.isfinite().all():
                raise UserError(f"{where}: weight {key} not finite; {REMEDY}")
