"""The moving average of the weights: what it computes, and that a resumed run has the same."""

from __future__ import annotations

import math
from pathlib import Path

import pytest
import torch

from centernet.models.checkpoint import read_checkpoint
from centernet.trains.average import Average
from tests.trains.test_resume import assert_same_files
from tests.trains.tiny import make_model, make_trainer


def test_average_of_known_weights() -> None:
    """Each step moves it by 1 - decay * (1 - exp(-steps / pace)) of the way."""
    _, model = make_model(norm=True)
    average = Average(model, decay=0.9, pace=4.0)
    weight, mean = model.backbone.first.weight, model.backbone.norm.running_mean
    values = torch.tensor([3.0, 5.0, -1.0, 2.0])
    expected = values[0].item()
    for steps, value in enumerate(values):
        with torch.no_grad():
            weight.fill_(float(value))
            mean.fill_(float(value))
        average.update(model)
        if steps:
            part = 1 - 0.9 * (1 - math.exp(-steps / 4.0))
            expected += part * (float(value) - expected)
    assert average.steps == 4
    for kept in (average.model.backbone.first.weight, average.model.backbone.norm.running_mean):
        torch.testing.assert_close(kept, torch.full_like(kept, expected))


def test_counters_are_those_of_the_network() -> None:
    _, model = make_model(norm=True)
    average = Average(model)
    for count in (4, 9):
        model.backbone.norm.num_batches_tracked.fill_(count)
        average.update(model)
        assert average.model.backbone.norm.num_batches_tracked == count


def test_resumed_run_has_the_same_average(tmp_path: Path) -> None:
    make_trainer(tmp_path / "whole", epochs=3, norm=True, decay=0.9).run()
    make_trainer(tmp_path / "part", epochs=1, norm=True, decay=0.9).run()
    trainer = make_trainer(tmp_path / "part", epochs=3, norm=True, decay=0.9)
    trainer.resume(read_checkpoint(trainer.checkpoints.last))
    trainer.run()
    assert_same_files(tmp_path / "whole", tmp_path / "part")


def test_checkpoint_holds_the_averages_and_the_weights(tmp_path: Path) -> None:
    trainer = make_trainer(tmp_path, epochs=2, norm=True, decay=0.9)
    trainer.run()
    saved = read_checkpoint(tmp_path / "model_last.pth")
    name = "backbone.first.weight"
    key = next(key for key in saved.weights if key.endswith("first.weight"))
    assert torch.equal(saved.weights[key], trainer.step.average.model.get_parameter(name))
    assert torch.equal(saved.training["weights"][name], trainer.step.model.get_parameter(name))
    assert not torch.equal(saved.weights[key], saved.training["weights"][name])


@pytest.mark.parametrize(("before", "after"), [(0.0, 0.9), (0.9, 0.0)])
def test_average_begun_or_given_up_on_resuming_is_said(
    tmp_path: Path, before: float, after: float
) -> None:
    first = make_trainer(tmp_path, epochs=1, decay=before)
    first.run()
    trainer = make_trainer(tmp_path, epochs=2, decay=after)
    trainer.resume(read_checkpoint(trainer.checkpoints.last))
    for a, b in zip(first.step.model.parameters(), trainer.step.model.parameters(), strict=True):
        assert torch.equal(a, b)
    assert "average" in trainer.logger.lines[-1]
