"""One step of the optimizer, over one batch or several accumulated parts, in one process or many.

Every loss is a sum over a count, and the counts are taken over the whole: all parts and all
processes. So the gradient is that of one large batch however it was cut (BatchNorm excepted, whose
statistics are those of each part).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from contextlib import AbstractContextManager, nullcontext

import torch
from torch import Tensor, nn
from torch.nn.parallel import DistributedDataParallel

from centernet.models.model import CenterNet
from centernet.tasks.oracle import Oracle
from centernet.tasks.task import Task
from centernet.trains.average import Average
from centernet.trains.distributed import ALONE, Processes
from centernet.trains.loader import Batch
from centernet.trains.on_device import complete_targets, network_inputs
from centernet.trains.precision import Precision


class Step:
    """Teaches `model` one step at a time.

    `model` is on the device of `processes` and `optimizer` holds its parameters. `clip` limits the
    norm of the gradient (0: no limit). `compiled` runs the network through torch.compile. `oracle`,
    unless None, makes heads perfect for `loss`; learning never sees it. `average`, unless None,
    follows the weights; it is then what is validated and kept.
    """

    def __init__(
        self,
        task: Task,
        model: CenterNet,
        optimizer: torch.optim.Optimizer,
        *,
        precision: Precision = Precision(),  # noqa: B008  (frozen)
        clip: float = 0.0,
        channels_last: bool = False,
        compiled: bool = False,
        processes: Processes = ALONE,
        average: Average | None = None,
        oracle: Oracle | None = None,
    ) -> None:
        self.task, self.model, self.optimizer = task, model, optimizer
        self.average, self.oracle = average, oracle
        self.precision, self.clip, self.processes = precision, clip, processes
        self.scaler = precision.scaler(processes.device)
        self.memory_format = torch.channels_last if channels_last else torch.contiguous_format
        self.ready()
        self.network: nn.Module = model
        if processes.world > 1:
            ids = [processes.device.index] if processes.device.type == "cuda" else None
            self.network = DistributedDataParallel(
                model, device_ids=ids, find_unused_parameters=_leaves_unused(task, model)
            )
        if compiled:
            self.network.compile()

    @property
    def kept(self) -> CenterNet:
        """The network that is validated and saved: the average where there is one."""
        return self.model if self.average is None else self.average.model

    def ready(self) -> None:
        """Put the network into training mode, whatever an evaluation has made of it."""
        self.model.to(memory_format=self.memory_format)
        self.model.train()

    def __call__(self, parts: Sequence[Batch]) -> dict[str, Tensor]:
        """Take one step; return {"loss": ..., stat: ...} of the whole batch, detached, float32.

        A batch holds `inputs` by the names of `task.inputs`, (B, channels, H, W) each, `index` (B,)
        and the targets of the task, or what `on_device.complete_on_device` makes that of.
        """
        targets = [self._targets(part) for part in parts]  # of all: they are counted first
        counts = self._counts(targets)
        self.optimizer.zero_grad(set_to_none=True)
        stats: dict[str, Tensor] = {}
        for number, part in enumerate(parts, start=1):
            inputs, wanted = self._inputs(part), targets[number - 1]
            with self._gradients_summed(last=number == len(parts)):
                for name, value in self._backward(inputs, wanted, counts).items():
                    stats[name] = stats[name] + value if name in stats else value
        self._update()
        return self._over_processes(stats)

    def loss(self, batch: Batch) -> dict[str, Tensor]:
        """Losses of a batch of this process by itself, without learning from it."""
        inputs, targets = self._inputs(batch), self._targets(batch)
        with torch.no_grad(), self.precision.autocast(self.processes.device):
            stages = self.kept(inputs)
        judge = self.task if self.oracle is None else self.oracle
        return judge.loss(stages, targets)

    def _counts(self, targets: Sequence[Batch]) -> list[Tensor]:
        """What the losses of the whole batch are divided by, (T,) for each term."""
        each = [self.task.counts(part) for part in targets]
        sizes = [count.numel() for count in each[0]]
        total = torch.stack([torch.cat(counts) for counts in each]).sum(0)
        total = self.processes.sum(total.to(self.processes.device))
        return list(total.split(sizes))

    def _backward(
        self, inputs: Mapping[str, Tensor], targets: Batch, counts: Sequence[Tensor]
    ) -> dict[str, Tensor]:
        with self.precision.autocast(self.processes.device):
            stages = self.network(inputs)
        stats = self.task.loss(stages, targets, counts)
        # The processes' gradients are averaged where shares of a whole have to be added.
        self.scaler.scale(stats["loss"] * self.processes.world).backward()
        return {name: value.detach().float() for name, value in stats.items()}

    def _update(self) -> None:
        if self.clip > 0:
            self.scaler.unscale_(self.optimizer)
            nn.utils.clip_grad_norm_(self.model.parameters(), self.clip)
        self.scaler.step(self.optimizer)
        self.scaler.update()
        if self.average is not None:
            self.average.update(self.model)

    def _gradients_summed(self, last: bool) -> AbstractContextManager[None]:
        if last or not isinstance(self.network, DistributedDataParallel):
            return nullcontext()
        return self.network.no_sync()

    def _over_processes(self, stats: dict[str, Tensor]) -> dict[str, Tensor]:
        total = self.processes.sum(torch.stack(list(stats.values())))
        return dict(zip(stats, total.unbind(), strict=True))

    def _inputs(self, batch: Batch) -> dict[str, Tensor]:
        moved = network_inputs(batch, self.processes.device)
        return {name: x.contiguous(memory_format=self.memory_format) for name, x in moved.items()}

    def _targets(self, batch: Batch) -> Batch:
        return complete_targets(batch, self.task, self.model.backbone.stride, self.processes.device)


def _leaves_unused(task: Task, model: CenterNet) -> bool:
    """Whether some parameters get no gradient, for which the processes must not wait."""
    read = {name for term in task.active_terms for name in term.heads}
    return model.backbone.leaves_unused or not read.issuperset(task.heads)
