"""The losses of the validation set."""

from __future__ import annotations

import torch

from centernet.trains.loader import EpochLoader
from centernet.trains.run_logger import RunLogger
from centernet.trains.step import Step


def validation_losses(
    step: Step, loader: EpochLoader, logger: RunLogger, epoch: int
) -> dict[str, float]:
    """{"loss": ..., stat: ...}: the mean over the images of `loader`, every process its share.

    A batch is divided by its own counts, so the figures depend a little on the size of the batches,
    as training losses do. The network's mode is set to evaluation.
    """
    step.kept.eval()
    device = step.processes.device
    names = ["loss", *dict.fromkeys(term.stat for term in step.task.active_terms)]
    sums = torch.zeros(len(names) + 1, dtype=torch.float64, device=device)
    with logger.epoch("val", epoch, len(loader)) as bar:
        for batch in loader.epoch(epoch):
            images = len(batch["index"])
            stats = step.loss(batch)
            values = torch.stack([stats[name].detach() for name in names])
            sums[:-1] += values.double() * images
            sums[-1] += images
            bar.step(stats, count=images)
    totals = step.processes.sum(sums).tolist()
    return {name: total / totals[-1] for name, total in zip(names, totals[:-1], strict=True)}
