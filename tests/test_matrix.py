"""Every task with every architecture: a step of training, then every way of testing.

Tasks and architectures come from the registries and the images from the toy set, so that a new one
of either is covered as soon as it is registered; architectures that are not in QUICK count as slow.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import torch

from centernet.datasets import open_source
from centernet.datasets.source import Source
from centernet.datasets.toy import write_toy
from centernet.datasets.toy.source import part_for
from centernet.detectors.detector import Detector
from centernet.models.create import create_model
from centernet.models.model import CenterNet
from centernet.models.networks import ALIASES, BACKBONES, create_backbone
from centernet.structures.detections import Detections
from centernet.tasks import TASKS, Task
from centernet.tasks.oracle import Oracle, oracles_for
from centernet.trains.loader import EpochLoader
from centernet.trains.optimisers import adam
from centernet.trains.samples import Dataset
from centernet.trains.step import Step

QUICK = {"mobilenetv3", "res_18", "resdcn_18"}
# On less, the deepest maps of most networks have one cell, and through BatchNorm over two values,
# one an image, gradients vanish or explode.
SIDE = 64
MODES: dict[str, dict[str, Any]] = {
    "flip_test, test_scales": {"flip_test": True, "scales": (1.0, 1.25)},
    "nms, keep_res": {"nms": True, "keep_res": True, "scales": (0.5,)},
}


def architectures() -> list[Any]:
    """The names of BACKBONES as parameters."""
    assert set(BACKBONES) >= QUICK
    slow = pytest.mark.slow
    return [pytest.param(n, marks=[] if n in QUICK else slow) for n in BACKBONES]


@pytest.fixture(scope="module")
def toy(tmp_path_factory: pytest.TempPathFactory) -> Callable[[str, str], Source]:
    """Opens a split of a few images of the toy part that has what a task needs."""
    folder = tmp_path_factory.mktemp("data")

    def opened(task: str, split: str) -> Source:
        part = part_for(TASKS[task].needs)
        write_toy(folder / "toy", parts=[part], counts={part: (2, 4)})
        return open_source("toy", split, folder, wanted=TASKS[task].needs)

    return opened


def small_input(task: Task, model: CenterNet) -> tuple[int, int]:
    """(height, width) of SIDE, or of two cells of the deepest map; one less for odd sizes."""
    side = max(SIDE, 2 * (model.backbone.pad + 1))
    odd = task.resolution(task.info, task.options)[0] % 2
    return side - odd, side - odd


@pytest.mark.parametrize("task_name", list(TASKS))
@pytest.mark.parametrize("arch", architectures())
def test_trains_a_step_and_detects(
    arch: str, task_name: str, toy: Callable[[str, str], Source]
) -> None:
    source = toy(task_name, "train")
    task = TASKS[task_name](source.info)
    torch.manual_seed(0)
    model = create_model(arch, task.heads, inputs=task.inputs)
    size = small_input(task, model)
    check_step(task, model, source, size)
    for mode, settings in MODES.items():
        detector = Detector.of(task, model, input_size=size, device="cpu", **settings)
        check_detections(detector, toy(task_name, "val"), mode)


def check_step(task: Task, model: CenterNet, source: Source, size: tuple[int, int]) -> None:
    """One step teaches every head and every layer that leads to one."""
    data = Dataset(source, task, size=size, stride=model.backbone.stride, pad=model.backbone.pad)
    batch = next(iter(EpochLoader(data, 2).epoch(1)))
    before = {name: p.detach().clone() for name, p in model.named_parameters()}
    # As in training: Adam's steps are short however steep the loss (1e5 in dla_34 on so few cells),
    # those of plain descent would leave weights that no detector can use.
    optimizer = adam(model.parameters(), rate=1.25e-4)
    stats = Step(task, model, optimizer)([batch])
    assert set(stats) == {"loss", *(term.stat for term in task.terms)}
    for name, value in stats.items():
        assert value.isfinite(), name
    unused = [name for name, p in model.named_parameters() if p.grad is None]
    assert bool(unused) == model.backbone.leaves_unused, unused
    taught = {n: p.grad for n, p in model.named_parameters() if p.grad is not None}
    for name, gradient in taught.items():
        assert gradient.isfinite().all(), name
    for head, layers in model.heads.items():
        # The bias of an L1 loss learns nothing from objects half of which lie on either side.
        weights = [p for p in layers.parameters() if p.dim() > 1]
        assert all(p.grad.abs().sum() > 0 for p in weights), head
    first = next(iter(taught))
    assert taught[first].abs().sum() > 0, first
    steepest = max(taught, key=lambda name: float(taught[name].abs().max()))
    assert not torch.equal(model.get_parameter(steepest).detach(), before[steepest])


def check_detections(detector: Detector, source: Source, mode: str) -> None:
    """The network's own detections are sound; with the truth put in, the objects are found."""
    check_sound(detect(detector, source, 0))
    detector = detector.with_oracle(Oracle(detector.task, oracles_for(detector.task)))
    busy = next(i for i in range(len(source)) if (source.objects(i).classes >= 0).any())
    found = detect(detector, source, busy)
    check_sound(found)
    assert (found.scores > 0.5).any(), mode
    wanted = set(source.objects(busy).classes.tolist())
    assert set(found.classes[found.scores > 0.5].tolist()) & wanted, mode


def detect(detector: Detector, source: Source, index: int) -> Detections:
    image, objects = source.image(index), source.objects(index)
    ready = detector.prepare(image, calibration=objects.calibration, objects=objects)
    return next(detector.predict([ready]))[1]


def check_sound(found: Detections) -> None:
    arrays = [found.boxes, found.scores]
    arrays += [a for a in (found.keypoints, found.extremes) if a is not None]
    if found.cuboids is not None:
        arrays += [found.cuboids.locations, found.cuboids.dimensions, found.cuboids.rotations]
    assert all(len(array) == len(found) for array in arrays)
    assert all(np.isfinite(array).all() for array in arrays)
    assert ((found.scores >= 0) & (found.scores <= 1)).all()
    assert ((found.classes >= 0) & (found.classes < len(found.class_names))).all()


@pytest.mark.parametrize("alias", ALIASES)
def test_an_alias_is_the_network_it_stands_for(alias: str) -> None:
    with torch.device("meta"):
        one, other = create_backbone(alias), create_backbone(ALIASES[alias])
    shapes = [{k: v.shape for k, v in each.state_dict().items()} for each in (one, other)]
    assert shapes[0] == shapes[1]
    assert (one.stages, one.pad, one.channels) == (other.stages, other.pad, other.channels)
