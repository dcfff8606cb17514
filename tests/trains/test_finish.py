"""Batches finished where the network is: the same samples, the same training."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch

from centernet.datasets.framing import NO_AUGMENTATION, Augmentation
from centernet.models.checkpoint import read_checkpoint
from centernet.trains.loader import EpochLoader
from centernet.trains.on_device import complete_on_device, map_colours
from centernet.trains.samples import Dataset
from tests.trains.tiny import SEED, SIZE, Squares, make_model, make_trainer

CPU = torch.device("cpu")


def squares(unfinished: bool, augmentation: Augmentation = Augmentation()) -> Dataset:  # noqa: B008
    task, _ = make_model()
    return Dataset(
        Squares(),
        task,
        size=SIZE,
        augmentation=augmentation,
        seed=SEED,
        unfinished=unfinished,
    )


@pytest.mark.parametrize("augmentation", [NO_AUGMENTATION, Augmentation()])
@pytest.mark.parametrize("workers", [0, 1])
def test_a_finished_batch_is_the_whole_one(augmentation: Augmentation, workers: int) -> None:
    task, _ = make_model()
    loaders = [
        EpochLoader(squares(unfinished, augmentation), 5, seed=SEED, workers=workers)
        for unfinished in (False, True)
    ]
    for whole, light in zip(*(loader.epoch(2) for loader in loaders), strict=True):
        assert light["pictures"]["image"].dtype == torch.uint8
        done = complete_on_device(light, task, 4, CPU)
        assert set(done) == set(whole)
        images = [each.pop("inputs")["image"] for each in (done, whole)]
        torch.testing.assert_close(*images, rtol=0, atol=2e-6)
        assert all(torch.equal(done[name], whole[name]) for name in whole)


def test_a_whole_batch_is_left_as_it_is() -> None:
    image = torch.rand(2, 3, 4, 4)
    batch = {"hm": torch.rand(2, 1, 1, 1), "index": [3, 4]}
    done = complete_on_device({"inputs": {"image": image}, **batch}, make_model()[0], 4, CPU)
    assert done["inputs"]["image"] is image
    assert all(done[name] is batch[name] for name in batch)


def test_colours_are_a_matrix_product() -> None:
    random = np.random.default_rng(0)
    image = random.integers(0, 256, (2, 6, 5, 3), np.uint8)
    matrix = random.normal(size=(2, 3, 4)).astype(np.float32)
    expected = np.einsum("bck,bhwk->bchw", matrix[:, :, :3].astype(np.float64), image)
    expected += matrix[:, :, 3, None, None]
    done = map_colours(torch.from_numpy(image), torch.from_numpy(matrix))
    np.testing.assert_allclose(done, expected, atol=1e-4)


def weights(folder: Path) -> dict[str, torch.Tensor]:
    return read_checkpoint(folder / "model_last.pth").weights


def test_training_is_the_same_to_rounding_and_resumes_exactly(tmp_path: Path) -> None:
    make_trainer(tmp_path / "whole", epochs=3, data=squares(False), accumulate=2).run()
    make_trainer(tmp_path / "light", epochs=3, data=squares(True), accumulate=2).run()
    make_trainer(tmp_path / "parts", epochs=1, data=squares(True), accumulate=2).run()
    rest = make_trainer(tmp_path / "parts", epochs=3, data=squares(True), accumulate=2)
    rest.resume(read_checkpoint(rest.checkpoints.last))
    rest.run()
    whole, light, parts = (weights(tmp_path / name) for name in ("whole", "light", "parts"))
    for name, value in light.items():
        assert torch.equal(value, parts[name]), name
        torch.testing.assert_close(value, whole[name], rtol=1e-3, atol=1e-4)
