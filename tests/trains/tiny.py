"""A small training: 2D detection of squares in 12 drawn images, in a network of two convolutions.

Run as a program (`python -m tests.trains.tiny FOLDER EPOCHS WORKERS [plain]`) it trains or resumes
in FOLDER, for tests that kill it; "plain" is without BatchNorm, by gradient descent.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from centernet.console.exit_code import exit_code
from centernet.datasets.evaluate.evaluation import Evaluation
from centernet.datasets.framing import Augmentation
from centernet.datasets.source import Info, Source
from centernet.models.checkpoint import read_checkpoint
from centernet.models.model import CenterNet
from centernet.models.networks import Backbone
from centernet.structures.objects import Objects
from centernet.tasks.ctdet import Ctdet
from centernet.trains.average import Average
from centernet.trains.checkpoints import BestMetric, CheckpointWriter
from centernet.trains.distributed import ALONE, Processes, join
from centernet.trains.loader import EpochLoader
from centernet.trains.optimisers import adam
from centernet.trains.samples import Dataset
from centernet.trains.schedules import MultiStep
from centernet.trains.seeds import seed_everything
from centernet.trains.step import Step
from centernet.trains.trainer import RunLength, Trainer

SEED = 5
SIZE = (32, 32)
INFO = Info("squares", ("dark", "bright"), (1, 2), resolution=SIZE, max_objects=4)


class Squares(Source):
    """Image i shows i % 3 squares (so every third has none) on noise."""

    def __init__(self, length: int = 12) -> None:
        self.info, self.length = INFO, length

    def __len__(self) -> int:
        return self.length

    def image_id(self, index: int) -> int:
        return index

    def path(self, index: int) -> Path:
        return Path(f"squares/{index:03}.png")

    def _corners(self, index: int) -> np.ndarray:
        return np.random.default_rng([index]).integers(2, 16, (index % 3, 2))

    def image(self, index: int) -> np.ndarray:
        image = np.random.default_rng(index).integers(90, 120, (32, 40, 3), np.uint8)
        for number, (x, y) in enumerate(self._corners(index)):
            image[y : y + 12, x : x + 12] = 250 * (number % 2)
        return image

    def objects(self, index: int) -> Objects:
        corners = self._corners(index).astype(np.float32).reshape(-1, 2)
        boxes = np.hstack([corners, corners + 12])
        return Objects(boxes=boxes, classes=np.arange(len(boxes)) % 2)

    def evaluate(self, results: Mapping, folder: Path) -> Evaluation:
        raise NotImplementedError  # the trainings here bring their own metric


class TinyBackbone(Backbone):
    """Stride 4 in two convolutions, without BatchNorm unless asked for, and a third in vain."""

    channels = 8
    head_conv = 8
    leaves_unused = True

    def __init__(self, norm: bool = False) -> None:
        super().__init__()
        self.first = nn.Conv2d(3, 8, 3, stride=2, padding=1)
        self.norm = nn.BatchNorm2d(8) if norm else nn.Identity()
        self.second = nn.Conv2d(8, 8, 3, stride=2, padding=1)
        self.unused = nn.Conv2d(8, 8, 1)

    def forward(self, x: Tensor) -> list[Tensor]:
        return [torch.relu(self.second(torch.relu(self.norm(self.first(x)))))]


class Notes:
    """A logger that keeps what it is told."""

    def __init__(self) -> None:
        self.lines: list[str] = []
        self.figures: list[tuple[int, str, dict[str, float]]] = []
        self.average: dict[str, float] = {}
        self.seconds = 0.0
        self.steps: list[dict[str, float]] = []

    @contextmanager
    def epoch(self, phase: str, epoch: int | None, total: int) -> Iterator[Notes]:
        self.steps = []
        yield self
        assert len(self.steps) == total

    def step(self, stats: Mapping[str, Any], *times: float, count: int = 1) -> None:
        self.steps.append({name: float(value) for name, value in stats.items()})
        self.average = {n: float(np.mean([s[n] for s in self.steps])) for n in stats}

    def write(self, line: str) -> None:
        self.lines.append(line)

    def metrics(self, epoch: int, phase: str, values: Mapping[str, float]) -> None:
        self.figures.append((epoch, phase, dict(values)))

    def rewind(self, epoch: int) -> None:
        self.figures = [row for row in self.figures if row[0] <= epoch]

    def losses(self) -> list[float]:
        return [row[2]["loss"] for row in self.figures if row[1] == "train"]


def falling_metric(model: nn.Module, epoch: int) -> dict[str, float]:
    """A metric that is best at the first validation."""
    return {"AP": 1 / epoch}


def make_model(norm: bool = False) -> tuple[Ctdet, CenterNet]:
    task = Ctdet(INFO)
    seed_everything(SEED)
    return task, CenterNet(TinyBackbone(norm), task.heads)


def make_data(task: Ctdet, length: int = 12) -> Dataset:
    return Dataset(Squares(length), task, size=SIZE, augmentation=Augmentation(), seed=SEED)


def make_trainer(
    folder: Path,
    *,
    epochs: int = 3,
    batch_size: int = 4,
    norm: bool = False,
    optimizer: type[torch.optim.Optimizer] | None = None,
    workers: int = 0,
    logger: Any = None,
    processes: Processes = ALONE,
    accumulate: int = 1,
    data: Any = None,
    rate: float = 1e-3,
    validate: bool = True,
    every: int = 0,
    length: RunLength | None = None,
    metric: str = "loss",
    evaluate: Any = None,
    decay: float = 0.0,
    **options: Any,
) -> Trainer:
    """A trainer of the squares that drops its rate after epoch 2 and validates every 2 epochs."""
    task, model = make_model(norm)
    if data is None:
        data = make_data(task)
    schedule = MultiStep(rate, (2,))
    if optimizer is None:
        learner = adam(model.parameters(), rate)
    else:
        learner = optimizer(model.parameters(), lr=rate)
    average = Average(model, decay, pace=5.0) if decay else None
    val_loader = EpochLoader(
        Dataset(Squares(7), task, size=SIZE, seed=SEED),
        4,
        shuffle=False,
        drop_last=False,
        processes=processes,
    )
    return Trainer(
        Step(task, model, learner, processes=processes, average=average, **options),
        schedule,
        EpochLoader(data, batch_size, seed=SEED, workers=workers, processes=processes),
        CheckpointWriter(
            folder, {"task": "ctdet", "arch": "tiny"}, {"batch_size": batch_size}, every=every
        ),
        Notes() if logger is None else logger,
        BestMetric(metric),
        length or RunLength(epochs, val_intervals=2, accumulate=accumulate),
        seed=SEED,
        name=lambda index: f"squares/{index:03}.png",
        val_loader=val_loader if validate else None,
        evaluate=evaluate,
        resume_command="python main.py ctdet --resume",
    )


def train_processes(folder: Path, jobs: dict[str, tuple[int, dict[str, Any]]]) -> None:
    """The work of one of several processes: trainings {name: (batch size, options)} in turn.

    The first process leaves the losses of each in `folder`/name/losses.pth.
    """
    torch.set_num_threads(1)
    with join("cpu") as processes:
        for name, (batch_size, options) in jobs.items():
            trainer = make_trainer(
                folder / name, batch_size=batch_size, processes=processes, **options
            )
            trainer.run()
            if processes.main:
                torch.save(trainer.logger.losses(), folder / name / "losses.pth")


def main() -> None:
    from centernet.runs.logger import Logger

    folder, epochs, workers = Path(sys.argv[1]), int(sys.argv[2]), int(sys.argv[3])
    plain = {"optimizer": torch.optim.SGD, "rate": 0.05} if "plain" in sys.argv else {}
    torch.set_num_threads(1)
    with join("cpu") as processes:
        logger = Logger(folder, rank=processes.rank, tensorboard=False)
        trainer = make_trainer(
            folder,
            epochs=epochs,
            norm=not plain,
            workers=workers,
            logger=logger,
            processes=processes,
            **plain,
        )
        if trainer.checkpoints.last.exists():
            trainer.resume(read_checkpoint(trainer.checkpoints.last))
        logger.write("ready")
        trainer.run()


if __name__ == "__main__":
    sys.exit(exit_code("tiny", main))
