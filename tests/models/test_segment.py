"""Activations that are computed twice: same numbers, fewer of them kept."""

from __future__ import annotations

import copy

import pytest
import torch
from torch import Tensor, nn

from centernet.models.create import create_model
from centernet.models.fuse import fused
from centernet.models.measure import SavedForBackward
from centernet.models.model import CenterNet
from centernet.models.networks.hourglass import Hourglass, residuals
from centernet.models.networks.segment import Segment, buffers_kept, outermost, recompute
from centernet.runtime.errors import UserError

SHAPE = (2, 3, 32, 32)


def both_ways(model: nn.Module) -> tuple[nn.Module, nn.Module]:
    """`model`, and a copy that computes its activations twice."""
    twice = copy.deepcopy(model)
    recompute(twice, "it")
    return model, twice


def small() -> CenterNet:
    torch.manual_seed(0)
    backbone = Hourglass(stacks=2, dims=(8, 8, 12), modules=(1, 1, 2), feature_dim=10)
    return CenterNet(backbone, {"hm": 3, "wh": 2})


def learn(model: nn.Module, steps: int, shape: tuple[int, ...] = SHAPE) -> dict[str, Tensor]:
    """Gradients of the last of some steps, weights, and statistics."""
    numbers = torch.Generator().manual_seed(1)
    optimizer = torch.optim.SGD(model.parameters(), 1e-2, momentum=0.9)
    for _ in range(steps):
        optimizer.zero_grad()
        stages = model(torch.randn(shape, generator=numbers))
        sum(m.square().mean() for stage in stages for m in stage.values()).backward()
        optimizer.step()
    gradients = {f"gradient of {name}": p.grad for name, p in model.named_parameters()}
    return gradients | model.state_dict()


def assert_equal(found: dict[str, Tensor], expected: dict[str, Tensor]) -> None:
    assert list(found) == list(expected)
    for name, value in expected.items():
        assert torch.equal(found[name], value), name


def test_gradients_weights_and_statistics_are_the_same_bits() -> None:
    plain, twice = both_ways(small())
    expected = learn(plain, steps=4)
    assert_equal(learn(twice, steps=4), expected)
    counts = [v for k, v in expected.items() if k.endswith("num_batches_tracked")]
    assert len(counts) > 20
    assert all(count == 4 for count in counts)


def test_a_published_hourglass_too() -> None:
    torch.manual_seed(0)
    plain, twice = both_ways(create_model("tiny_hourglass", {"hm": 1}))
    shape = (2, 3, 128, 128)
    assert_equal(learn(twice, 2, shape), learn(plain, 2, shape))


def test_only_the_input_of_a_segment_is_kept() -> None:
    plain, twice = both_ways(nn.Sequential(residuals([8, 8, 8])))
    x = torch.randn(2, 8, 16, 16)
    with SavedForBackward(plain) as kept:
        plain(x)
    # Of each block: what goes into either convolution and either BN; the last sum is rectified.
    # BN also keeps two numbers a channel, and the means it updates.
    maps = 2 * 4 + 1
    assert kept.bytes == maps * x.nbytes + 4 * 4 * 8 * 4
    with SavedForBackward(twice) as less:
        twice(x)
    assert less.bytes == x.nbytes


def test_an_hourglass_keeps_less_than_a_quarter() -> None:
    """From shapes alone: Hourglass-104 at 256 x 256 pixels."""
    with torch.device("meta"):
        plain, twice = both_ways(create_model("hourglass", {"hm": 80, "wh": 2, "reg": 2}))
        x = torch.empty(1, 3, 256, 256)
        counts = []
        for model in (plain, twice):
            with SavedForBackward(model) as kept:
                stages = model(x)
            counts.append(kept.bytes)
            del stages
    assert 0 < counts[1] < counts[0] / 4


def test_nothing_is_computed_twice_in_testing() -> None:
    calls = []

    class Spy(nn.Conv2d):
        def forward(self, x: Tensor) -> Tensor:
            calls.append(1)
            return super().forward(x)

    model = Segment(Spy(3, 4, 1), nn.BatchNorm2d(4), nn.ReLU())
    model.recomputed = True
    x = torch.randn(SHAPE)
    model(x).sum().backward()
    assert len(calls) == 2
    model.eval()(x).sum().backward()
    assert len(calls) == 3
    with torch.no_grad():
        model.train()(x)
    assert len(calls) == 4


def test_chance_is_the_same_both_times() -> None:
    model = Segment(nn.Conv2d(3, 8, 1), nn.Dropout(0.5), nn.ReLU())
    plain, twice = both_ways(nn.Sequential(model))
    gradients = []
    for network in (plain, twice):
        torch.manual_seed(3)
        network(torch.ones(SHAPE)).square().sum().backward()
        gradients.append([p.grad for p in network.parameters()])
        gradients[-1].append(torch.rand(1))  # and goes on from where it was
    assert all(torch.equal(a, b) for a, b in zip(*gradients, strict=True))


def test_buffers_come_back_when_the_block_fails() -> None:
    norm = nn.BatchNorm2d(3)
    before = copy.deepcopy(norm.state_dict())
    failing = nn.Sequential(norm, nn.Conv2d(4, 4, 1))  # of another width
    with pytest.raises(RuntimeError, match="4 channels"), buffers_kept(norm):
        failing(torch.randn(SHAPE))
    assert_equal(norm.state_dict(), before)


def test_it_is_tested_and_saved_as_any_network() -> None:
    plain, twice = both_ways(small())
    assert list(plain.state_dict()) == list(twice.state_dict())
    x = torch.randn(SHAPE)
    maps = [fused(model)(x) for model in (plain, twice)]
    assert not any(isinstance(m, nn.BatchNorm2d) for m in fused(twice).modules())
    for one, other in zip(*maps, strict=True):
        assert_equal(one, other)


def test_segments_do_not_nest() -> None:
    inner = Segment(nn.ReLU())
    outer = Segment(inner, nn.ReLU())
    assert list(outermost(nn.Sequential(outer, nn.ReLU()))) == [outer]
    recompute(nn.ModuleList([outer]), "it")
    assert outer.recomputed
    assert not inner.recomputed


def test_a_network_without_segments() -> None:
    with pytest.raises(UserError, match="unet has no parts that can be computed twice"):
        recompute(create_model("unet", {"hm": 1}), "unet")
