"""What a run leaves on disk so that it can go on: which files, when, and what they hold."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from torch import Tensor

from centernet.io.door import shown
from centernet.io.files import clear_temporary
from centernet.io.run_folder import BEST, LAST, RunFolder
from centernet.models.checkpoint import Checkpoint, load_weights, save_checkpoint
from centernet.runtime.errors import UserError
from centernet.trains.step import Step


@dataclass
class BestMetric:
    """The best value so far of the metric a run is evaluated by; losses are better when lower."""

    metric: str
    value: float | None = None
    stale: int = 0  # validations since the best one

    def improve(self, figures: Mapping[str, float]) -> bool:
        """Take the metric from `figures`; True if it is the best so far (a NaN never is).

        No figures (no validation in this epoch) improve nothing; figures without the metric are a
        UserError.
        """
        if not figures:
            return False
        if self.metric not in figures:
            raise UserError(f"--metric {self.metric}: validation gives only {', '.join(figures)}")
        value = float(figures[self.metric])
        lower = self.metric.endswith("loss")  # "loss" itself, or one of its parts: "hm_loss"
        worse = math.isnan(value) or (
            self.value is not None and (value >= self.value if lower else value <= self.value)
        )
        if worse:
            self.stale += 1
            return False
        self.value, self.stale = value, 0
        return True


class CheckpointWriter:
    """Writes the checkpoints of a run into `folder`; each of them can be resumed.

    `model_last.pth` after every epoch, `model_best.pth` when the metric improved, and
    `model_<epoch>.pth` every `every` epochs (0: never) and at `milestones`. `description` says what
    the network is (see `models.checkpoint`), `settings` are facts of the run (seed, batch size ...)
    whose change on resuming is worth a line.
    """

    def __init__(
        self,
        folder: Path,
        description: Mapping[str, Any],
        settings: Mapping[str, Any] | None = None,
        *,
        every: int = 0,
        milestones: tuple[int, ...] = (),
    ) -> None:
        self.folder, self.description = Path(folder), description
        self.settings = dict(settings or {})
        self.every, self.milestones = every, milestones

    @property
    def last(self) -> Path:
        return RunFolder(self.folder).last

    def save(self, step: Step, epoch: int, best: BestMetric, improved: bool) -> None:
        """Save the end of `epoch`. `model_last.pth` comes last: with it the epoch is over."""
        names = [BEST] if improved else []
        if epoch in self.milestones or (self.every > 0 and epoch % self.every == 0):
            names.append(RunFolder(self.folder).checkpoint(epoch).name)
        training = {
            "optimizer": step.optimizer.state_dict(),
            "scaler": step.scaler.state_dict(),
            "best": asdict(best),
            "settings": self.settings,
        }
        if step.average is not None:  # the file's own weights are the averages
            training |= {"weights": step.model.state_dict(), "average": step.average.state()}
        for name in [*names, LAST]:
            save_checkpoint(self.folder / name, step.kept, self.description, training, epoch)

    def clear(self) -> None:
        """Remove what a killed process was writing; it never had its final name."""
        clear_temporary(self.folder)

    def restore(self, checkpoint: Checkpoint, step: Step, best: BestMetric) -> list[str]:
        """Put `step` and `best` back to where `checkpoint` was saved; return lines worth saying.

        UserError if the file is not of this network or holds nothing to resume from.
        """
        training = checkpoint.training
        if training is None:
            raise UserError(
                f"{checkpoint.name}: holds no training state to resume; start from its weights"
                " with --load_model, without --resume"
            )
        _check(training, checkpoint.name)
        lines = [load_weights(step.model, checkpoint, strict=True, wanted=self.description)]
        lines += _restore_average(step, training)
        try:
            step.optimizer.load_state_dict(training["optimizer"])
        except (ValueError, LookupError, TypeError, AttributeError, RuntimeError) as error:
            raise UserError(f"{checkpoint.name}: its optimizer is of another network") from error
        if training.get("scaler") and step.scaler.is_enabled():
            step.scaler.load_state_dict(training["scaler"])
        found = training.get("best") or {}
        if found.get("metric") == best.metric:
            best.value, best.stale = found["value"], found.get("stale", 0)
        elif found:
            lines.append(f"model_best was chosen by {found['metric']}, now by {best.metric}")
        for name, before in (training.get("settings") or {}).items():
            now = self.settings.get(name)
            if name in self.settings and _plain(now) != _plain(before):
                lines.append(f"{name} was {before} before and is {now} from here on")
        return lines


def _check(training: Mapping[str, Any], file: str) -> None:
    """Raise UserError, naming the part, for a training state of other types than `write` gives."""
    for name in ("optimizer", "scaler", "best", "settings", "weights", "average"):
        part = training.get(name)
        if part is not None and not isinstance(part, Mapping):
            raise UserError(f"{file}: training: {name} is {shown(part)}, not a mapping")
    best = training.get("best") or {}
    value, stale = best.get("value", 0.0), best.get("stale", 0)
    if not isinstance(value, int | float | None) or not isinstance(stale, int):  # None: none yet
        raise UserError(f"{file}: training: best is {shown(dict(best))}, not a metric's value")
    for name, tensor in (training.get("weights") or {}).items():
        if not isinstance(tensor, Tensor):
            raise UserError(f"{file}: training: weights: {name} is {shown(tensor)}, not a tensor")


def _restore_average(step: Step, training: Mapping[str, Any]) -> list[str]:
    """Give the averages to `step.average` and the weights that go on learning to `step.model`."""
    averaged, lines = "weights" in training, []
    if step.average is not None and averaged:
        step.average.restore(training["average"], step.model.state_dict())
    elif step.average is not None:
        step.average.restart(step.model)
        lines = ["the average of the weights starts here"]
    elif averaged:
        lines = ["the average of the weights is not followed any more"]
    if averaged:
        step.model.load_state_dict(training["weights"])
    return lines


def _plain(value: Any) -> Any:
    return list(value) if isinstance(value, list | tuple) else value
