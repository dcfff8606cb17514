"""Suite `dcn`: deformable convolution beside torchvision's and the plain one of the same shape.

Layers are those of the networks at 512 x 512 pixels, offsets random with a deviation of 1.5 pixels,
as after training. A row of a network is the sum of its layers; the short suite has resdcn_18 alone,
and of the backward pass, which takes torchvision a second, one of its layers.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial

import torch
from report import Row, row
from timer import Ceilings, Rounds, compare
from torch import Tensor
from torchvision.ops import deform_conv2d as torchvision_deform_conv2d

from centernet.models.networks.DCNv2 import deform_conv2d, use_backend


@dataclass(frozen=True)
class Layer:
    """A 3 x 3 layer on a square map, and how often each network has it."""

    channels: int
    out_channels: int
    side: int
    dla_34: int
    resdcn_18: int

    def __str__(self) -> str:
        return f"{self.channels} to {self.out_channels} at {self.side}"

    @property
    def gflop(self) -> float:
        """Of the matrix product alone, forward."""
        return 18 * self.channels * self.out_channels * self.side**2 / 1e9


LAYERS = [
    Layer(512, 256, 16, 1, 1),
    Layer(256, 256, 32, 1, 0),
    Layer(256, 128, 32, 2, 1),
    Layer(128, 128, 64, 2, 0),
    Layer(128, 64, 64, 4, 1),
    Layer(64, 64, 128, 5, 0),
    Layer(256, 64, 32, 1, 0),
]
NETWORKS = ("dla_34", "resdcn_18")
SHORT, SHORT_PASSES = ("resdcn_18",), ("forward", "backward")
SLOW, OURS, FLOOR, PLAIN = "torchvision", "compiled", "convolution", "plain"
LOW, LOW_FLOOR = "compiled bfloat16", "convolution bfloat16"
Sides = dict[str, Callable[[], object]]
Pairs = tuple[tuple[str, str], ...]  # (slow, fast) sides to divide


def tensors(layer: Layer) -> list[Tensor]:
    """Input, offset, mask logits, weight and bias; maps channels last, offset and mask slices."""
    torch.manual_seed(0)
    maps = [torch.randn(1, count, layer.side, layer.side) for count in (layer.channels, 27)]
    x, branch = (t.to(memory_format=torch.channels_last) for t in maps)
    branch[:, :18] *= 1.5
    offset, mask = branch.split([18, 9], 1)
    weight = torch.randn(layer.out_channels, layer.channels, 3, 3) / (layer.channels * 9) ** 0.5
    return [x, offset, mask, weight, torch.randn(layer.out_channels)]


def rival(x: Tensor, offset: Tensor, mask: Tensor, weight: Tensor, bias: Tensor) -> Tensor:
    return torchvision_deform_conv2d(x, offset, weight, bias, 1, 1, 1, mask.sigmoid())


def ours(*values: Tensor) -> Tensor:
    return deform_conv2d(*values, padding=1, sigmoid_mask=True)


def by(backend: str, work: Callable[[], object]) -> Callable[[], object]:
    """The work with our operator computed by a given backend."""

    def run() -> object:
        with use_backend(backend):
            return work()

    return run


def agree(actual: Tensor, expected: Tensor, tolerance: float) -> None:
    error = ((actual - expected).norm() / expected.norm()).item()
    if not error < tolerance:
        raise AssertionError(f"results differ by {error:.1e}, more than {tolerance:.0e}")


def forward_sides(layer: Layer) -> Sides:
    """The forward pass of each side in inference mode; results are compared here."""
    values = tensors(layer)
    x, offset, mask, weight, bias = values
    contiguous = [t.contiguous() for t in values]  # what torchvision's operator works on
    low = [t.bfloat16() for t in (x, weight, bias)]
    sides: Sides = {
        SLOW: lambda: rival(*contiguous),
        OURS: by(OURS, lambda: ours(*values)),
        FLOOR: lambda: torch.conv2d(x, weight, bias, padding=1),
        LOW: by(OURS, lambda: ours(low[0], offset, mask, *low[1:])),
        LOW_FLOOR: lambda: torch.conv2d(*low, padding=1),
    }
    agree(sides[OURS](), sides[SLOW](), 1e-5)
    agree(sides[LOW]().float(), sides[SLOW](), 6e-3)
    return sides


def backward_sides(layer: Layer) -> Sides:
    """The backward pass of each side: gradients of all five tensors (the convolution's three)."""
    values = [t.detach().clone().requires_grad_() for t in tensors(layer)]
    x, _, _, weight, bias = values
    with use_backend(OURS):
        out = ours(*values)
    expected = rival(*values)
    plain = torch.conv2d(x, weight, bias, padding=1)
    grad = torch.randn_like(out)

    def pull(result: Tensor, leaves: list[Tensor]) -> Callable[[], tuple[Tensor, ...]]:
        return lambda: torch.autograd.grad(result, leaves, grad, retain_graph=True)

    sides: Sides = {
        SLOW: pull(expected, values),
        OURS: by(OURS, pull(out, values)),
        FLOOR: pull(plain, [x, weight, bias]),
    }
    for a, b in zip(sides[OURS](), sides[SLOW](), strict=True):
        agree(a, b, 1e-5)
    return sides


def training_sides(layer: Layer) -> Sides:
    """Forward and backward of torchvision's operator and of the plain-tensor form."""
    values = [t.detach().clone().requires_grad_() for t in tensors(layer)]

    def step(function: Callable[..., Tensor]) -> Callable[[], tuple[Tensor, ...]]:
        return lambda: torch.autograd.grad(function(*values).sum(), values)

    sides: Sides = {SLOW: step(rival), PLAIN: by(PLAIN, step(ours))}
    for a, b in zip(sides[PLAIN](), sides[SLOW](), strict=True):
        agree(a, b, 1e-5)
    return sides


PASSES: dict[str, tuple[Callable[[Layer], Sides], Pairs]] = {
    "forward": (forward_sides, ((SLOW, OURS), (OURS, FLOOR), (LOW, LOW_FLOOR))),
    "backward": (backward_sides, ((SLOW, OURS), (OURS, FLOOR))),
    "forward and backward": (training_sides, ((SLOW, PLAIN),)),
}


def rows(short: bool, ceilings: Ceilings) -> Iterator[Row]:
    """Milliseconds a layer, then a network's layers; agreement is asserted first."""
    networks, passes = (SHORT, SHORT_PASSES) if short else (NETWORKS, tuple(PASSES))
    rounds_of = partial(compare, rounds=7, warm_up=1) if short else compare
    layers = [layer for layer in LAYERS if any(getattr(layer, name) for name in networks)]
    for title in passes:
        sides, pairs = PASSES[title]
        timed = layers[:1] if short and title == "backward" else layers
        totals: dict[str, Rounds] = {}
        for layer in timed:
            with torch.inference_mode() if title == "forward" else torch.enable_grad():
                rounds = rounds_of(sides(layer))
            for pair in pairs:
                share = reached(layer.gflop, rounds, pair, title, ceilings)
                yield row("dcn", f"{layer} {title}", rounds, *pair, share)
            for network in networks if timed is layers else ():
                if count := getattr(layer, network):
                    part = rounds * count
                    totals[network] = totals[network] + part if network in totals else part
        for network, rounds in totals.items():
            gflop = sum(layer.gflop * getattr(layer, network) for layer in layers)
            for pair in pairs:
                share = reached(gflop, rounds, pair, title, ceilings)
                yield row("dcn", f"{network} {title}", rounds, *pair, share)


def reached(
    gflop: float, rounds: Rounds, pair: tuple[str, str], title: str, ceilings: Ceilings
) -> float | None:
    """The part of the matrix product's rate that our forward pass in float32 has."""
    if title != "forward" or OURS not in pair:
        return None
    return gflop / rounds.least(OURS) * 1e3 / ceilings.float32
