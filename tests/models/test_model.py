"""What holds for every registered backbone, and how heads are put on it."""

from __future__ import annotations

from dataclasses import dataclass

import pytest
import torch
from torch import Tensor, nn

from centernet.builders.network import network_spec
from centernet.models.create import create_model
from centernet.models.fuse import fused
from centernet.models.model import HEAT_BIAS, CenterNet
from centernet.models.networks import BACKBONES, create_backbone
from centernet.models.networks.backbone import Backbone, init_bilinear
from centernet.models.networks.hourglass import Hourglass
from centernet.models.spec import ModelSpec
from centernet.options.groups import Model
from centernet.runtime.errors import UserError

HEADS = {"hm": 3, "wh": 2, "reg": 2}
SMALL = ("res_18", "resdcn_18", "dlav0_34", "dla_34", "mobilenetv3", "unet")


class Plain(Backbone):
    """One convolution of stride 4 in the place of a network, for what concerns heads alone."""

    channels = 8
    head_conv = 6

    def __init__(self) -> None:
        super().__init__()
        self.conv = nn.Conv2d(3, self.channels, 4, stride=4)

    def forward(self, x: Tensor) -> list[Tensor]:
        return [self.conv(x)]


@dataclass(frozen=True)
class Spec:
    channels: int
    bias: float | None


def small_hourglass() -> Hourglass:
    return Hourglass(stacks=2, dims=(16, 24, 32), modules=(1, 1, 1), feature_dim=20)


def image(height: int, width: int, batch: int = 2) -> Tensor:
    return torch.randn(batch, 3, height, width, generator=torch.Generator().manual_seed(1))


@pytest.mark.parametrize("arch", BACKBONES)
def test_shapes_follow_the_facts(arch: str) -> None:
    with torch.device("meta"):
        backbone = create_backbone(arch)
        # The smallest sizes that are allowed, one of them an odd multiple.
        height, width = backbone.pad + 1, 3 * (backbone.pad + 1)
        stages = CenterNet(backbone, HEADS).eval()(torch.empty(2, 3, height, width))
        features = backbone(torch.empty(2, 3, height, width))
    size = (height // backbone.stride, width // backbone.stride)
    assert [tuple(f.shape) for f in features] == [(2, backbone.channels, *size)] * backbone.stages
    assert len(stages) == backbone.stages
    for maps in stages:
        assert {k: tuple(v.shape) for k, v in maps.items()} == {
            name: (2, channels, *size) for name, channels in HEADS.items()
        }


@pytest.mark.parametrize("arch", SMALL)
def test_gradients_are_finite(arch: str) -> None:
    torch.manual_seed(0)
    model = create_model(arch, HEADS)
    maps = model(image(64, 96))[-1]
    sum(m.square().mean() for m in maps.values()).backward()
    gradients = {k: p.grad for k, p in model.named_parameters() if p.grad is not None}
    assert all(g.isfinite().all() for g in gradients.values())
    assert gradients[next(iter(dict(model.named_parameters())))].abs().sum() > 0


@pytest.mark.parametrize("arch", SMALL)
def test_channels_last_gives_the_same_maps(arch: str) -> None:
    torch.manual_seed(0)
    model = create_model(arch, HEADS).eval()
    x = image(64, 96, batch=1)
    with torch.inference_mode():
        expected = model(x)[-1]
        model.to(memory_format=torch.channels_last)
        found = model(x.contiguous(memory_format=torch.channels_last))[-1]
    for name in HEADS:
        torch.testing.assert_close(found[name], expected[name], atol=1e-4, rtol=1e-4)


@pytest.mark.parametrize("arch", [*SMALL, "small_hourglass"])
def test_compiles_in_one_graph(arch: str) -> None:
    torch.compiler.reset()  # every network counts towards the limit of one function's graphs
    torch.manual_seed(0)
    backbone = small_hourglass() if arch == "small_hourglass" else create_backbone(arch)
    model = CenterNet(backbone, HEADS)
    compiled = torch.compile(model, backend="eager", fullgraph=True)
    x = image(64, 64)
    torch.testing.assert_close(compiled(x)[-1]["hm"], model(x)[-1]["hm"], atol=1e-4, rtol=1e-4)


def test_unknown_architecture_lists_the_choices() -> None:
    with pytest.raises(UserError, match=r"unknown architecture 'dla_60'.*res_18.*hourglass_52"):
        create_model("dla_60", HEADS)


@pytest.mark.parametrize("norm", ["none", "bn", "gn"])
@pytest.mark.parametrize("depth", [1, 3])
def test_heads_of_more_layers(norm: str, depth: int) -> None:
    spec = ModelSpec.named(
        "resnet18+fpn", head_conv=48, head_depth=depth, head_norm=norm, prior=0.01
    )
    model = create_model(spec, HEADS)
    layers = list(model.heads["hm"])
    assert sum(isinstance(layer, nn.Conv2d) for layer in layers) == depth + 1
    assert sum(isinstance(layer, nn.ReLU) for layer in layers) == depth
    norms = sum(isinstance(layer, nn.BatchNorm2d | nn.GroupNorm) for layer in layers)
    assert norms == (0 if norm == "none" else depth)
    assert layers[-1].bias.sigmoid().tolist() == pytest.approx([0.01] * HEADS["hm"])
    x = torch.rand(2, 3, 64, 64)
    sum(m.square().mean() for m in model(x)[-1].values()).backward()
    assert all(p.grad is not None for p in model.heads.parameters())
    with torch.inference_mode():
        plain, folded = model.eval()(x)[-1], fused(model)(x)[-1]
    for name in HEADS:
        torch.testing.assert_close(folded[name], plain[name], atol=1e-4, rtol=1e-4)
    assert ModelSpec.of(spec.plain()) == spec


def test_layers_that_a_head_cannot_have() -> None:
    with pytest.raises(UserError, match="no hidden layer for --head_depth"):
        create_model(ModelSpec.named("resnet18+fpn", head_conv=0, head_depth=2), HEADS)
    with pytest.raises(UserError, match="an hourglass has the published heads alone"):
        create_model(ModelSpec.named("tiny_hourglass", head_norm="bn"), HEADS)
    with pytest.raises(UserError, match="--head_norm in: there are none, bn, gn"):
        create_model(ModelSpec.named("resnet18+fpn", head_norm="in"), HEADS)
    with pytest.raises(UserError, match="--prior 1: a probability"):
        network_spec(Model(arch="resnet18+fpn", prior=1.0))
    asked = network_spec(Model(arch="resnet18+fpn", head_depth=2, head_norm="gn"))
    assert (asked.head_depth, asked.head_norm, asked.prior) == (2, "gn", None)


def test_heads_are_in_the_published_order() -> None:
    plain = Plain()
    assert list(CenterNet(plain, HEADS).heads) == ["hm", "wh", "reg"]
    plain.sorted_heads = True
    assert list(CenterNet(plain, HEADS).heads) == ["hm", "reg", "wh"]


@pytest.mark.parametrize(("head_conv", "width"), [(None, 6), (-1, 6), (12, 12)])
def test_width_of_heads(head_conv: int | None, width: int) -> None:
    model = CenterNet(Plain(), {"hm": 3}, head_conv)
    assert model.heads["hm"][0].weight.shape == (width, 8, 3, 3)
    assert model.heads["hm"][2].weight.shape == (3, width, 1, 1)


def test_heads_without_hidden_layer() -> None:
    model = CenterNet(Plain(), HEADS, head_conv=0)
    assert model.heads["hm"].weight.shape == (3, 8, 1, 1)
    assert (model.heads["hm"].bias == HEAT_BIAS).all()
    assert (model.heads["reg"].bias == 0).all()


def test_bias_by_name_or_by_the_task() -> None:
    heads = {"hm_hp": 2, "wh": 2, "seed": Spec(2, -4.0), "hm": Spec(2, None)}
    model = CenterNet(Plain(), heads)
    biases = {name: head[-1].bias for name, head in model.heads.items()}
    assert (biases["hm_hp"] == HEAT_BIAS).all()
    assert (biases["wh"] == 0).all()
    assert (biases["seed"] == -4).all()
    assert (biases["hm"] == 0).all()
    with torch.no_grad():
        maps = model(torch.zeros(1, 3, 8, 8))[0]
    assert torch.sigmoid(maps["hm_hp"]).mean() == pytest.approx(0.1, abs=0.05)
    assert maps["wh"].abs().max() < 0.01


def test_last_only_skips_the_earlier_heads() -> None:
    torch.manual_seed(0)
    model = CenterNet(small_hourglass(), HEADS).eval()
    x = image(64, 64)
    full, last = model(x), model(x, last_only=True)
    assert (len(full), len(last)) == (2, 1)
    assert all(torch.equal(full[-1][name], last[0][name]) for name in HEADS)
    model.heads["hm"][0] = None
    model(x, last_only=True)  # would fail if the first stage's head were called


@pytest.mark.parametrize("factor", [2, 4, 8])
def test_bilinear_start_interpolates_a_ramp(factor: int) -> None:
    up = nn.ConvTranspose2d(2, 2, 2 * factor, factor, padding=factor // 2, groups=2, bias=False)
    init_bilinear(up)
    ramp = torch.arange(8.0).expand(1, 2, 8, 8)
    with torch.no_grad():
        found = up(ramp)[0, 1, 4 * factor, factor:-factor]
    centres = (torch.arange(factor, 7 * factor) + 0.5) / factor - 0.5
    torch.testing.assert_close(found, centres)
