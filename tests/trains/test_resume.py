"""A run that was killed, interrupted or extended ends where one that was not does."""

from __future__ import annotations

import io
import json
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from centernet.models.checkpoint import read_checkpoint, save_checkpoint
from centernet.runs.logger import Logger
from centernet.runtime.errors import UserError
from centernet.trains.checkpoints import BestMetric
from centernet.trains.precision import Precision
from tests.trains.tiny import falling_metric, make_model, make_trainer

ROOT = Path(__file__).resolve().parents[2]
EPOCHS = 40


def assert_same(a: Any, b: Any, where: str = "") -> None:
    """Equal in every bit, tensors and numbers alike."""
    assert type(a) is type(b), where
    if isinstance(a, torch.Tensor):
        assert torch.equal(a, b), where
    elif isinstance(a, dict):
        assert list(a) == list(b), where
        for key in a:
            assert_same(a[key], b[key], f"{where}/{key}")
    elif isinstance(a, list | tuple):
        assert len(a) == len(b), where
        for i, (x, y) in enumerate(zip(a, b, strict=True)):
            assert_same(x, y, f"{where}/{i}")
    else:
        assert a == b, where


def assert_same_files(a: Path, b: Path, name: str = "model_last.pth") -> None:
    left, right = read_checkpoint(a / name), read_checkpoint(b / name)
    assert left.epoch == right.epoch
    assert_same(left.weights, right.weights, "weights")
    assert_same(left.training, right.training, "training")


def kill_once(folder: Path, workers: int, wait: float) -> int:
    """Train in another process and kill it `wait` seconds after it began; return its exit code."""
    command = [sys.executable, "-m", "tests.trains.tiny", str(folder), str(EPOCHS), str(workers)]
    process = subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, text=True)
    while "ready" not in process.stdout.readline():
        assert process.poll() is None, "the training did not start"
    try:
        process.wait(wait)
    except subprocess.TimeoutExpired:
        process.send_signal(signal.SIGKILL)
    process.communicate()
    return process.returncode


def check_kills(folder: Path, kills: int, workers: int) -> None:
    whole, killed = folder / "whole", folder / "killed"
    logger = Logger(whole, tensorboard=False, stream=io.StringIO())
    make_trainer(whole, epochs=EPOCHS, norm=True, logger=logger).run()
    waits = np.random.default_rng().uniform(0.05, 0.5 + workers, kills)
    print(f"killed after {waits} seconds")
    codes = [kill_once(killed, workers, float(wait)) for wait in waits]
    assert -signal.SIGKILL in codes
    assert kill_once(killed, 0, 120.0) == 0
    for name in ("model_last.pth", "model_best.pth"):
        assert_same_files(whole, killed, name)
    assert sorted(p.name for p in killed.glob("*.pth")) == ["model_best.pth", "model_last.pth"]
    assert figures(killed) == figures(whole)


def figures(folder: Path) -> list[dict[str, Any]]:
    rows = [json.loads(line) for line in (folder / "metrics.jsonl").read_text().splitlines()]
    return [{name: row[name] for name in row if name != "seconds"} for row in rows]


def test_killed_and_resumed_ends_bit_identical(tmp_path: Path) -> None:
    check_kills(tmp_path, kills=1, workers=0)


@pytest.mark.slow
def test_killed_ten_times_with_workers(tmp_path: Path) -> None:
    check_kills(tmp_path, kills=10, workers=2)


def laid_out_anew(model: torch.nn.Module, epoch: int) -> dict[str, float]:
    """An evaluation that changes the layout of the network it is lent."""
    model.to(memory_format=torch.channels_last)
    return {"AP": 0.0}


@pytest.mark.parametrize(
    "options",
    [
        {},
        {"workers": 2},
        {"channels_last": True},
        {"precision": Precision("bf16")},
        {"evaluate": laid_out_anew, "metric": "AP"},
        {"accumulate": 2, "clip": 0.1},
    ],
    ids=lambda options: "-".join(options) or "plain",
)
def test_resumed_after_each_epoch(tmp_path: Path, options: dict[str, Any]) -> None:
    make_trainer(tmp_path / "whole", epochs=4, norm=True, validate=False, **options).run()
    for epoch in (1, 2, 3, 4):
        trainer = make_trainer(
            tmp_path / "parts", epochs=epoch, norm=True, validate=False, **options
        )
        if epoch > 1:
            trainer.resume(read_checkpoint(trainer.checkpoints.last))
            assert trainer.epoch == epoch - 1
        trainer.run()
    whole = read_checkpoint(tmp_path / "whole" / "model_last.pth")
    parts = read_checkpoint(tmp_path / "parts" / "model_last.pth")
    assert_same(whole.weights, parts.weights)
    assert_same(whole.training["optimizer"], parts.training["optimizer"])


def test_every_kind_of_checkpoint_resumes(tmp_path: Path) -> None:
    def trainer(folder: str) -> Any:
        return make_trainer(
            tmp_path / folder, epochs=5, every=3, metric="AP", evaluate=falling_metric
        )

    trainer("whole").run()
    names = {path.name for path in (tmp_path / "whole").iterdir()}
    assert names == {"model_last.pth", "model_best.pth", "model_3.pth"}
    for name, epoch in (("model_3.pth", 3), ("model_best.pth", 2)):
        other = trainer(f"from_{epoch}")
        other.resume(read_checkpoint(tmp_path / "whole" / name))
        assert other.epoch == epoch
        other.run()
        assert_same_files(tmp_path / "whole", tmp_path / f"from_{epoch}")


def test_float16_scaler_is_resumed(tmp_path: Path) -> None:
    def trainer(folder: str, epochs: int) -> Any:
        return make_trainer(tmp_path / folder, epochs=epochs, precision=Precision("fp16"))

    trainer("whole", 3).run()
    trainer("parts", 2).run()
    rest = trainer("parts", 3)
    rest.resume(read_checkpoint(tmp_path / "parts" / "model_last.pth"))
    rest.run()
    assert_same_files(tmp_path / "whole", tmp_path / "parts")
    assert read_checkpoint(tmp_path / "whole" / "model_last.pth").training["scaler"]["scale"] > 1


def test_published_layout_resumes_with_its_optimizer(tmp_path: Path) -> None:
    """`{'epoch', 'state_dict', 'optimizer'}`, and Adam's steps plain ints as they were then."""
    make_trainer(tmp_path / "whole", epochs=3, validate=False).run()
    make_trainer(tmp_path / "first", epochs=2, validate=False).run()
    checkpoint = read_checkpoint(tmp_path / "first" / "model_last.pth")
    optimizer = checkpoint.training["optimizer"]
    for state in optimizer["state"].values():
        state["step"] = int(state["step"])
    for group in optimizer["param_groups"]:
        for name in ("fused", "foreach", "capturable", "differentiable", "maximize"):
            group.pop(name, None)
    weights = {"module." + k.split(".", 1)[1]: v for k, v in checkpoint.weights.items()}
    path = tmp_path / "old.pth"
    torch.save({"epoch": 2, "state_dict": weights, "optimizer": optimizer}, path)
    rest = make_trainer(tmp_path / "rest", epochs=3, validate=False)
    rest.resume(read_checkpoint(path))
    rest.run()
    left = read_checkpoint(tmp_path / "whole" / "model_last.pth").weights
    right = read_checkpoint(tmp_path / "rest" / "model_last.pth").weights
    for key in left:
        torch.testing.assert_close(left[key], right[key], rtol=1e-5, atol=1e-6)


def test_finished_run_says_how_to_extend(tmp_path: Path) -> None:
    make_trainer(tmp_path, epochs=2).run()
    before = (tmp_path / "model_last.pth").read_bytes()
    again = make_trainer(tmp_path, epochs=2)
    again.resume(read_checkpoint(tmp_path / "model_last.pth"))
    again.run()
    assert again.logger.lines[-1] == (
        "already complete: 2 of 2 epochs; use --num_epochs N to extend"
    )
    assert (tmp_path / "model_last.pth").read_bytes() == before


def test_changed_settings_are_said(tmp_path: Path) -> None:
    make_trainer(tmp_path, epochs=1).run()
    other = make_trainer(tmp_path, epochs=2, batch_size=6)
    other.resume(read_checkpoint(tmp_path / "model_last.pth"))
    assert other.logger.lines[-1].endswith(
        "at epoch 1: loaded 18/18; batch_size was 4 before and is 6 from here on"
    )


def test_weights_alone_cannot_be_resumed(tmp_path: Path) -> None:
    path = save_checkpoint(tmp_path / "weights.pth", make_model()[1], {})
    with pytest.raises(UserError, match=r"weights\.pth: holds no training state to resume"):
        make_trainer(tmp_path).resume(read_checkpoint(path))


def test_checkpoint_of_another_network(tmp_path: Path) -> None:
    make_trainer(tmp_path, epochs=1).run()
    with pytest.raises(UserError, match="is not of this architecture"):
        make_trainer(tmp_path, norm=True).resume(read_checkpoint(tmp_path / "model_last.pth"))


def test_interruption_keeps_the_last_whole_epoch(tmp_path: Path) -> None:
    first = make_trainer(tmp_path, epochs=2)
    first.run()
    before = (tmp_path / "model_last.pth").read_bytes()
    second = make_trainer(tmp_path, epochs=4)
    second.resume(read_checkpoint(tmp_path / "model_last.pth"))

    def interrupt(number: int) -> Any:
        raise KeyboardInterrupt

    second.loader.data.sample = lambda index, rng: interrupt(index)
    with pytest.raises(KeyboardInterrupt):
        second.run()
    assert (tmp_path / "model_last.pth").read_bytes() == before
    assert second.logger.lines[-1] == (
        f"interrupted; {tmp_path / 'model_last.pth'} holds epoch 2."
        " To go on: python main.py ctdet --resume"
    )


def test_interruption_of_the_first_epoch(tmp_path: Path) -> None:
    trainer = make_trainer(tmp_path)

    def interrupt(*_: Any) -> Any:
        raise KeyboardInterrupt

    trainer.loader.data.sample = interrupt
    with pytest.raises(KeyboardInterrupt):
        trainer.run()
    assert "nothing to resume" in trainer.logger.lines[-1]
    assert list(tmp_path.iterdir()) == []


def test_leftovers_of_a_kill_are_removed(tmp_path: Path) -> None:
    leftover = tmp_path / ".model_last.123.tmp.pth"
    leftover.write_bytes(b"half")
    make_trainer(tmp_path, epochs=1).run()
    assert not leftover.exists()


def test_best_by_metric_and_by_loss() -> None:
    best = BestMetric("AP")
    assert [best.improve({"AP": ap}) for ap in (0.1, 0.3, 0.2, float("nan"), 0.4)] == [
        True,
        True,
        False,
        False,
        True,
    ]
    lowest = BestMetric("loss")
    assert [lowest.improve({"loss": x}) for x in (3.0, 2.0, 2.5, 1.0)] == [True, True, False, True]
    part = BestMetric("hm_loss")
    assert [part.improve({"hm_loss": x}) for x in (3.0, 2.0, 2.5)] == [True, True, False]
    assert not best.improve({})
    with pytest.raises(UserError, match="--metric AP: validation gives only loss, AR"):
        best.improve({"loss": 1.0, "AR": 0.2})


def test_best_checkpoint_follows_the_metric(tmp_path: Path) -> None:
    values = {2: 0.5, 4: 0.25, 6: 0.75, 7: 0.7}
    trainer = make_trainer(
        tmp_path, epochs=7, metric="AP", evaluate=lambda model, epoch: {"AP": values[epoch]}
    )
    trainer.run()
    assert read_checkpoint(tmp_path / "model_best.pth").epoch == 6
    assert read_checkpoint(tmp_path / "model_last.pth").training["best"]["value"] == 0.75
    validated = [(e, f["AP"]) for e, phase, f in trainer.logger.figures if phase == "val"]
    assert validated == list(values.items())
