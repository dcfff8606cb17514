"""Every task of the registry from the command line: trained, resumed, in two processes, judged.

On a few images of the toy set with the lightest network; a new task is covered once registered.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import nn

from centernet import cli
from centernet.datasets import open_source
from centernet.datasets.framing import Augmentation
from centernet.datasets.toy import write_toy
from centernet.datasets.toy.source import part_for
from centernet.models.checkpoint import read_checkpoint
from centernet.models.model import CenterNet
from centernet.tasks import TASKS
from centernet.tasks.oracle import oracles_for
from centernet.trains.distributed import join, spawn
from centernet.trains.loader import EpochLoader
from centernet.trains.samples import Dataset
from centernet.trains.seeds import seed_everything
from centernet.trains.step import Step
from tests.trains.tiny import TinyBackbone

RUN = (
    "--dataset toy --arch mobilenetv3 --weights none --batch_size 4 --num_workers 0 --gpus -1"
    " --val_intervals 0"
)
IMAGES = (8, 4)
# The metric that perfect heads bring to 1, where it is not AP: the middle of an image box is not
# where the middle of a near cuboid is seen, which costs overlap in space whatever is learned.
COMPLETE = {"ddd": "Car_AOS_0.7", "tracking": "MOTA"}
# Where truth counts what no task is taught: objects of which less than a quarter is seen.
REACHED = {"tracking": 0.75}
MAIN = {"tracking": "MOTA"}  # the figure of the error budget, where it is not AP


@pytest.fixture(scope="module")
def root(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A root with a toy set of a few images."""
    folder = tmp_path_factory.mktemp("root")
    parts = sorted({part_for(task.needs) for task in TASKS.values()})
    write_toy(folder / "data" / "toy", parts=parts, counts=dict.fromkeys(parts, IMAGES))
    return folder


def train(root: Path, task: str, *more: str) -> None:
    assert cli.train([task, *RUN.split(), *more], root) == 0


def last(root: Path, task: str, run: str) -> Any:
    return read_checkpoint(root / "exp" / task / run / "model_last.pth")


@pytest.mark.parametrize("task", list(TASKS))
def test_resumed_is_equal_to_never_stopped(root: Path, task: str) -> None:
    train(root, task, "--exp_id", "whole", "--num_epochs", "2")
    train(root, task, "--exp_id", "parts", "--num_epochs", "1")
    assert cli.train([task, "--exp_id", "parts", "--resume", "--num_epochs", "2"], root) == 0
    whole, parts = (last(root, task, run) for run in ("whole", "parts"))
    assert whole.epoch == parts.epoch == 2
    assert all(torch.equal(whole.weights[key], parts.weights[key]) for key in whole.weights)
    states = [each.training["optimizer"]["state"] for each in (whole, parts)]
    for one, other in zip(states[0].values(), states[1].values(), strict=True):
        assert all(torch.equal(one[name], other[name]) for name in ("exp_avg", "exp_avg_sq"))


@pytest.mark.parametrize("task", list(TASKS))
def test_the_error_budget_covers_every_head(
    root: Path, task: str, capsys: pytest.CaptureFixture[str]
) -> None:
    train(root, task, "--exp_id", "judged", "--num_epochs", "1", "--num_iters", "1")
    words = [task, "--exp_id", "judged", "--resume", "--gpus", "-1", "--num_workers", "0"]
    capsys.readouterr()
    assert cli.test([*words, "--error_budget"], root) == 0
    said = capsys.readouterr().out.splitlines()
    start = next(n for n, line in enumerate(said) if line.startswith("perfect "))
    source = open_source("toy", "val", root / "data", wanted=TASKS[task].needs)
    names = ["nothing", *oracles_for(TASKS[task](source.info)), "everything"]
    rows = [line.split() for line in said[start + 1 : start + 1 + len(names)]]
    assert [row[0] for row in rows] == names
    figures = {row[0]: float(row[1]) for row in rows}
    assert figures["nothing"] < 0.1
    every = [f"--eval_oracle_{name}" for name in names[1:-1]]
    assert cli.test([*words, "--flip_test", *every], root) == 0
    rows = (root / "exp" / task / "judged" / "metrics.jsonl").read_text().splitlines()
    mirrored = json.loads(rows[-1])
    assert mirrored[COMPLETE.get(task, "AP")] > REACHED.get(task, 0.95)
    assert mirrored[MAIN.get(task, "AP")] == pytest.approx(figures["everything"], abs=0.02)


def test_validation_losses_follow_the_oracles(
    root: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    train(root, "ctdet", "--exp_id", "val", "--num_epochs", "1", "--num_iters", "1")
    model = str(root / "exp" / "ctdet" / "val" / "model_last.pth")
    losses = []
    for more in ([], ["--eval_oracle", "wh"]):
        train(root, "ctdet", "--exp_id", "val", "--test", "--load_model", model, *more)
        rows = (root / "exp" / "ctdet" / "val" / "metrics.jsonl").read_text().splitlines()
        losses.append(json.loads(rows[-1]))
    assert losses[0]["wh_loss"] > 1
    assert losses[1]["wh_loss"] < 0.01 * losses[0]["wh_loss"]
    assert losses[1]["hm_loss"] == losses[0]["hm_loss"]


def learn(root: Path, folder: Path, world: int) -> None:
    """Two steps of each task on four images by all processes; the first leaves the weights."""
    torch.set_num_threads(1)
    with join("cpu") as processes:
        assert processes.world == world
        for name, task_type in TASKS.items():
            source = open_source("toy", "train", root / "data", wanted=task_type.needs)
            task = task_type(source.info)
            seed_everything(3)
            model = without_norms(CenterNet(TinyBackbone(), task.heads))
            odd = task.resolution(source.info, task.options)[0] % 2
            size = (64 - odd, 128 - odd)
            data = Dataset(source, task, size=size, augmentation=Augmentation(), seed=3)
            start = {key: value.clone() for key, value in model.state_dict().items()}
            step = Step(task, model, torch.optim.SGD(model.parameters(), 1e-3), processes=processes)
            for batch in EpochLoader(data, 4, seed=3, processes=processes).epoch(1):
                step([batch])
            learned = model.state_dict()
            heads = [key for key in start if key.startswith("heads.")]
            assert any((learned[key] - start[key]).abs().max() > 1e-4 for key in heads)
            if processes.main:
                torch.save(model.state_dict(), folder / f"{name}_{world}.pth")


def without_norms(model: CenterNet) -> CenterNet:
    """`model` less BatchNorm, whose statistics are those of each process's share."""
    for module in list(model.modules()):
        for name, child in module.named_children():
            if isinstance(child, nn.BatchNorm2d):
                setattr(module, name, nn.Identity())
    return model


@pytest.mark.slow
@pytest.mark.heavy
def test_two_processes_learn_as_one(root: Path, tmp_path: Path) -> None:
    spawn(learn, (root, tmp_path, 2), devices=2)
    learn(root, tmp_path, 1)
    for name in TASKS:
        one, two = (torch.load(tmp_path / f"{name}_{n}.pth", weights_only=True) for n in (1, 2))
        for key in one:
            torch.testing.assert_close(one[key], two[key], rtol=1e-4, atol=1e-6)
