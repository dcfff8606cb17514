"""--checkpoint_activations: a training ends with the same bits, in half precision and in several
processes too."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import torch

from centernet import cli
from centernet.builders import training
from centernet.models.checkpoint import read_checkpoint
from centernet.models.model import CenterNet
from centernet.models.networks import BACKBONES
from centernet.models.networks.hourglass import Hourglass
from centernet.models.networks.segment import recompute
from centernet.tasks.ctdet import Ctdet
from centernet.trains.distributed import ALONE, Processes, join, spawn
from centernet.trains.loader import EpochLoader
from centernet.trains.optimisers import adam
from centernet.trains.precision import Precision
from centernet.trains.seeds import seed_everything
from centernet.trains.step import Step
from tests.tiny_coco import write_tiny_coco
from tests.trains.tiny import INFO, SEED, make_data

State = dict[str, torch.Tensor]


def after_training(
    twice: bool, parts: int = 1, wh_weight: float = 0.1, processes: Processes = ALONE, **how: Any
) -> tuple[list[float], State]:
    """Losses of four steps and what a small hourglass then is."""
    task = Ctdet(INFO, Ctdet.Options(wh_weight=wh_weight))
    seed_everything(SEED)
    backbone = Hourglass(stacks=2, dims=(8, 8, 12), modules=(1, 1, 2), feature_dim=10)
    model = CenterNet(backbone, task.heads)
    if twice:
        recompute(model, "hourglass")
    step = Step(task, model, adam(model.parameters(), 1e-3), processes=processes, **how)
    loader = EpochLoader(make_data(task), 4, seed=SEED, processes=processes)
    batches = [batch for epoch in (1, 2, 3, 4) for batch in loader.epoch(epoch)][: 4 * parts]
    losses = [float(step(batches[i : i + parts])["loss"]) for i in range(0, len(batches), parts)]
    assert len(losses) == 4
    return losses, model.state_dict()


def assert_same_training(**how: Any) -> None:
    (expected, plain), (losses, twice) = (after_training(t, **how) for t in (False, True))
    assert losses == expected
    assert losses[0] != losses[-1]
    assert [name for name in plain if not torch.equal(plain[name], twice[name])] == []


@pytest.mark.parametrize(
    "how",
    [
        {},
        {"parts": 2, "clip": 0.5},
        {"precision": Precision("bf16")},
        {"precision": Precision("fp16"), "channels_last": True},
        {"wh_weight": 0.0},
    ],
    ids=["plain", "parts", "bf16", "fp16", "unused"],
)
def test_same_bits(how: dict[str, Any]) -> None:
    assert_same_training(**how)


def in_each_process() -> None:
    torch.set_num_threads(1)
    with join("cpu") as processes:
        assert processes.world == 2
        assert_same_training(processes=processes)
        # Parameters without a gradient, and parts whose gradients are not exchanged.
        assert_same_training(processes=processes, wh_weight=0.0, parts=2)


def test_same_bits_in_two_processes() -> None:
    spawn(in_each_process, (), devices=2)


WORDS = (
    "--weights none --input_res 128 --batch_size 4 --num_epochs 1 --num_iters 1 --num_workers 0"
    " --gpus -1 --val_intervals 0"
)


def train(folder: Path, data: list[str], arch: str, *flags: str) -> int:
    words = ["ctdet", "--arch", arch, *WORDS.split(), "--exp_id", "-".join([arch, *flags])]
    return cli.train([*words, *data, *flags], folder)


def test_the_flag(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def small() -> Hourglass:
        return Hourglass(stacks=1, dims=(8, 8), modules=(1, 1), feature_dim=8)

    monkeypatch.setitem(BACKBONES, "hourglass_52", small)
    data = write_tiny_coco(tmp_path / "tiny")
    asked = []

    def spy(model: CenterNet, name: str) -> None:
        asked.append(name)
        recompute(model, name)

    monkeypatch.setattr(training, "recompute", spy)
    assert train(tmp_path, data, "hourglass_52") == 0
    assert not asked
    assert train(tmp_path, data, "hourglass_52", "--checkpoint_activations") == 0
    assert asked == ["hourglass_52"]
    runs = sorted((tmp_path / "exp" / "ctdet").iterdir())
    plain, twice = (read_checkpoint(run / "model_last.pth").weights for run in runs)
    assert all(torch.equal(plain[name], twice[name]) for name in plain)


@pytest.mark.parametrize(
    ("arch", "flags", "message"),
    [
        ("unet", [], "unet has no parts that can be computed twice"),
        ("tiny_hourglass", ["--compile"], "leave out --compile"),
    ],
)
def test_what_it_does_not_go_with(
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    arch: str,
    flags: list[str],
    message: str,
) -> None:
    data = write_tiny_coco(tmp_path / "tiny")
    assert train(tmp_path, data, arch, "--checkpoint_activations", *flags) == 2
    assert message in capsys.readouterr().err
