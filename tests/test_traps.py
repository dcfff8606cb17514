"""Ways to be slow or wrong that were met once: each is counted or compared, none is timed."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
import torch
from torch import nn

from centernet.datasets.framing import Augmentation
from centernet.datasets.source import Info
from centernet.geometry.view import View
from centernet.models.create import create_model
from centernet.models.fuse import fused
from centernet.models.networks.DCNv2 import build
from centernet.structures.objects import Objects
from centernet.tasks.ctdet import Ctdet
from centernet.trains import on_device
from tests.models.awake import awaken
from tests.trains.tiny import SEED, SIZE, Squares, make_data, make_trainer

HEADS = {"hm": 2, "wh": 2}


def test_deconvolutions_are_folded_before_anything_compiles_them() -> None:
    """Inductor's freezing gets deconvolution and BatchNorm of equal channels wrong (torch 2.15)."""
    model = awaken(create_model("resdcn_18", HEADS)).eval()
    lean = fused(model)
    deconvolutions = [m for m in lean.modules() if isinstance(m, nn.ConvTranspose2d)]
    assert any(m.in_channels == m.out_channels for m in deconvolutions)
    assert all(m.bias is not None for m in deconvolutions)
    assert not any(isinstance(m, nn.BatchNorm2d) for m in lean.modules())


@pytest.mark.parametrize("arch", ["resdcn_18", "mobilenetv3"])
def test_a_change_of_layout_changes_no_map(arch: str) -> None:
    """`Module.to(memory_format=...)` permutes buffers of four dimensions, packed weights too."""
    model = fused(awaken(create_model(arch, HEADS)).eval())
    assert all(buffer.dim() != 4 for buffer in model.buffers())
    x = torch.randn(1, 3, 64, 64)
    with torch.inference_mode():
        before = model(x)[-1]
        after = model.to(memory_format=torch.channels_last)(x)[-1]
    for name in HEADS:
        assert before[name].std() > 1e-3
        torch.testing.assert_close(after[name], before[name], rtol=1e-4, atol=1e-5)


def test_the_kernels_bring_no_second_openmp(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """Compiled for OpenMP but not linked with it: torch has loaded its own already."""
    commands: list[list[str]] = []
    monkeypatch.setattr(build, "_call", lambda command: commands.append(command) or "")
    build._compile("c++", ["-fopenmp"], tmp_path)
    *units, link = commands
    assert units
    assert all("-fopenmp" in command for command in units)
    words = [word for word in link if "/" not in word]
    assert "-shared" in words or "-dynamiclib" in words
    # GCC's and Clang's -fopenmp, which does not contain "omp"; -lgomp, -lomp, -liomp5.
    assert not any("openmp" in word or "omp" in word for word in words)


def test_neighbours_whose_scores_round_to_one_are_both_peaks() -> None:
    """Suppressing logits would keep one of them: a float32 sigmoid is 1 from about 17 on."""
    task = Ctdet(Info("two", ("a",), (1,)))
    logits = torch.full((1, 1, 8, 8), -5.0)
    logits[0, 0, 3, 3], logits[0, 0, 3, 4] = 18.0, 19.0
    maps = {"hm": logits, "wh": torch.ones(1, 2, 8, 8), "reg": torch.zeros(1, 2, 8, 8)}
    found = task.decode(task.activate(maps), 4)
    assert found["scores"][0, :2].tolist() == [1.0, 1.0]
    assert found["scores"][0, 2] < 0.01


def test_a_sample_is_interpolated_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """Mirror, scale and turn are one warp of the image as it was read, not of a mirrored copy."""
    seen: list[Any] = []
    original = cv2.warpAffine

    def warp(image: np.ndarray, *args: Any, **more: Any) -> np.ndarray:
        seen.append(image)
        return original(image, *args, **more)

    monkeypatch.setattr(cv2, "warpAffine", warp)
    image = np.zeros((40, 60, 3), np.uint8)
    View((25.0, 20.0), 50.0, 10.0, mirror=60).warp(image, (48, 48))
    assert len(seen) == 1
    assert seen[0] is image


def test_colours_are_looked_through_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """However many steps the jitter has, a sample takes one pass over its pixels."""
    from centernet.datasets import pixels

    passes: list[tuple[int, ...]] = []
    original = pixels._map_planes

    def count(*args: Any) -> None:
        passes.append(args[3].shape)
        original(*args)

    monkeypatch.setattr(pixels, "_map_planes", count)
    make_data(Ctdet(Squares().info))[1]
    assert passes == [(3, 4)]


def test_unfinished_samples_are_an_eighth_at_most() -> None:
    """A heat map of 80 classes is five megabytes, nearly all of it zeros."""
    task = Ctdet(Info("many", tuple(map(str, range(80))), tuple(range(80))))
    objects = Objects(np.array([[3, 4, 50, 60]], np.float32), np.array([7]))
    whole, light = (
        sum(array.nbytes for array in encode(objects, (128, 128)).values())
        for encode in (task.encode, task.sketch)
    )
    pixels = 3 * 512 * 512
    assert 8 * (light + pixels) < whole + 4 * pixels


@pytest.mark.parametrize("accumulate", [1, 3])
def test_a_batch_goes_to_the_device_once(
    accumulate: int, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """Counting the objects of the parts of a step and learning from them share what was moved."""
    drawn: list[int] = []
    coloured: list[int] = []
    original = on_device.drawn, on_device.map_colours, on_device._moved
    moved: list[int] = []

    def draw(*args: Any) -> Any:
        drawn.append(1)
        return original[0](*args)

    def colour(*args: Any) -> Any:
        coloured.append(1)
        return original[1](*args)

    def move(value: Any, device: Any) -> Any:
        moved.append(id(value))
        kept.append(value)
        return original[2](value, device)

    kept: list[Any] = []  # so that no number is given twice
    monkeypatch.setattr(on_device, "drawn", draw)
    monkeypatch.setattr(on_device, "map_colours", colour)
    monkeypatch.setattr(on_device, "_moved", move)
    data = make_data(Ctdet(Squares().info))
    data.unfinished, data.augmentation = True, Augmentation()
    assert data.size == SIZE
    assert data.seed == SEED
    make_trainer(tmp_path, epochs=1, data=data, validate=False, accumulate=accumulate).run()
    assert len(drawn) == len(coloured) == 3  # twelve images in batches of four
    assert len(moved) == len(set(moved)) >= 9
