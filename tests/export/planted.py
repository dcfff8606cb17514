"""Networks whose maps are alive, and networks whose maps hold objects that are known."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from centernet.datasets import open_source
from centernet.datasets.source import Info, Source
from centernet.datasets.toy import write_toy
from centernet.datasets.toy.source import part_for
from centernet.export.card import Card
from centernet.export.job import Job
from centernet.export.making import card_for
from centernet.export.program import Colours, Program, made_ready
from centernet.export.settings import Settings
from centernet.geometry.view import Size, map_size
from centernet.heads.parts.cuboid import depth_of, raw_depth
from centernet.models.create import create_model
from centernet.models.model import CenterNet
from centernet.models.networks.DCNv2 import DCN
from centernet.tasks import TASKS, Task
from centernet.tasks.oracle import Oracle, oracles_for

K = 40
STRIDE = 4
# So that random maps, too, hold groups and pairs.
ALONE = {"tracking": {"no_pre_img": True}}  # further inputs: tests/detectors/test_inputs.py
OPTIONS: dict[str, dict[str, Any]] = {
    **ALONE,
    "exdet": {"scores_thresh": 0.0, "center_thresh": 0.0},
    "triplet": {"ae_threshold": 100.0},
}
INFO = Info(
    name="planted",
    class_names=("square", "disc"),
    category_ids=(1, 2),
    provides=frozenset({"boxes", "keypoints", "cuboids", "extremes"}),
    joints=("head", "left", "right"),
    flip_pairs=((1, 2),),
    skeleton=((0, 1), (0, 2)),
    resolution=(128, 128),
)


def task_of(name: str, info: Info = INFO, **options: Any) -> Task:
    """The task on a small data set, with options by which random maps hold detections."""
    kind = TASKS[name]
    return kind(info, kind.Options(**{**OPTIONS.get(name, {}), **options}))


def task_alone(name: str, info: Info) -> Task:
    """The task as it is, seeing nothing beside the image."""
    kind = TASKS[name]
    return kind(info, kind.Options(**ALONE.get(name, {})))


@torch.no_grad()
def lively(arch: str, task: Task) -> CenterNet:
    """A network with random weights whose maps differ from place to place as a trained one's."""
    torch.manual_seed(0)
    model = create_model(arch, task.heads)
    for module in model.modules():
        if isinstance(module, nn.BatchNorm2d):
            module.momentum = None  # statistics of all that it is shown
        if isinstance(module, DCN):  # offsets below a cell: of ten, rounding moves maps
            weight = module.conv_offset_mask.weight
            nn.init.normal_(weight, std=0.3 * weight[0].numel() ** -0.5)
    side = 4 * (model.backbone.pad + 1)  # enough places that no variance is nearly nothing
    model.train()(torch.randn(8, 3, side, side))
    for name in task.heads:
        for stage in range(model.backbone.stages):
            last = [m for m in model.head(name, stage).modules() if isinstance(m, nn.Conv2d)][-1]
            nn.init.normal_(last.weight, std=last.weight[0].numel() ** -0.5)
    return model.eval()


def job_of(task: Task, model: CenterNet, **settings: Any) -> Job:
    """An export of `model` as a command would make it."""
    wanted = Settings(**{"k": K, **settings})
    program = Program(
        task,
        made_ready(model),
        k=wanted.k,
        colours=None if wanted.floats else Colours(task.info.mean, task.info.std),
        raw=wanted.raw,
        flip_test=wanted.flip_test,
    ).eval()
    pad, stride = model.backbone.pad, model.backbone.stride
    return Job(program, card_for(program, wanted, {"task": task.name}, pad=pad, stride=stride))


class Planted(nn.Module):
    """A network whose maps are what its input holds: channel by channel, a cell every 4 pixels."""

    def __init__(self, task: Task) -> None:
        super().__init__()
        self.channels = {name: head.channels for name, head in task.heads.items()}

    def forward(self, x: Tensor) -> dict[str, Tensor]:
        parts = x[:, :, ::STRIDE, ::STRIDE].split(list(self.channels.values()), dim=1)
        return dict(zip(self.channels, parts, strict=True))


def planted_job(task: Task, **settings: Any) -> Job:
    """The export of decoding alone."""
    wanted = Settings(**{"k": K, "floats": True, **settings})
    program = Program(task, Planted(task), k=wanted.k, flip_test=wanted.flip_test).eval()
    return PlantedJob(program, card_for(program, wanted, {"task": task.name}, pad=31, stride=4))


class PlantedJob(Job):
    """A job whose pictures are maps of random values."""

    def pictures(self, batch: int, size: Size, seed: int = 0) -> dict[str, NDArray]:
        channels = sum(head.channels for head in self.program.task.heads.values())
        found = super().pictures(batch, size, seed)
        maps = np.random.default_rng(seed).normal(size=(batch, channels, *size))
        return found | {self.card.inputs[0]: maps.astype(np.float32)}


def planted_input(task: Task, source: Source, batch: int, size: Size, first: int) -> NDArray:
    """`batch` inputs of `Planted` with the objects of `source` from image `first` on."""
    oracle = Oracle(task, list(oracles_for(task)))
    rng = np.random.default_rng(first)
    inputs = []
    full = [i for i in range(len(source)) if (source.objects(i).classes >= 0).any()]
    for image in (full[i % len(full)] for i in range(first, first + batch)):
        view, canvas, _ = task.framing.test(source.image(image).shape[:2], size, pad=0)
        view = view if canvas == size else type(view)(view.center, view.scale)
        maps = oracle.truth(source.objects(image), view, map_size(size, STRIDE))
        raw = [_raw(task, name, maps[name]) for name in task.heads]
        joined = torch.cat(raw).numpy()
        joined = np.where(np.isfinite(joined), joined, rng.normal(size=joined.shape))
        joined = joined + rng.normal(scale=0.2, size=joined.shape)  # no two peaks are equal
        each = joined.repeat(STRIDE, 1).repeat(STRIDE, 2)[:, : size[0], : size[1]]
        inputs.append(each.astype(np.float32))
    return np.stack(inputs)


def _raw(task: Task, name: str, values: Tensor) -> Tensor:
    activation = task.heads[name].activation
    if activation is depth_of:
        return raw_depth(values.clamp(0.1, 100))
    return values if activation is None else torch.logit(values.clamp(0.01, 0.99))


Opened = Callable[[str], Source]


@pytest.fixture(scope="session")
def toy(tmp_path_factory: pytest.TempPathFactory) -> Opened:
    """Opens the validation images of the toy part that has what a task needs."""
    folder: Path = tmp_path_factory.mktemp("planted")

    def opened(task: str) -> Source:
        part = part_for(TASKS[task].needs)
        write_toy(folder / "toy", parts=[part], counts={part: (1, 8)})
        return open_source("toy", "val", folder, wanted=TASKS[task].needs)

    return opened


__all__ = [
    "INFO",
    "Card",
    "job_of",
    "lively",
    "planted_input",
    "planted_job",
    "task_alone",
    "task_of",
    "toy",
]
