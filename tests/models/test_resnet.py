"""The ResNets: torchvision's trunk, and how the rest starts."""

from __future__ import annotations

import pytest
import torch
import torchvision
from torch import nn

from centernet.models.networks.resnet import ResNet


@pytest.mark.parametrize(("depth", "width"), [(18, 512), (50, 2048)])
def test_trunk_computes_what_torchvision_computes(depth: int, width: int) -> None:
    torch.manual_seed(0)
    classifier = torchvision.models.get_model(f"resnet{depth}", weights=None).eval()
    backbone = ResNet(depth, dcn=False).eval()
    missing, unexpected = backbone.load_state_dict(classifier.state_dict(), strict=False)
    assert all(key.startswith("deconv_layers.") for key in missing)
    assert unexpected == ["fc.weight", "fc.bias"]
    seen = {}
    backbone.layer4.register_forward_hook(lambda _m, _i, out: seen.update(features=out))
    x = torch.randn(1, 3, 64, 64)
    with torch.inference_mode():
        backbone(x)
        pooled = seen["features"].mean(dim=(2, 3))
        assert pooled.shape == (1, width)
        torch.testing.assert_close(classifier.fc(pooled), classifier(x))


def test_start_without_dcn() -> None:
    torch.manual_seed(0)
    backbone = ResNet(18, dcn=False)
    ups = [m for m in backbone.deconv_layers if isinstance(m, nn.ConvTranspose2d)]
    assert [up.out_channels for up in ups] == [256, 256, 256]
    assert all(up.weight.std().item() == pytest.approx(0.001, rel=0.02) for up in ups)
    head = backbone.make_head(2, head_conv=64, bias=None)
    assert head[0].weight.std() > 0.01  # only the last convolution starts near zero
    assert head[2].weight.std().item() == pytest.approx(0.001, rel=0.3)


def test_start_with_dcn() -> None:
    torch.manual_seed(0)
    backbone = ResNet(18, dcn=True)
    ups = [m for m in backbone.deconv_layers if isinstance(m, nn.ConvTranspose2d)]
    assert [up.out_channels for up in ups] == [256, 128, 64]
    row = torch.tensor([0.25, 0.75, 0.75, 0.25])
    for up in ups:
        assert torch.equal(up.weight[:, 0], torch.outer(row, row).expand(len(up.weight), 4, 4))
        assert up.weight[:, 1:].std() > 0
    for index in (0, 6, 12):
        offsets = backbone.deconv_layers[index].conv_offset_mask
        assert offsets.weight.count_nonzero() == 0
        assert offsets.bias.count_nonzero() == 0
    head = backbone.make_head(2, head_conv=64, bias=None)
    assert head[0].weight.std().item() == pytest.approx(0.001, rel=0.1)
    assert head[2].weight.std().item() == pytest.approx(0.001, rel=0.3)


def test_heads_are_sorted_without_dcn_only() -> None:
    with torch.device("meta"):
        assert ResNet(18, dcn=False).sorted_heads
        assert not ResNet(18, dcn=True).sorted_heads


def test_with_plain_convolutions_in_place_of_dcn() -> None:
    torch.manual_seed(0)
    plain, deformable = ResNet(18, dcn=False, conv=True), ResNet(18, dcn=True)
    assert plain.channels == deformable.channels == 64
    own, other = plain.state_dict(), deformable.state_dict()
    assert list(own) == [
        key for key in other if "offset_mask" not in key and not key.endswith((".0.bias",
        "layers.6.bias", "layers.12.bias"))
    ]  # fmt: skip
    assert all(value.shape == other[key].shape for key, value in own.items())
    row = torch.tensor([0.25, 0.75, 0.75, 0.25])
    assert torch.equal(plain.deconv_layers[3].weight[0, 0], torch.outer(row, row))
