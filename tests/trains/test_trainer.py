"""The loop's dealings with bad numbers, bad images and scarce memory, and what it writes down."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
import torch._dynamo

from centernet.models.checkpoint import read_checkpoint
from centernet.runs.logger import Logger
from centernet.runtime.errors import UserError
from centernet.trains.trainer import RunLength, Trainer
from tests.trains.tiny import make_data, make_model, make_trainer


class Spoilt(torch.utils.data.Dataset):
    """The squares, with something done to the sample of one image from one epoch on."""

    def __init__(self, spoil: Callable[[dict[str, Any]], None], index: int, epoch: int) -> None:
        self.data = make_data(make_model()[0])
        self.spoil, self.index, self.first, self.epoch = spoil, index, epoch, 0

    def __len__(self) -> int:
        return len(self.data)

    def set_epoch(self, epoch: int) -> None:
        self.epoch = epoch
        self.data.set_epoch(epoch)

    def __getitem__(self, index: int) -> dict[str, Any]:
        sample = self.data[index]
        if index == self.index and self.epoch >= self.first:
            self.spoil(sample)
        return sample


def nan_size(sample: dict[str, Any]) -> None:
    sample["wh"][:] = float("nan")


def nan_image(sample: dict[str, Any]) -> None:
    sample["inputs"]["image"][:] = float("nan")


@pytest.mark.parametrize("workers", [0, 1])
def test_non_finite_loss_names_head_and_images(tmp_path: Path, workers: int) -> None:
    make_trainer(tmp_path, epochs=2).run()
    before = (tmp_path / "model_last.pth").read_bytes()
    trainer = make_trainer(tmp_path, epochs=4, data=Spoilt(nan_size, 7, epoch=3), workers=workers)
    trainer.resume(read_checkpoint(tmp_path / "model_last.pth"))
    with pytest.raises(UserError) as error:
        trainer.run()
    message = str(error.value)
    assert message.startswith("epoch 3, step ")
    assert "wh_loss not finite (head wh); images squares/" in message
    assert "squares/007.png" in message
    assert message.count("squares/") == 4
    assert "try a lower --lr, --clip_grad 10" in message
    assert "\n" not in message
    assert (tmp_path / "model_last.pth").read_bytes() == before


def test_non_finite_in_the_last_step_is_not_saved(tmp_path: Path) -> None:
    trainer = make_trainer(tmp_path, epochs=1, batch_size=12, data=Spoilt(nan_image, 0, epoch=1))
    with pytest.raises(UserError, match="hm_loss, wh_loss, off_loss not finite"):
        trainer.run()
    assert list(tmp_path.iterdir()) == []


def test_weights_that_went_bad_after_a_finite_loss_are_not_saved(tmp_path: Path) -> None:
    trainer = make_trainer(tmp_path, epochs=1, batch_size=12)
    step = trainer.step.optimizer.step

    def spoil(*args: Any, **kwargs: Any) -> Any:
        result = step(*args, **kwargs)
        with torch.no_grad():
            trainer.step.model.backbone.first.weight[0] = float("inf")
        return result

    trainer.step.optimizer.step = spoil
    with pytest.raises(UserError, match=r"end of epoch 1: weight backbone\.first\.weight"):
        trainer.run()
    assert list(tmp_path.iterdir()) == []


def broken(message: str) -> Callable[[dict[str, Any]], None]:
    def spoil(sample: dict[str, Any]) -> None:
        raise UserError(message)

    return spoil


@pytest.mark.parametrize("workers", [0, 1])
def test_a_mistake_found_by_a_worker_is_one_line(tmp_path: Path, workers: int) -> None:
    message = "train.json: annotation 17, 'a.jpg': ValueError: width=-3"
    data = Spoilt(broken(message), 3, epoch=1)
    with pytest.raises(UserError) as error:
        make_trainer(tmp_path, data=data, workers=workers).run()
    assert str(error.value) == message


@pytest.mark.parametrize(
    ("error", "batch_size", "advice"),
    [
        (torch.OutOfMemoryError("CUDA out of memory. Tried to allocate"), 4, "--batch_size 2 (and"),
        (RuntimeError("DefaultCPUAllocator: can't allocate memory"), 5, "--accumulate 2 for"),
        (torch.OutOfMemoryError("CUDA out of memory."), 1, "a smaller --input_res"),
    ],
)
def test_out_of_memory_says_what_to_try(
    tmp_path: Path, error: RuntimeError, batch_size: int, advice: str
) -> None:
    trainer = make_trainer(tmp_path, batch_size=batch_size)

    def fail(*_: Any) -> None:
        raise error

    trainer.step.model.backbone.second.register_forward_hook(fail)
    with pytest.raises(UserError, match="out of memory with") as raised:
        trainer.run()
    assert advice in str(raised.value)


def test_failed_compilation_says_so(tmp_path: Path) -> None:
    trainer = make_trainer(tmp_path)

    def fail(*_: Any) -> None:
        raise torch._dynamo.exc.BackendCompilerFailed(
            "inductor", RuntimeError("No working C++ compiler found"), None
        )

    trainer.step.model.backbone.second.register_forward_hook(fail)
    with pytest.raises(UserError, match=r"--compile: .*; train without --compile"):
        trainer.run()


def test_other_runtime_errors_pass(tmp_path: Path) -> None:
    trainer = make_trainer(tmp_path)

    def fail(*_: Any) -> None:
        raise RuntimeError("a bug")

    trainer.step.model.backbone.second.register_forward_hook(fail)
    with pytest.raises(RuntimeError, match="a bug"):
        trainer.run()


def test_figures_of_every_epoch(tmp_path: Path) -> None:
    trainer = make_trainer(tmp_path, epochs=3)
    trainer.run()
    assert [row[:2] for row in trainer.logger.figures] == [
        (1, "train"),
        (2, "train"),
        (2, "val"),
        (3, "train"),
        (3, "val"),
    ]
    rates = [row[2]["lr"] for row in trainer.logger.figures if row[1] == "train"]
    assert rates == pytest.approx([1e-3, 1e-3, 1e-4])
    assert set(trainer.logger.figures[2][2]) == {"loss", "hm_loss", "wh_loss", "off_loss"}


def test_validation_does_not_depend_on_when_it_runs(tmp_path: Path) -> None:
    """The losses of 7 images in batches of 4 and 3, in evaluation mode, learning nothing."""
    trainer = make_trainer(tmp_path, norm=True)
    before = {k: v.clone() for k, v in trainer.step.model.state_dict().items()}
    first = trainer.validate(1)
    trainer.step.model.train()
    assert trainer.validate(2) == first
    after = trainer.step.model.state_dict()
    assert all(torch.equal(before[key], after[key]) for key in before)


def test_iterations_can_be_limited(tmp_path: Path) -> None:
    length = RunLength(epochs=1, iterations=2, val_intervals=5)
    trainer = make_trainer(tmp_path, length=length, batch_size=2, validate=False)
    trainer.run()
    assert len(trainer.logger.steps) == 2


def test_evaluation_sees_the_network_in_evaluation_mode(tmp_path: Path) -> None:
    seen = []

    def evaluate(model: torch.nn.Module, epoch: int) -> dict[str, float]:
        seen.append((epoch, model.training, torch.is_grad_enabled()))
        return {"AP": 0.5}

    trainer = make_trainer(tmp_path, epochs=3, metric="AP", evaluate=evaluate)
    trainer.run()
    assert seen == [(2, False, False), (3, False, False)]


def test_unknown_metric_stops_at_the_first_validation(tmp_path: Path) -> None:
    trainer = make_trainer(tmp_path, metric="mAP", evaluate=lambda model, epoch: {"AP": 0.5})
    with pytest.raises(UserError, match="--metric mAP: validation gives only loss, hm_loss"):
        trainer.run()


def test_squares_are_learned(tmp_path: Path) -> None:
    trainer = make_trainer(tmp_path, epochs=30, rate=0.01, validate=False)
    trainer.schedule = type(trainer.schedule)(0.01, ())
    trainer.run()
    losses = trainer.logger.losses()
    assert losses[-1] < 0.6 * losses[0]


def test_the_projects_logger_is_a_voice(tmp_path: Path) -> None:
    make_trainer(tmp_path, epochs=1, logger=Logger(tmp_path, tensorboard=False)).run()
    assert (tmp_path / "metrics.jsonl").read_text().count("\n") == 2
    assert "epoch 1 | train | loss" in (tmp_path / "log.txt").read_text()


def test_trainer_has_no_branch_for_a_task() -> None:
    """One loop: the name of a task appears nowhere in it."""
    folder = Path(__import__(Trainer.__module__, fromlist=["x"]).__file__).parent
    for path in folder.glob("*.py"):
        text = path.read_text()
        assert not any(f'"{name}"' in text for name in ("ctdet", "multi_pose", "ddd", "exdet"))
