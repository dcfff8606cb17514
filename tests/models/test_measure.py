"""Costs against what can be counted by hand, and against what is published."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor, nn

from centernet.models.inputs import IMAGE_ALONE
from centernet.models.measure import PeakMemory, cost, flops, peak, shapes_of
from centernet.models.networks.DCNv2 import DCN

COCO = {"hm": 80, "wh": 2, "reg": 2}


class Alone(nn.Module):
    """A layer in place of a network."""

    def __init__(self, layer: nn.Module) -> None:
        super().__init__()
        self.layer, self.inputs = layer, IMAGE_ALONE

    def forward(self, inputs: dict[str, Tensor], last_only: bool = False) -> Tensor:
        return self.layer(inputs["image"])


def alone(layer: nn.Module) -> Alone:
    return Alone(layer).to("meta").eval()


def test_a_convolution_by_hand() -> None:
    assert flops(alone(nn.Conv2d(3, 8, 3, padding=1)), (10, 12)) == 2 * 8 * 10 * 12 * 3 * 9


def test_a_deformable_convolution_counts_as_itself_and_its_branch() -> None:
    branch = flops(alone(nn.Conv2d(3, 27, 3, padding=1)), (10, 12))
    plain = flops(alone(nn.Conv2d(3, 8, 3, padding=1)), (10, 12))
    assert flops(alone(DCN(3, 8)), (10, 12)) == branch + plain


def test_a_transposed_convolution_by_hand() -> None:
    layer = nn.ConvTranspose2d(3, 8, 4, stride=2, padding=1)
    assert flops(alone(layer), (10, 12)) == 2 * 3 * 8 * 16 * 10 * 12


def test_maps_alive_at_once() -> None:
    """Of three convolutions in a row, two maps are alive at a time; the largest pair counts."""
    a, b, c, d = 3, 16, 4, 2
    layers = nn.Sequential(nn.Conv2d(a, b, 1), nn.Conv2d(b, c, 1), nn.Conv2d(c, d, 1))
    size = 10 * 12 * 4
    assert peak(alone(layers), (10, 12)) == (a + b + c) * size  # the input is held by the caller
    assert (
        peak(alone(nn.Sequential(nn.Conv2d(a, b, 1), nn.ReLU(inplace=True))), (10, 12))
        == (a + b) * size
    )


def test_views_are_not_counted_twice() -> None:
    with PeakMemory() as living:
        x = torch.empty(100, device="meta")
        y = x.view(10, 10).t()
        del x, y
        z = torch.empty(50, device="meta")
    assert (living.most, living.now) == (400, 200)
    del z


@pytest.mark.parametrize(
    ("arch", "millions"), [("res_18", 15.82), ("resconv_18", 14.22), ("resdcn_18", 14.44)]
)
def test_parameters_as_published(arch: str, millions: float) -> None:
    assert cost(shapes_of(arch, COCO), (64, 64)).parameters / 1e6 == pytest.approx(
        millions, abs=5e-3
    )


def test_multiply_adds_near_the_published_ones() -> None:
    """13.14 G is published for this network, by a counter that counts more than convolutions."""
    found = cost(shapes_of("resconv_18", COCO), (512, 512)).flops / 2e9
    assert found == pytest.approx(13.14, rel=0.01)


def test_the_file_of_mmdetection_is_as_large_as_its_weights() -> None:
    """The published file, of 56,960,639 bytes, holds the weights and little else."""
    weights = cost(shapes_of("resconv_18", COCO), (64, 64)).weights
    assert 0 < 56_960_639 - weights < 100_000


@pytest.mark.parametrize(
    "arch", ["res_18", "resdcn_18", "resconv_18", "dla_34", "hourglass_52", "mobilenetv3", "unet"]
)
def test_cost_grows_with_the_area(arch: str) -> None:
    model = shapes_of(arch, COCO)
    small, large = cost(model, (128, 128)), cost(model, (256, 128))
    # Not exactly: squeeze-and-excitation and the means of BN do not grow with the image.
    assert large.flops == pytest.approx(2 * small.flops, rel=0.01)
    assert large.peak == pytest.approx(2 * small.peak, rel=0.01)
    assert large.weights == small.weights >= 4 * small.parameters
