"""Deformable convolution beside torchvision's and beside the plain convolution of the same shape.

`python bench/dcn.py [--short] [--threads N]`. Layers are those of the networks at 512 x 512 pixels,
offsets random with a deviation of 1.5 pixels, as after training. Agreement is asserted first. Exit
code 1 where a goal of goals.toml is missed, 3 where the times are too unsteady to tell.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import tomllib
import torch
from timer import Ratio, Rounds, ceilings, compare, machine
from torch import Tensor
from torchvision.ops import deform_conv2d as torchvision_deform_conv2d

from centernet.models.networks.DCNv2 import deform_conv2d, describe_backend, use_backend


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
SHORT = (2, 4, 5)  # a deep, a middle and the widest layer
NETWORKS = ("dla_34", "resdcn_18")
SLOW, OURS, FLOOR, PLAIN = "torchvision", "compiled", "convolution", "plain"
LOW, LOW_FLOOR = "compiled bfloat16", "convolution bfloat16"
Sides = dict[str, Callable[[], object]]


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


class Report:
    """Prints Markdown tables and judges the goals."""

    def __init__(self, goals: dict[str, dict[str, float]], ceiling: float) -> None:
        self.goals, self.ceiling = goals, ceiling
        self.missed: list[str] = []
        self.unsteady: list[str] = []

    def table(
        self, title: str, layers: list[Layer], sides: Callable[[Layer], Sides], pairs: list[tuple]
    ) -> None:
        """Time all layers, then the networks' sums; `pairs` are (slow, fast) sides to divide."""
        totals: dict[str, Rounds] = {}
        for number, layer in enumerate(layers):
            with torch.inference_mode() if title == "forward" else torch.enable_grad():
                rounds = compare(sides(layer))
            if number == 0:
                names = list(rounds.times)
                print(f"\n### {title}: least milliseconds; ratios of minima (median of rounds)\n")
                header = [*names, "of ceiling", *(f"{slow} / {fast}" for slow, fast in pairs)]
                print("| layer |", " | ".join(header), "|")
                print("|---" * (len(header) + 1) + "|")
            self.row(str(layer), rounds, pairs, layer.gflop if title == "forward" else None)
            for network in NETWORKS:
                if count := getattr(layer, network):
                    part = rounds * count
                    totals[network] = totals[network] + part if network in totals else part
        for network, rounds in totals.items():
            gflop = sum(layer.gflop * getattr(layer, network) for layer in layers)
            ratios = self.row(network, rounds, pairs, gflop if title == "forward" else None)
            for pair, ratio in ratios.items():
                self.judge(network, title, pair, ratio)

    def row(
        self, name: str, rounds: Rounds, pairs: list[tuple], gflop: float | None
    ) -> dict[tuple, Ratio]:
        ratios = {pair: rounds.ratio(*pair) for pair in pairs}
        share = f"{gflop / rounds.least(OURS) * 1e3 / self.ceiling:.0%}" if gflop else ""
        cells = [*(f"{rounds.least(side):.2f}" for side in rounds.times), share]
        print(f"| {name} |", " | ".join([*cells, *map(str, ratios.values())]), "|", flush=True)
        return ratios

    def judge(self, network: str, title: str, pair: tuple, ratio: Ratio) -> None:
        goal = self.goals.get(name := f"{network} {title}, {pair[0]} / {pair[1]}")
        if goal is None:
            return
        if not ratio.steady:
            self.unsteady.append(f"{name}: {ratio}")
        values = (ratio.of_minima, ratio.median)
        if min(values) < goal.get("at_least", 0) or max(values) > goal.get("at_most", 1e9):
            self.missed.append(f"{name}: {ratio}, wanted {goal}")


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--short", action="store_true", help="three layers instead of seven")
    parser.add_argument("--threads", type=int, default=1, help="more than 1: wall time")
    options = parser.parse_args()
    torch.set_num_threads(options.threads)
    layers = [LAYERS[i] for i in SHORT] if options.short else LAYERS
    goals = tomllib.loads((Path(__file__).parent / "goals.toml").read_text())["dcn"]
    limits = ceilings()
    print(machine(), describe_backend(), limits, sep="\n")
    if options.short:
        print("three of seven layers: the sums below are theirs alone")
    report = Report(goals, limits.float32)
    low = (LOW, LOW_FLOOR)
    report.table("forward", layers, forward_sides, [(SLOW, OURS), (OURS, FLOOR), low])
    report.table("backward", layers, backward_sides, [(SLOW, OURS), (OURS, FLOOR)])
    report.table("forward and backward", layers, training_sides, [(SLOW, PLAIN)])
    print()
    for heading, lines in (("unsteady", report.unsteady), ("missed", report.missed)):
        for line in lines:
            print(f"{heading}: {line}")
    return 3 if report.unsteady else int(bool(report.missed))


if __name__ == "__main__":
    sys.exit(main())
