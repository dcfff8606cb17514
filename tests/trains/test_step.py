"""The step: one large batch, however it is cut into parts or over processes."""

from __future__ import annotations

import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import nn

from centernet.models.checkpoint import read_checkpoint
from centernet.models.create import create_model
from centernet.runtime.errors import UserError
from centernet.trains.distributed import spawn
from centernet.trains.loader import EpochLoader
from centernet.trains.precision import Precision
from centernet.trains.step import Step
from tests.trains.tiny import (
    SEED,
    falling_metric,
    make_data,
    make_model,
    make_trainer,
    train_processes,
)

ROOT = Path(__file__).resolve().parents[2]


def final(trainer: Any) -> dict[str, torch.Tensor]:
    trainer.run()
    return trainer.step.model.state_dict()


def assert_close(a: dict[str, torch.Tensor], b: dict[str, torch.Tensor]) -> None:
    assert list(a) == list(b)
    for key in a:
        torch.testing.assert_close(a[key], b[key], rtol=1e-4, atol=1e-6, msg=lambda m, k=key: k + m)


SGD = {"optimizer": torch.optim.SGD, "rate": 0.05, "validate": False}


@pytest.mark.parametrize(("batch_size", "accumulate"), [(2, 2), (1, 4), (3, 2)])
def test_accumulated_parts_are_one_large_batch(
    tmp_path: Path, batch_size: int, accumulate: int
) -> None:
    """Parts hold different numbers of objects, some none: only counts of the whole make this equal.

    Plain gradient descent, since Adam would blow rounding errors of near-zero gradients up.
    """
    large = make_trainer(tmp_path / "large", batch_size=batch_size * accumulate, **SGD)
    parts = make_trainer(tmp_path / "parts", batch_size=batch_size, accumulate=accumulate, **SGD)
    start = {k: v.clone() for k, v in parts.step.model.state_dict().items()}
    assert_close(final(large), final(parts))
    moved = [(start[k] - v).abs().max() for k, v in parts.step.model.state_dict().items()]
    assert max(moved) > 1e-2
    assert parts.logger.losses() == pytest.approx(large.logger.losses(), rel=1e-5)


def test_accumulation_with_a_short_last_group(tmp_path: Path) -> None:
    trainer = make_trainer(tmp_path, batch_size=4, accumulate=2, epochs=1, validate=False)
    sizes = []
    counts = trainer.step.task.counts
    trainer.step.task.counts = lambda targets: (
        sizes.append(len(targets["index"])) or counts(targets)
    )
    trainer.run()
    assert sizes == [4, 4, 4]
    assert len(trainer.logger.steps) == 2


JOBS: dict[str, tuple[int, dict[str, Any]]] = {
    "even": (4, SGD),
    "uneven": (5, SGD),
    "everything": (
        3,
        {
            **SGD,
            **{"accumulate": 2, "clip": 1.0},
            **{"validate": True, "metric": "AP", "evaluate": falling_metric},
        },
    ),
    "mistake": (1, SGD),
}


@pytest.fixture(scope="module")
def two_processes(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder in which two processes did JOBS, ending with the one that is a mistake."""
    folder = tmp_path_factory.mktemp("two")
    with pytest.raises(UserError, match="batch size 1 is less than one image for each of 2"):
        spawn(train_processes, (folder, JOBS), devices=2)
    return folder


@pytest.mark.heavy
@pytest.mark.parametrize("job", ["even", "uneven", "everything"])
@pytest.mark.slow
def test_two_processes_are_one_on_the_same_global_batch(
    tmp_path: Path, two_processes: Path, job: str
) -> None:
    """The network here has no BatchNorm, whose statistics are of each process's own share."""
    batch_size, options = JOBS[job]
    one = make_trainer(tmp_path, batch_size=batch_size, **options)
    one.run()
    two = read_checkpoint(two_processes / job / "model_last.pth")
    assert two.epoch == 3
    assert_close(one.step.model.state_dict(), two.weights)
    assert two.training["best"]["value"] == one.best.value
    losses = torch.load(two_processes / job / "losses.pth", weights_only=True)
    assert losses == pytest.approx(one.logger.losses(), rel=1e-5)


@pytest.mark.slow
@pytest.mark.heavy
def test_torchrun_is_one_process_too(tmp_path: Path) -> None:
    """Two processes under torchrun, resumed by one alone, end where one alone does."""
    one = make_trainer(tmp_path / "one", epochs=4, optimizer=torch.optim.SGD, rate=0.05)
    one.run()
    # A machine whose name is not known to its own resolver would wait for itself by name.
    here = ["--standalone", "--local_addr=127.0.0.1", "--nproc_per_node=2"]
    torchrun = [sys.executable, "-m", "torch.distributed.run", *here]
    tiny = ["-m", "tests.trains.tiny", str(tmp_path / "two")]
    subprocess.run([*torchrun, *tiny, "2", "0", "plain"], cwd=ROOT, check=True)
    subprocess.run([sys.executable, *tiny, "4", "0", "plain"], cwd=ROOT, check=True)
    two = read_checkpoint(tmp_path / "two" / "model_last.pth")
    assert two.epoch == 4
    assert_close(one.step.model.state_dict(), two.weights)


@pytest.mark.parametrize("arch", ["res_18", "resdcn_18", "dlav0_34", "dla_34", "mobilenetv3"])
def test_backbones_say_whether_they_leave_parameters_unused(arch: str) -> None:
    model = create_model(arch, {"hm": 1})
    model(torch.rand(2, 3, 64, 64))[-1]["hm"].sum().backward()
    unused = [name for name, p in model.named_parameters() if p.grad is None]
    assert bool(unused) == model.backbone.leaves_unused


@pytest.mark.slow
@pytest.mark.skipif(shutil.which("g++") is None, reason="torch.compile needs a C++ compiler")
def test_compiled_step_is_the_plain_step(tmp_path: Path) -> None:
    plain = make_trainer(tmp_path / "plain", **SGD)
    compiled = make_trainer(tmp_path / "compiled", compiled=True, **SGD)
    assert_close(final(plain), final(compiled))
    checkpoint = read_checkpoint(tmp_path / "compiled" / "model_last.pth")
    assert list(checkpoint.weights) == list(plain.step.model.state_dict())


def first_batch(batch_size: int = 4) -> tuple[Any, nn.Module, dict[str, Any]]:
    task, model = make_model()
    batch = next(EpochLoader(make_data(task), batch_size, seed=SEED).epoch(1))
    return task, model, batch


def test_clipping_limits_the_gradient() -> None:
    task, model, batch = first_batch()
    optimizer = torch.optim.SGD(model.parameters(), lr=1.0)
    before = [p.detach().clone() for p in model.parameters()]
    Step(task, model, optimizer, clip=0.125)([batch])
    moved = torch.cat([(p - b).flatten() for p, b in zip(model.parameters(), before, strict=True)])
    assert float(moved.detach().norm()) == pytest.approx(0.125, rel=1e-3)


@pytest.mark.parametrize("name", ["bf16", "fp16"])
def test_mixed_precision_computes_losses_in_float32(name: str) -> None:
    task, model, batch = first_batch()
    plain = Step(task, model, torch.optim.SGD(model.parameters(), lr=0.0))([batch])
    step = Step(
        task, model, torch.optim.SGD(model.parameters(), lr=0.01), precision=Precision(name)
    )
    stats = step([batch])
    assert all(value.dtype == torch.float32 for value in stats.values())
    assert float(stats["loss"]) == pytest.approx(float(plain["loss"]), rel=0.02)
    assert all(p.dtype == torch.float32 for p in model.parameters())
    assert step.scaler.is_enabled() == (name == "fp16")


def test_channels_last_changes_nothing_but_the_layout() -> None:
    task, model, batch = first_batch()
    plain = Step(task, model, torch.optim.SGD(model.parameters(), lr=0.0))([batch])
    step = Step(task, model, torch.optim.SGD(model.parameters(), lr=0.0), channels_last=True)
    assert model.backbone.second.weight.is_contiguous(memory_format=torch.channels_last)
    for name, value in step([batch]).items():
        torch.testing.assert_close(value, plain[name])


def test_unknown_precision() -> None:
    with pytest.raises(UserError, match="unknown precision 'int4'; choose from none, bf16, fp16"):
        Precision("int4")


def test_batch_without_any_object_is_finite_and_teaches() -> None:
    task, model, batch = first_batch()
    for name in ("hm", "reg_mask", "wh", "reg", "ind"):
        batch[name].zero_()
    stats = Step(task, model, torch.optim.SGD(model.parameters(), lr=0.1))([batch])
    assert all(value.isfinite() for value in stats.values())
    assert stats["wh_loss"] == 0
    assert float(stats["hm_loss"]) > 0
    assert model.heads["hm"][2].weight.grad.abs().sum() > 0
