"""The training loop, one for every task.

Exact by construction: what happens in an epoch depends on the state at its beginning and on (seed,
epoch) alone, and the state is saved at the end of each. A run killed at any moment and resumed
therefore ends where one that was never killed does, bit for bit on a CPU.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass

import torch
from torch import nn

from centernet.models.checkpoint import Checkpoint
from centernet.runtime.errors import Interrupted, UserError
from centernet.trains.checkpoints import BestMetric, CheckpointWriter
from centernet.trains.finite import NonFiniteGuard, check_weights
from centernet.trains.loader import Batch, EpochLoader
from centernet.trains.optimisers import set_rate
from centernet.trains.run_logger import RunLogger
from centernet.trains.schedules import Schedule
from centernet.trains.seeds import seed_everything
from centernet.trains.step import Step
from centernet.trains.validate import validation_losses

Evaluate = Callable[[nn.Module, int], Mapping[str, float]]


@dataclass(frozen=True)
class RunLength:
    """How long a run is: `epochs` of at most `iterations` batches (-1: all of the data).

    The optimizer steps once every `accumulate` batches. Validation comes every `val_intervals`
    epochs (0: never) and after the last.
    """

    epochs: int = 140
    iterations: int = -1
    val_intervals: int = 5
    accumulate: int = 1

    def validates(self, epoch: int) -> bool:
        if self.val_intervals <= 0:
            return False
        return epoch % self.val_intervals == 0 or epoch == self.epochs


class Trainer:
    """Runs the epochs of `length`; its parts are passed in.

    step: what learns. schedule: the learning rate by the epochs passed. loader: the batches;
    `name(index)` gives an image's file for messages. checkpoints: writes them. logger: prints and
    keeps lines and metrics. best: the metric that `model_best` goes by. val_loader: validation
    losses. evaluate(model, epoch): metrics of the task, called in the main process, model in
    evaluation mode. resume_command: what to type to go on after an interruption. patience: after
    how many validations without a better metric the run ends (0: never).
    """

    def __init__(
        self,
        step: Step,
        schedule: Schedule,
        loader: EpochLoader,
        checkpoints: CheckpointWriter,
        logger: RunLogger,
        best: BestMetric,
        length: RunLength,
        *,
        seed: int,
        name: Callable[[int], str] = "image {}".format,
        val_loader: EpochLoader | None = None,
        evaluate: Evaluate | None = None,
        resume_command: str = "the same command and --resume",
        patience: int = 0,
    ) -> None:
        self.step, self.schedule, self.loader = step, schedule, loader
        self.checkpoints, self.logger, self.best, self.length = checkpoints, logger, best, length
        self.seed, self.val_loader, self.evaluate = seed, val_loader, evaluate
        self.resume_command, self.patience = resume_command, patience
        self.guard = NonFiniteGuard(step.task, step.processes, name)
        self.epoch = 0  # the last one finished

    def resume(self, checkpoint: Checkpoint) -> None:
        """Go on from the end of the epoch that `checkpoint` was saved at.

        UserError if it is of another network or was saved without a training state.
        """
        lines = self.checkpoints.restore(checkpoint, self.step, self.best)
        self.epoch = checkpoint.epoch
        self.logger.write(f"resumed {checkpoint.name} at epoch {self.epoch}: {'; '.join(lines)}")

    def run(self) -> None:
        """Train to the last epoch.

        UserError, with `model_last.pth` left as it was at the end of the last good epoch, when a
        loss is not finite or memory runs out. Interrupted, a KeyboardInterrupt, after a line that
        says how to go on.
        """
        if self.epoch >= self.length.epochs:
            self.logger.write(
                f"already complete: {self.epoch} of {self.length.epochs} epochs;"
                " use --num_epochs N to extend"
            )
            return
        if self.step.processes.main:
            self.checkpoints.clear()
        self.logger.rewind(self.epoch)
        try:
            while self.epoch < self.length.epochs and not self._out_of_patience():
                self._one(self.epoch + 1)
        except KeyboardInterrupt:
            self.logger.write(self._interrupted())
            raise Interrupted from None
        finally:
            self.loader.close()

    def _one(self, epoch: int) -> None:
        with self._advice():
            self.logger.metrics(epoch, "train", self._train(epoch))
            figures = self.validate(epoch) if self.length.validates(epoch) else {}
        if self.step.processes.main:
            check_weights(self.step.kept, f"end of epoch {epoch}")
            self.checkpoints.save(self.step, epoch, self.best, self.best.improve(figures))
        self.epoch = epoch

    def _out_of_patience(self) -> bool:
        """Whether `patience` validations in a row brought nothing better; logged if so."""
        if self.patience <= 0:
            return False
        stale = self.step.processes.share(self.best.stale)
        if stale < self.patience:
            return False
        self.logger.write(
            f"stopped after epoch {self.epoch}: no better {self.best.metric} in {stale}"
            f" validations (--patience {self.patience})"
        )
        return True

    def _train(self, epoch: int) -> dict[str, float]:
        """Learn for one epoch; return the mean losses, the last rate and the seconds it took."""
        start, rate, steps = time.monotonic(), 0.0, self._steps()
        seed_everything(self.seed, epoch, self.step.processes.rank)
        self.step.ready()
        batches = self.loader.epoch(epoch, self.length.iterations, self.length.epochs)
        groups = _groups(batches, self.length.accumulate)
        with self.logger.epoch("train", epoch, steps) as bar:
            asked = time.monotonic()
            for number, parts in enumerate(groups, start=1):
                got = time.monotonic()
                rate = self.schedule(epoch - 1 + (number - 1) / steps)
                set_rate(self.step.optimizer, rate)
                stats = self.step(parts)
                images = [i for part in parts for i in part["index"].tolist()]
                self.guard.check(f"epoch {epoch}, step {number}", stats, images)
                done = time.monotonic()
                bar.step(stats, got - asked, done - got, len(images))
                asked = done
        self.guard.flush()
        return {**bar.average, "lr": rate, "seconds": time.monotonic() - start}

    def _steps(self) -> int:
        batches = len(self.loader)
        if self.length.iterations > 0:
            batches = min(batches, self.length.iterations)
        return -(-batches // self.length.accumulate)

    def validate(self, epoch: int) -> dict[str, float]:
        """Losses and metrics of the network as it is, written down under `epoch`."""
        figures: dict[str, float] = {}
        if self.val_loader is not None:
            figures |= validation_losses(self.step, self.val_loader, self.logger, epoch)
        if self.evaluate is not None:
            measured = None
            if self.step.processes.main:
                self.step.kept.eval()
                with torch.no_grad():
                    measured = dict(self.evaluate(self.step.kept, epoch))
            figures |= self.step.processes.share(measured)
        if figures:
            self.logger.metrics(epoch, "val", figures)
        return figures

    @contextmanager
    def _advice(self) -> Iterator[None]:
        """Turn what PyTorch says of scarce memory or a failed compilation into advice."""
        try:
            yield
        except Exception as error:
            where = type(error).__module__
            if isinstance(error, torch.OutOfMemoryError) or "can't allocate memory" in str(error):
                raise UserError(self._smaller()) from error
            if where.startswith(("torch._dynamo", "torch._inductor")):
                reason = str(error).strip().splitlines()[0]
                raise UserError(f"--compile: {reason}; train without --compile") from error
            raise

    def _smaller(self) -> str:
        batch, world = self.loader.batch_size, self.step.processes.world
        half = batch // 2
        if half < world:
            return "out of memory with one image a batch; use a smaller --input_res, or --amp bf16"
        more = self.length.accumulate * 2
        return (
            f"out of memory with batches of {batch}; use --batch_size {half} (and --accumulate"
            f" {more} for the same step), or --amp bf16"
        )

    def _interrupted(self) -> str:
        if self.epoch == 0:
            return "interrupted before the end of the first epoch: there is nothing to resume"
        return (
            f"interrupted; {self.checkpoints.last.resolve()} holds epoch {self.epoch}."
            f" To go on: {self.resume_command}"
        )


def _groups(batches: Iterator[Batch], size: int) -> Iterator[list[Batch]]:
    """The batches in lists of `size`, the last perhaps shorter."""
    group: list[Batch] = []
    for batch in batches:
        group.append(batch)
        if len(group) == size:
            yield group
            group = []
    if group:
        yield group
