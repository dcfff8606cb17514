"""Suite `train`: one training step beside that of 2019, from a batch in memory to new weights.

Inputs are 256 x 256 pixels of noise with 8 boxes of 80 classes each. Both sides start from the same
weights; the losses of the first two steps, which warm both up, are compared before anything is
timed. Batches are small because a step of 2019 takes seconds on one core.
"""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial

import numpy as np
import torch
from baselines import training
from report import Row, row
from timer import Ceilings, compare
from torch import Tensor
from torch.utils.data import default_collate

from centernet.datasets.source import Info
from centernet.models.create import create_model
from centernet.models.model import CenterNet
from centernet.structures.objects import Objects
from centernet.tasks.ctdet import Ctdet
from centernet.trains.optimisers import adam
from centernet.trains.step import Step

INFO = Info("made up", tuple(map(str, range(80))), tuple(range(80)), resolution=(256, 256))
TASK = Ctdet(INFO)
CASES = {"mobilenetv3": 2, "resdcn_18": 2, "dla_34": 1}  # network -> images a batch
SHORT = "mobilenetv3"
OLD, HERE = "2019", "here"
RATE = 1.25e-4


def batch(images: int) -> dict[str, Tensor]:
    random = np.random.default_rng(0)
    made = []
    for index in range(images):
        corner = random.uniform(0, 44, (8, 2))
        boxes = np.hstack([corner, corner + random.uniform(3, 20, (8, 2))]).astype(np.float32)
        targets = TASK.encode(Objects(boxes, random.integers(0, 80, 8)), (64, 64))
        picture = random.normal(size=(3, 256, 256)).astype(np.float32)
        made.append({"inputs": {"image": picture}, **targets, "index": index})
    return default_collate(made)


def network(name: str) -> CenterNet:
    torch.manual_seed(0)
    return create_model(name, TASK.heads, -1).train()


def ours(name: str, compiled: bool = False) -> Step:
    model = network(name)
    optimizer = adam(model.parameters(), RATE)
    return Step(TASK, model, optimizer, channels_last=True, compiled=compiled)


def rows(short: bool, ceilings: Ceilings) -> Iterator[Row]:
    """Milliseconds a step; losses that disagree raise AssertionError."""
    for name, images in CASES.items():
        if short and name != SHORT:
            continue
        data = batch(images)
        old, here = training.step(network(name), RATE), ours(name)
        for _ in range(2):
            np.testing.assert_allclose(float(here([data])["loss"]), old(data), rtol=2e-3)
        sides = {OLD: partial(old, data), HERE: partial(here, [data])}
        rounds = compare(sides, rounds=7, warm_up=0)
        yield row("train", f"{name}, batch {images}", rounds, OLD, HERE)
