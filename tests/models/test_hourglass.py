"""Stacked hourglasses: sizes, stacks and heads."""

from __future__ import annotations

import pytest
import torch

from centernet.models.model import HEAT_BIAS
from centernet.models.networks import create_backbone
from centernet.models.networks.hourglass import Hourglass, Pyramid


@pytest.mark.parametrize(("name", "stacks"), [("hourglass", 2), ("hourglass_52", 1)])
def test_published_variants(name: str, stacks: int) -> None:
    with torch.device("meta"):
        backbone = create_backbone(name)
    assert (backbone.stages, backbone.pad, backbone.channels) == (stacks, 127, 256)
    assert backbone.pretrained is None


def test_pad_follows_the_number_of_levels() -> None:
    backbone = Hourglass(stacks=1, dims=(8, 8, 12), modules=(1, 1, 2), feature_dim=10)
    assert backbone.pad == 15
    (feature,) = backbone(torch.zeros(2, 3, 16, 48))
    assert feature.shape == (2, 10, 4, 12)


def test_every_stack_counts() -> None:
    torch.manual_seed(0)
    backbone = Hourglass(stacks=3, dims=(8, 8), modules=(1, 1), feature_dim=8)
    features = backbone(torch.randn(2, 3, 16, 16))
    assert len(features) == 3
    sum(f.square().mean() for f in features).backward()
    for name, parameter in backbone.named_parameters():
        assert parameter.grad is not None, name
        assert parameter.grad.isfinite().all(), name


def test_later_stacks_see_the_earlier_feature() -> None:
    torch.manual_seed(0)
    backbone = Hourglass(stacks=2, dims=(8, 8), modules=(1, 1), feature_dim=8).eval()
    x = torch.randn(1, 3, 16, 16)
    with torch.inference_mode():
        first, last = backbone(x)
        backbone.cnvs_[0][1].weight.zero_()
        changed = backbone(x)
    assert torch.equal(first, changed[0])
    assert not torch.equal(last, changed[1])


def test_pyramid_adds_the_two_ways() -> None:
    torch.manual_seed(0)
    pyramid = Pyramid((4, 6), (1, 1)).eval()
    x = torch.randn(1, 4, 8, 8)
    with torch.inference_mode():
        low = pyramid.low3(pyramid.low2(pyramid.low1(x)))
        expected = pyramid.up1(x) + low.repeat_interleave(2, dim=2).repeat_interleave(2, dim=3)
        torch.testing.assert_close(pyramid(x), expected)


def test_heads_have_one_width_and_one_module_a_stack() -> None:
    backbone = Hourglass(stacks=2, dims=(8, 12), modules=(1, 1), feature_dim=10)
    for head_conv in (0, 64, 256):
        heads = backbone.make_head(5, head_conv, HEAT_BIAS)
        assert [head[0].conv.weight.shape for head in heads] == [(8, 10, 3, 3)] * 2
        assert all((head[1].bias == HEAT_BIAS).all() for head in heads)
    (first, _) = backbone.make_head(5, 64, None)
    assert first[1].bias.count_nonzero() == 5  # regressions keep PyTorch's own start
