"""Folded networks give the maps of those they were made of."""

from __future__ import annotations

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor, nn

from centernet.models.create import create_model
from centernet.models.fuse import affine, foldable, fused, pairs, steps
from centernet.models.model import CenterNet
from centernet.models.networks import BACKBONES
from centernet.models.networks.DCNv2 import DCN
from centernet.models.networks.hourglass import Hourglass
from centernet.models.networks.pooling import POOLINGS
from tests.models.awake import awaken

HEADS = {"hm": 3, "wh": 2}
QUICK = {"mobilenetv3", "res_18", "resdcn_18", "dla_34"}
# The projections of dla that nothing reads in testing.
UNREAD = {"dla_34": 2, "dlav0_34": 2}


def norms(model: nn.Module) -> int:
    return sum(isinstance(module, nn.BatchNorm2d) for module in model.modules())


def deformable(model: nn.Module) -> list[DCN]:
    return [module for module in model.modules() if isinstance(module, DCN)]


def agree(actual: Tensor, expected: Tensor) -> None:
    assert expected.std() > 1e-3  # a map that is all the same would prove nothing
    assert (actual - expected).norm() / expected.norm() < 1e-5


@pytest.mark.parametrize(
    "arch",
    [a if a in QUICK else pytest.param(a, marks=pytest.mark.slow) for a in BACKBONES],
)
def test_every_architecture_keeps_its_maps(arch: str) -> None:
    torch.manual_seed(0)
    model = awaken(create_model(arch, HEADS)).eval()
    before = {key: value.clone() for key, value in model.state_dict().items()}
    lean = fused(model)
    assert norms(lean) == UNREAD.get(arch, 0)
    assert all(layer.relu for layer in deformable(lean))
    assert not any(layer.relu for layer in deformable(model))
    x = torch.randn(2, 3, model.backbone.pad + 1, 2 * (model.backbone.pad + 1))
    with torch.inference_mode():
        expected, found = model(x)[-1], lean(x)[-1]
    for name in HEADS:
        agree(found[name], expected[name])
    assert all(torch.equal(value, before[key]) for key, value in model.state_dict().items())


def test_two_stages_and_poolings() -> None:
    torch.manual_seed(0)
    backbone = Hourglass(stacks=2, dims=(16, 24, 32), modules=(1, 1, 1), feature_dim=20)
    model = CenterNet(backbone, HEADS)
    for name, make in POOLINGS.items():
        model.poolings[name] = nn.ModuleList([make(20), make(20)])
    model.pooling_of = dict.fromkeys(HEADS, "cnvs_tl")
    lean = fused(awaken(model).eval())
    assert norms(lean) == 0
    with torch.inference_mode():
        x = torch.randn(1, 3, 32, 64)
        for found, expected in zip(lean(x), model(x), strict=True):
            for name in HEADS:
                agree(found[name], expected[name])


def layer(kind: str, groups: int, bias: bool) -> nn.Module:
    if kind == "dcn":
        return DCN(8, 12, deformable_groups=groups)
    if kind == "up":
        return nn.ConvTranspose2d(8, 8 * groups, 4, 2, 1, groups=groups, bias=bias)
    return nn.Conv2d(8, 12, 3, padding=1, groups=groups, bias=bias)


@settings(max_examples=40, deadline=None)
@given(
    kind=st.sampled_from(["conv", "up", "dcn"]),
    groups=st.sampled_from([1, 2, 4]),
    bias=st.booleans(),
    affine=st.booleans(),
    seed=st.integers(0, 2**16),
)
def test_any_layer(kind: str, groups: int, bias: bool, affine: bool, seed: int) -> None:
    torch.manual_seed(seed)
    conv = layer(kind, groups, bias)
    channels = conv.weight.shape[0] if kind != "up" else 8 * groups
    model = nn.Sequential(conv, nn.BatchNorm2d(channels, affine=affine), nn.ReLU())
    awaken(model).eval()
    lean = fused(model)
    assert norms(lean) == 0
    x = torch.randn(2, 8, 7, 5)
    with torch.inference_mode():
        torch.testing.assert_close(lean(x), model(x), rtol=1e-5, atol=1e-5)


class Forked(nn.Module):
    """One convolution read by BN and by something else; BN without statistics; one run twice."""

    def __init__(self) -> None:
        super().__init__()
        self.read_twice, self.first = nn.Conv2d(3, 3, 1), nn.BatchNorm2d(3)
        self.conv, self.own = nn.Conv2d(3, 3, 1), nn.BatchNorm2d(3, track_running_stats=False)
        self.shared, self.last = nn.Conv2d(3, 3, 1), nn.BatchNorm2d(3)

    def forward(self, x: Tensor) -> Tensor:
        y = self.read_twice(x)
        x = self.first(y) + y
        x = self.own(self.conv(x))
        return self.last(self.shared(self.shared(x)))


def test_what_must_stay_apart_does() -> None:
    model = awaken(Forked()).eval()
    assert pairs(model, steps(model), affine, foldable) == []
    x = torch.randn(1, 3, 4, 4)
    torch.testing.assert_close(fused(model)(x), model(x))


def rectified() -> DCN:
    layer = DCN(4, 4)
    layer.relu = True
    return layer


@pytest.mark.parametrize("normed", [False, True])
def test_relu_goes_into_the_deformable_convolution(normed: bool) -> None:
    norm = [nn.BatchNorm2d(4)] if normed else []
    model = awaken(nn.Sequential(DCN(4, 4), *norm, nn.ReLU())).eval()
    lean = fused(model)
    assert lean[0].relu
    assert not model[0].relu
    assert all(isinstance(module, nn.Identity) for module in lean[1:])
    x = torch.randn(2, 4, 7, 5)
    torch.testing.assert_close(lean(x), model(x), rtol=1e-5, atol=1e-5)


class Crossing(nn.Module):
    """A deformable convolution read by ReLU and by something else, one run twice, a shared ReLU."""

    def __init__(self) -> None:
        super().__init__()
        self.read_twice, self.first = DCN(4, 4), nn.ReLU()
        self.run_twice, self.second = DCN(4, 4), nn.ReLU()
        self.one, self.other, self.shared = DCN(4, 4), DCN(4, 4), nn.ReLU()

    def forward(self, x: Tensor) -> Tensor:
        y = self.read_twice(x)
        x = self.second(self.run_twice(self.run_twice(self.first(y) - y)))
        return self.shared(self.one(x)) - self.shared(self.other(x))


def test_relu_stays_where_more_depends_on_it() -> None:
    model = awaken(Crossing()).eval()
    lean = fused(model)
    assert not any(layer.relu for layer in deformable(lean))
    assert sum(isinstance(module, nn.ReLU) for module in lean.modules()) == 3
    x = torch.randn(1, 4, 5, 6)
    torch.testing.assert_close(lean(x), model(x), rtol=1e-5, atol=1e-5)


def test_norm_behind_a_relu_stays() -> None:
    """Whether the ReLU is a module, or the layer's own already."""
    for model in (
        nn.Sequential(DCN(4, 4), nn.ReLU(), nn.BatchNorm2d(4)),
        nn.Sequential(rectified(), nn.BatchNorm2d(4)),
    ):
        lean = fused(awaken(model).eval())
        assert norms(lean) == 1
        x = torch.randn(2, 4, 7, 5)
        torch.testing.assert_close(lean(x), model(x), rtol=1e-5, atol=1e-5)


class Undecided(nn.Sequential):
    """Cannot be traced: what runs depends on the values."""

    def forward(self, x: Tensor) -> Tensor:
        return super().forward(x) if x.sum() > 0 else x


def test_a_network_that_cannot_be_traced_keeps_its_norms() -> None:
    model = awaken(Undecided(nn.Conv2d(3, 3, 1), nn.BatchNorm2d(3))).eval()
    lean = fused(model)
    assert norms(lean) == 1
    x = torch.rand(1, 3, 4, 4)
    torch.testing.assert_close(lean(x), model(x))


def test_the_copy_is_for_testing() -> None:
    model = create_model("mobilenetv3", HEADS)
    lean = fused(model)
    assert model.training
    assert not lean.training
    assert lean.backbone.features[0][0].weight.is_contiguous(memory_format=torch.channels_last)


class Pair(nn.Module):
    """Convolution and norm, as a backbone of somebody else's might call them."""

    def __init__(self, how: str) -> None:
        super().__init__()
        self.how = how
        self.first, self.norm = nn.Conv2d(3, 3, 3, padding=1), nn.BatchNorm2d(3)
        self.second, self.other = nn.Conv2d(3, 3, 3, padding=1), nn.BatchNorm2d(3)

    def forward(self, x: Tensor) -> Tensor:
        if self.how == "by name":
            x = self.norm(input=self.first(input=x))
        else:
            x = self.norm(self.first(x))
        if self.how == "weight read":
            x = nn.functional.conv2d(x, self.first.weight, padding=1)
        x = self.other(self.second(x))
        return x * len(x) if self.how == "counted" else x


@pytest.mark.parametrize("how", ["by name", "weight read", "weight shared", "counted"])
def test_ways_of_calling(how: str) -> None:
    model = Pair(how)
    if how == "weight shared":
        model.second.weight = model.first.weight
    awaken(model.eval())
    x = torch.randn(2, 3, 6, 5)
    lean = fused(model)
    assert norms(lean) == {"weight read": 1, "counted": 2}.get(how, 0)
    agree(lean(x), model(x))
