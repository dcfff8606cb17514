"""Samples: the same whoever makes them, and nothing in them refers to what went before."""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np
import pytest
import torch
from torch.utils._pytree import tree_leaves

from centernet.datasets.evaluate.evaluation import Evaluation
from centernet.datasets.framing import Augmentation
from centernet.datasets.source import Info, Source
from centernet.io.image import ImageError
from centernet.runtime.errors import UserError
from centernet.structures.objects import Objects
from centernet.tasks import TASKS
from centernet.trains.loader import EpochLoader
from centernet.trains.samples import Dataset


class Squares(Source):
    """Six images with one square each, in a folder."""

    def __init__(self, folder: Path) -> None:
        self.info = Info("squares", ("square",), (1,), resolution=(64, 64), max_objects=4)
        self.folder = folder
        for i in range(len(self)):
            image = np.full((48, 60, 3), 40 * i, np.uint8)
            image[10 : 20 + i, 12:30] = 255 - 40 * i
            cv2.imwrite(str(self.path(i)), image)

    def __len__(self) -> int:
        return 6

    def image_id(self, index: int) -> int:
        return index

    def path(self, index: int) -> Path:
        return self.folder / f"{index}.png"

    def objects(self, index: int) -> Objects:
        box = np.array([[12, 10, 29, 19 + index]], np.float32)
        return Objects(box, np.zeros(1, np.int64))

    def evaluate(self, results, folder):
        return Evaluation({"AP": float(len(results))})


@pytest.fixture
def source(tmp_path) -> Squares:
    return Squares(tmp_path)


def dataset(source: Source, **more) -> Dataset:
    task = TASKS["ctdet"](source.info)
    return Dataset(source, task, size=(64, 64), augmentation=Augmentation(), **more)


def equal(a, b) -> bool:
    mine, other = tree_leaves(a), tree_leaves(b)
    pairs = zip(mine, other, strict=True)
    return all(torch.equal(torch.as_tensor(x), torch.as_tensor(y)) for x, y in pairs)


def test_a_sample_depends_on_seed_epoch_and_index_alone(source):
    first, second = dataset(source), dataset(source)
    for data in (first, second):
        data.set_epoch(3)
    second[0], second[5]
    assert equal(first[2], second[2])
    second.set_epoch(4)
    assert not equal(first[2], second[2])
    assert not equal(first[2], dataset(source, seed=1)[2])


def test_workers_make_the_same_batches(source):
    def inputs(workers: int) -> list[torch.Tensor]:
        loader = EpochLoader(dataset(source), 2, workers=workers)
        return [batch["inputs"]["image"] for batch in loader.epoch(2)]

    for alone, shared in zip(inputs(0), inputs(2), strict=True):
        assert torch.equal(alone, shared)


def test_targets_mark_the_square_where_the_input_shows_it(source):
    data = Dataset(source, TASKS["ctdet"](source.info), size=(64, 64))
    sample = data[1]
    peak = np.unravel_index(int(sample["hm"][0].argmax()), (16, 16))
    centre = 4 * np.array(peak) + 2
    bright = sample["inputs"]["image"].mean(0).numpy()
    assert bright[centre[0], centre[1]] > bright[2, 32]
    assert sample["reg_mask"].tolist() == [1, 0, 0, 0]


def test_keep_res_pads_the_image_to_what_the_network_divides(source):
    data = Dataset(source, TASKS["ctdet"](source.info), size=(512, 512), keep_res=True)
    assert data[0]["inputs"]["image"].shape == (3, 64, 64)


def test_an_unreadable_image_is_named_and_the_next_stands_in(source, capsys):
    source.path(2).write_bytes(b"no image")
    data = dataset(source)
    assert data[2]["index"] == 3
    assert "2.png" in capsys.readouterr().err
    data[2]
    assert capsys.readouterr().err == ""  # said once
    source.strict = True
    with pytest.raises(ImageError, match=r"2\.png"):
        data[2]


def test_an_unreadable_image_is_named_once_over_all_workers_and_epochs(source, capfd):
    source.path(2).write_bytes(b"no image")
    loader = EpochLoader(dataset(source), 3, workers=2)
    for epoch in (1, 2, 3):
        assert len(list(loader.epoch(epoch))) == 2
    assert capfd.readouterr().err.count("2.png") == 1


def test_no_image_at_all_is_one_line(source):
    for i in range(6):
        source.path(i).unlink()
    with pytest.raises(UserError, match="not one image"):
        dataset(source)[0]
