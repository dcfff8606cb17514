"""The network as it is made for testing finds what the network as it was trained finds."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import cv2
import numpy as np
import pytest
import torch
from torch import nn

from centernet.datasets.published import PUBLISHED
from centernet.detectors.detector import Detector
from centernet.heads.head_map import FlipAverage, Lazy
from centernet.models.create import create_model
from centernet.models.model import CenterNet
from centernet.models.networks.hourglass import Hourglass
from centernet.models.sparse import PointHead
from centernet.structures.detections import Detections
from centernet.tasks import TASKS
from centernet.tasks.task import Task
from tests.models.awake import awaken

ARCHS = {
    "ctdet": "resdcn_18",
    "multi_pose": "mobilenetv3",
    "ddd": "dla_34",
    "exdet": "mobilenetv3",
    "triplet": "mobilenetv3",
    "tracking": "mobilenetv3",
}
SPARSE = {
    "ctdet": {"wh", "reg"},
    "multi_pose": {"wh", "hps", "reg", "hp_offset"},
    "ddd": {"dep", "rot", "dim", "wh", "reg"},
    "exdet": {"reg_t", "reg_l", "reg_b", "reg_r"},
    "tracking": {"wh", "reg", "tracking"},
    "triplet": {"embd_tl", "embd_br", "regs_tl", "regs_br", "regs_ct"},
}


OPTIONS: dict[str, dict[str, Any]] = {  # everything is found that can be
    "exdet": {"scores_thresh": 0.0, "center_thresh": 0.0},
    "ddd": {"peak_thresh": 0.0},
    "triplet": {"ae_threshold": 1000.0},
}


def make_task(name: str) -> Task:
    kind = TASKS[name]
    info = PUBLISHED[kind.Options.default_dataset]
    if name in ("exdet", "triplet"):  # points of one class make an object
        info = replace(info, class_names=("thing",), category_ids=(1,))
    return kind(info, kind.Options(**OPTIONS.get(name, {})))


def make_model(task: Task, arch: str) -> CenterNet:
    """Untrained, but with heat of all sorts and sizes of some pixels."""
    torch.manual_seed(0)
    if arch == "hourglass":
        backbone = Hourglass(stacks=2, dims=(16, 24, 32), modules=(1, 1, 1), feature_dim=16)
        backbone.pad = 31
        model = CenterNet(backbone, task.heads)
    else:
        model = create_model(arch, task.heads)
    awaken(model)
    for head in model.heads.values():
        for part in head.modules():
            if isinstance(part, nn.Conv2d):
                nn.init.normal_(part.weight, std=part.weight[0].numel() ** -0.5)
    spread_heat(model)
    return model


@torch.no_grad()
def spread_heat(model: CenterNet) -> None:
    """Make every class's logits vary by 1, or neighbours may be peaks by their last digits."""
    noise = torch.randn(1, 3, 128, 192)
    for name, logits in model.eval()(noise)[-1].items():
        if "hm" in name:
            last = [part for part in model.heads[name].modules() if isinstance(part, nn.Conv2d)][-1]
            last.weight.div_(logits.std((0, 2, 3)).view(-1, 1, 1, 1))


def detectors(name: str, arch: str | None = None, **settings: Any) -> tuple[Detector, Detector]:
    task = make_task(name)
    model = make_model(task, arch or ARCHS[name])
    size = (127, 191) if name == "triplet" else (128, 192)
    common = {"input_size": size, "device": "cpu", **settings}
    plain = Detector.of(task, model, fuse=False, **common)
    return Detector.of(task, model, **common), plain


CUBOIDS = ("dimensions", "locations", "rotations", "alphas", "depths")
POINTS = ("exdet", "triplet")
MODES: dict[str, dict[str, Any]] = {
    "plain": {},
    "flip_test": {"flip_test": True},
    "scales": {"flip_test": True, "scales": (1.25, 1.0)},
}


def agree(found: Detections, expected: Detections) -> None:
    """Scores to 1e-5, places to a hundredth of a pixel or 1e-4 of themselves.

    Rows whose scores differ by no more than that may have changed places.
    """
    assert len(found) == len(expected) > 10
    np.testing.assert_allclose(found.scores, expected.scores, atol=1e-5, rtol=0)
    apart = np.abs(found.boxes[None] - expected.boxes[:, None]).max(2)
    apart[np.abs(found.scores[None] - expected.scores[:, None]) > 2e-5] = np.inf
    apart[found.classes[None] != expected.classes[:, None]] = np.inf
    order = apart.argmin(1)
    assert len(set(order)) == len(order)
    found = found.select(order)
    assert np.array_equal(found.classes, expected.classes)
    for name in ("boxes", "keypoints", "extremes"):
        ours, theirs = getattr(found, name), getattr(expected, name)
        assert (ours is None) == (theirs is None)
        if ours is not None:
            np.testing.assert_allclose(ours, theirs, atol=1e-2, rtol=1e-4, err_msg=name)
    if expected.cuboids is not None:
        assert found.cuboids is not None
        for name in CUBOIDS:
            ours, theirs = getattr(found.cuboids, name), getattr(expected.cuboids, name)
            np.testing.assert_allclose(ours, theirs, atol=1e-2, rtol=1e-3, err_msg=name)


# Where points are put together, too much hangs on a last digit to compare more than the plain mode.
CASES = [(name, mode) for name in TASKS for mode in MODES if mode == "plain" or name not in POINTS]


@pytest.mark.parametrize(("name", "mode"), CASES)
def test_the_same_detections(name: str, mode: str) -> None:
    fast, plain = detectors(name, **MODES[mode])
    random = np.random.default_rng(1)
    if name in POINTS:
        image = cv2.resize(random.integers(0, 256, (15, 25, 3), dtype=np.uint8), (200, 120))
    else:  # noise all over the view: in flat parts rounding makes peaks
        image = random.integers(0, 256, (128, 192, 3), dtype=np.uint8)
    ready = plain.prepare(image)
    for scale in ready.scales:  # before soft-NMS, in which a last digit may decide a row's fate
        found, expected = (
            detector.predict_batch([scale], [ready.calibration])[0] for detector in (fast, plain)
        )
        agree(found, expected)


@pytest.mark.parametrize("name", TASKS)
def test_heads_that_are_read_at_places_are_computed_there(name: str) -> None:
    fast, plain = detectors(name)
    assert fast.task.sparse == SPARSE[name]
    assert fast.engine.lazy_heads == SPARSE[name]
    assert plain.engine.lazy_heads == frozenset()
    x = torch.randn(1, 3, 96, 96).to(memory_format=torch.channels_last)
    raw, put_off = fast.engine.model.last_maps(x, fast.task.sparse)
    assert set(put_off) == SPARSE[name]
    whole = fast.engine.model(x, last_only=True)[-1]
    assert set(raw) | set(put_off) == set(whole)
    assert all(maps[n].shape == whole[n].shape for maps in (raw, put_off) for n in maps)


@pytest.mark.parametrize("k", [1, 40, 2000])
@pytest.mark.parametrize("name", ["multi_pose", "ddd", "triplet"])
def test_values_of_a_sparse_map(name: str, k: int) -> None:
    """At corners and edges too, and of so many places that all of the map is computed."""
    fast, _ = detectors(name)
    task, model = fast.task, fast.engine.model
    x = torch.randn(4, 3, 96, 64).to(memory_format=torch.channels_last)
    with torch.inference_mode():
        sparse, whole = (task.activate(*model.last_maps(x, s)) for s in (task.sparse, ()))
        for few, every in ((sparse, whole), (task.merge_flip(sparse), task.merge_flip(whole))):
            assert set(few) == set(every)
            put_off = [n for n, m in few.items() if isinstance(m, Lazy | FlipAverage)]
            assert {n.removeprefix("mirrored.") for n in put_off} == SPARSE[name]
            for n in put_off:
                index = torch.randint(24 * 16, (every[n].shape[0], k))
                index[:, 0] = 24 * 16 - 1
                assert few[n].shape == every[n].shape
                torch.testing.assert_close(few[n].at(index), every[n].at(index))
                torch.testing.assert_close(few[n].whole(), every[n].whole())


def test_what_the_flip_test_averages() -> None:
    fast, _ = detectors("ddd")
    maps = fast.task.activate(
        *fast.engine.model.last_maps(torch.randn(2, 3, 64, 64), fast.task.sparse)
    )
    merged = fast.task.merge_flip(maps)
    kinds = {name: type(merged[name]) for name in SPARSE["ddd"]}
    assert kinds.pop("reg") is Lazy
    assert set(kinds.values()) == {FlipAverage}


def test_heads_of_another_form_are_computed_whole() -> None:
    assert PointHead.of(nn.Conv2d(4, 2, 1)) is not None
    deep = nn.Sequential(nn.Conv2d(4, 4, 3, padding=1), nn.ReLU(), nn.Conv2d(4, 2, 3, padding=1))
    for head in (
        deep,
        nn.Conv2d(4, 2, 3),
        nn.Conv2d(4, 2, 3, padding=1, stride=2),
        nn.Conv2d(4, 2, 3, padding=2, dilation=2),
        nn.Conv2d(4, 2, 3, padding=1, groups=2),
        nn.ConvTranspose2d(4, 2, 1),
    ):
        assert PointHead.of(head) is None
    model = make_model(make_task("ctdet"), "mobilenetv3")
    model.heads["wh"] = nn.Sequential(
        nn.Conv2d(64, 4, 3, padding=1), nn.ReLU(), nn.Conv2d(4, 2, 3, padding=1)
    )
    maps, put_off = model.last_maps(torch.randn(1, 3, 64, 64), {"wh", "reg"})
    assert "wh" in maps
    assert set(put_off) == {"reg"}


def test_half_precision_is_that_of_the_network() -> None:
    fast, plain = detectors("ctdet", amp="bf16")
    assert {p.dtype for p in fast.engine.model.parameters()} == {torch.bfloat16}
    assert {p.dtype for p in plain.engine.model.parameters()} == {torch.float32}
    image = np.random.default_rng(2).integers(0, 256, (90, 120, 3), dtype=np.uint8)
    heats = [d.maps(d.prepare(image).scales)["hm"].whole().numpy() for d in (fast, plain)]
    assert heats[0].dtype == np.float32
    assert 0 < np.abs(heats[0] - heats[1]).mean() < 0.02


def test_the_network_that_was_given_is_left_alone() -> None:
    task = make_task("ctdet")
    model = make_model(task, "mobilenetv3").train()
    Detector.of(task, model, device="cpu", input_size=(64, 64), amp="bf16")
    assert model.training
    assert {p.dtype for p in model.parameters()} == {torch.float32}


def test_the_weights_of_a_network_that_is_given_away_are_there_once() -> None:
    task = make_task("ctdet")
    model = make_model(task, "mobilenetv3")
    x = torch.randn(1, 3, 64, 64)
    with torch.inference_mode():
        expected = model.eval()(x)[-1]
    before = len(model.state_dict())
    detector = Detector.of(task, model, device="cpu", input_size=(64, 64), in_place=True)
    assert detector.engine.model is model
    assert len(model.state_dict()) < before
    with torch.inference_mode():
        torch.testing.assert_close(model(x)[-1], expected, atol=1e-4, rtol=1e-4)
