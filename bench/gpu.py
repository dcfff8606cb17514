"""The Triton kernels on an NVIDIA GPU, beside torchvision's operator and cuDNN's convolution.

`python bench/gpu.py [--check | --tune]`: results and gradients against float64, then the layers of
dla_34 forward and backward, then the whole network at 512 x 512 in bfloat16. `--check` stops after
the first, for compute-sanitizer; `--tune` also tries other tiles than those of the rule. Exit code
1 where a goal of goals.toml is missed, 2 without a GPU, 3 where the times are too unsteady.

Every side is captured in a CUDA graph, so that kernels are timed and not their launches from
Python. The caches stay warm, as within a network.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Callable, Iterator, Mapping
from itertools import chain, product

import torch
from dcn import LAYERS, Layer, agree
from report import Row, row
from timer import Rounds
from torch import Tensor

from centernet.models.create import create_model
from centernet.models.fuse import fused
from centernet.models.measure import flops, shapes_of
from centernet.models.networks.DCNv2 import DCN, describe_backend, triton_backend, use_backend
from centernet.models.networks.DCNv2.sampling import Sampling
from centernet.models.networks.DCNv2.triton_tiles import Tiles

SLOW, OURS, FLOOR = "torchvision", "triton", "convolution"
PAIRS = ((SLOW, OURS), (OURS, FLOOR))
HEADS = {"hm": 80, "wh": 2, "reg": 2}
SIZE = (512, 512)
SAMPLING = Sampling.of(1, 1, 1, 1, True)
# Largest relative difference from float64 by the type of the features; float32 not in TF32.
TOLERANCES = {torch.float32: 1e-5, torch.float16: 3e-3, torch.bfloat16: 2e-2}
CALLS = 20  # in a graph
LEAVES = ("x", "offset", "mask", "weight", "bias")
RESULTS = ("output", "output with ReLU", *(f"gradient of {name}" for name in LEAVES))
Sides = Mapping[str, Callable[[], object]]


def tensors(layer: Layer, batch: int, dtype: torch.dtype, device: str = "cuda") -> list[Tensor]:
    """Input, offset, mask logits (float32), weight and bias; all maps channels last."""
    torch.manual_seed(0)

    def normal(*shape: int) -> Tensor:
        values = torch.randn(shape, device=device)
        return values.to(memory_format=torch.channels_last) if len(shape) == 4 else values

    x = normal(batch, layer.channels, layer.side, layer.side)
    branch = normal(batch, 27, layer.side, layer.side)
    # In steps of 1/64, exact in float32 too: else a few samples would lie in other pixels there
    # than in float64, and their gradients jump from pixel to pixel.
    branch[:, :18] = (branch[:, :18] * 96).round() / 64
    weight = normal(layer.out_channels, layer.channels, 3, 3) / (layer.channels * 9) ** 0.5
    offset, mask = branch.split([18, 9], 1)
    return [x.to(dtype), offset, mask, weight.to(dtype), normal(layer.out_channels).to(dtype)]


def check(layers: list[Layer], batch: int, device: str = "cuda") -> None:
    """Output and gradients of our kernels against torchvision's operator in float64."""
    for layer, (dtype, tolerance) in product(layers, TOLERANCES.items()):
        given = tensors(layer, batch, dtype, device)
        grad = torch.randn(batch, layer.out_channels, layer.side, layer.side, device=device)
        grad = grad.to(dtype).contiguous(memory_format=torch.channels_last)
        found = results(OURS, grad, given)
        expected = results(SLOW, grad.double(), [value.double() for value in given])
        for name, actual, exact in zip(RESULTS, found, expected, strict=True):
            try:
                agree(actual.double(), exact, tolerance)
            except AssertionError as error:
                raise AssertionError(f"{layer}, batch {batch}, {dtype}: {name}: {error}") from None
        print(f"{layer}, batch {batch}, {dtype}: output and gradients within {tolerance:.0e}")


def results(backend: str, grad: Tensor, values: list[Tensor]) -> list[Tensor]:
    """Output, without and with ReLU, and the five gradients by a backend."""
    with use_backend(backend):
        forward = torch.ops.centernet.deform_conv2d
        outputs = [forward(*values, *SAMPLING.parameters, relu) for relu in (False, True)]
        backward = torch.ops.centernet.deform_conv2d_backward
        return [*outputs, *backward(grad, *values[:4], *SAMPLING.parameters)]


def replayed(work: Callable[[], object], calls: int = CALLS) -> Callable[[], float]:
    """Milliseconds of one call, measured over `calls` calls in a CUDA graph."""
    side = torch.cuda.Stream()
    with torch.cuda.stream(side):  # kernels are compiled and chosen before the capture
        for _ in range(3):
            work()
    torch.cuda.synchronize()
    graph = torch.cuda.CUDAGraph()
    with torch.cuda.graph(graph):
        for _ in range(calls):
            work()
    start, end = (torch.cuda.Event(enable_timing=True) for _ in range(2))

    def measure() -> float:
        start.record()
        graph.replay()
        end.record()
        end.synchronize()
        return start.elapsed_time(end) / calls

    return measure


def compare(sides: Sides, rounds: int = 9, calls: int = CALLS) -> Rounds:
    """Run the sides in turn, two rounds unmeasured; each round begins with another side."""
    measures = [(name, replayed(work, calls)) for name, work in sides.items()]
    times: dict[str, list[float]] = {name: [] for name in sides}
    for number in range(2 + rounds):
        turn = number % len(measures)
        for name, measure in measures[turn:] + measures[:turn]:
            elapsed = measure()
            if number >= 2:
                times[name].append(elapsed)
    return Rounds(times)


def by(backend: str, work: Callable[[], object]) -> Callable[[], object]:
    """The work with our operator computed by a given backend."""

    def run() -> object:
        with use_backend(backend):
            return work()

    return run


def forward_sides(layer: Layer, batch: int, dtype: torch.dtype) -> Sides:
    x, offset, mask, weight, bias = values = tensors(layer, batch, dtype)
    plain = [v.contiguous() for v in (x, weight, offset.to(dtype))]  # what torchvision works on
    logits = mask.to(dtype).contiguous()
    return {
        SLOW: lambda: torch.ops.torchvision.deform_conv2d(
            *plain, logits.sigmoid(), bias, 1, 1, 1, 1, 1, 1, 1, 1, True
        ),
        OURS: by(OURS, lambda: torch.ops.centernet.deform_conv2d(*values, *SAMPLING.parameters)),
        FLOOR: lambda: torch.conv2d(x, weight, bias, padding=1),
    }


def backward_sides(layer: Layer, batch: int, dtype: torch.dtype) -> Sides:
    """Gradients of all five tensors (the convolution's three)."""
    x, offset, mask, weight, bias = tensors(layer, batch, dtype)
    grad = torch.randn_like(torch.conv2d(x, weight, padding=1))
    plain = [v.contiguous() for v in (grad, x, weight, offset.to(dtype), mask.to(dtype).sigmoid())]
    return {
        SLOW: lambda: torch.ops.torchvision._deform_conv2d_backward(
            *plain, bias, 1, 1, 1, 1, 1, 1, 1, 1, True
        ),
        OURS: by(
            OURS,
            lambda: torch.ops.centernet.deform_conv2d_backward(
                grad, x, offset, mask, weight, *SAMPLING.parameters
            ),
        ),
        FLOOR: lambda: torch.ops.aten.convolution_backward(
            grad, x, weight, [bias.shape[0]], [1, 1], [1, 1], [1, 1], False, [0, 0], 1, [True] * 3
        ),
    }


def layers(batch: int, dtype: torch.dtype) -> Iterator[Row]:
    """Print tables of the layers and of dla_34's sum, forward and backward; the rows of the sum."""
    for title, make in (("forward", forward_sides), ("backward", backward_sides)):
        kind = f"{title} batch {batch} {str(dtype).removeprefix('torch.')}"
        print(f"\n### {kind}: least microseconds; ratios of minima (median of rounds)\n")
        print("| layer |", " | ".join([SLOW, OURS, FLOOR, *map(" / ".join, PAIRS)]), "|")
        print("|---" * 6 + "|")
        total = None
        for layer in LAYERS:
            rounds = compare(make(layer, batch, dtype))
            line(str(layer), rounds)
            part = rounds * layer.dla_34
            total = part if total is None else total + part
        line("dla_34", total)
        for pair in PAIRS:
            yield row("gpu", f"dla_34 {kind}", total, *pair)


def line(name: str, rounds: Rounds) -> None:
    cells = [f"{rounds.least(side) * 1e3:.1f}" for side in rounds.times]
    cells += [str(rounds.ratio(*pair)) for pair in PAIRS]
    print(f"| {name} |", " | ".join(cells), "|", flush=True)


def network(device: str = "cuda") -> torch.nn.Module:
    """dla_34 as it is tested (`fused`), channels last, bfloat16; offsets as after training."""
    torch.manual_seed(0)
    model = create_model("dla_34", HEADS)
    for layer in model.modules():
        if isinstance(layer, DCN):
            torch.nn.init.normal_(layer.conv_offset_mask.bias, std=1.5)
    return fused(model).to(device, torch.bfloat16)


def whole(batch: int) -> Iterator[Row]:
    """dla_34 at 512 x 512: milliseconds, beside the time of its products at the ceiling."""
    model = network()
    x = torch.randn(batch, 3, *SIZE, device="cuda", dtype=torch.bfloat16)
    x = x.to(memory_format=torch.channels_last)
    a = torch.randn(8192, 8192, device="cuda", dtype=torch.bfloat16)
    count = flops(shapes_of("dla_34", HEADS), SIZE) * batch
    with torch.inference_mode():
        sides = {name: by(name, lambda: model(x, last_only=True)) for name in (SLOW, OURS)}
        rounds = compare({**sides, "ceiling": lambda: a @ a}, calls=3)
    share = count / (2 * 8192**3)  # of the ceiling's product
    rounds = Rounds({**rounds.times, "ceiling": [t * share for t in rounds.times["ceiling"]]})
    ratio = rounds.ratio(OURS, "ceiling")
    print(
        f"dla_34, batch {batch}, bfloat16, CUDA graph: {rounds.least(OURS):.2f} ms, with "
        f"torchvision's operator {rounds.least(SLOW):.2f} ms; its {count / 1e9:.0f} GFLOP take "
        f"{rounds.least('ceiling'):.2f} ms at the ceiling, ratio {ratio}"
    )
    yield row("gpu", f"dla_34 network batch {batch} bfloat16", rounds, OURS, "ceiling")


def tune(batch: int) -> None:
    """For each layer in bfloat16, the three fastest tilings and that of the rule."""
    for layer in LAYERS:
        values = tensors(layer, batch, torch.bfloat16)
        taken = triton_backend.plan_forward(*values, SAMPLING)
        times = {"rule": replayed(lambda plan=taken: [launch() for launch in plan[1]])()}
        splittings = (1, 3, 9) if batch == 1 else (1,)
        for width, outs, splits, warps, stages in product(
            (8, 16), (64, 128, 256), splittings, (4, 8), (1, 2)
        ):
            if outs > layer.out_channels:
                continue
            tiles = Tiles(8, width, outs, 64, splits, warps, stages)
            plan = triton_backend.plan_forward(*values, SAMPLING, tiles=tiles)
            try:
                times[str(tiles)] = replayed(lambda plan=plan: [launch() for launch in plan[1]])()
            except Exception as error:  # Triton: too much shared memory, say
                print(f"{layer}: {tiles}: {type(error).__name__}")
        best = sorted(times.items(), key=lambda item: item[1])[:3]
        for name, milliseconds in [("rule", times["rule"]), *best]:
            print(f"{layer}, batch {batch}: {milliseconds * 1e3:.1f} us, {name}", flush=True)


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--check", action="store_true", help="results alone, for compute-sanitizer")
    parser.add_argument("--tune", action="store_true", help="try other tiles as well")
    options = parser.parse_args()
    if (reason := triton_backend.why_not("cuda")) is not None:
        print(f"bench/gpu.py: {reason}: nothing was measured", file=sys.stderr)
        return 2
    torch.backends.cudnn.allow_tf32 = False  # float32 means float32, on every side
    print(torch.cuda.get_device_name(), f"torch {torch.__version__}", describe_backend("cuda"))
    check(LAYERS, 2)
    if options.check:
        return 0
    print(
        "memory errors and races: compute-sanitizer [--tool racecheck] python bench/gpu.py --check"
    )
    kinds = product((1, 32), (torch.float16, torch.float32))
    measured = chain(*(layers(batch, dtype) for batch, dtype in kinds), *map(whole, (1, 32)))
    judged = [each for each in measured if each.goal]
    if options.tune:
        for batch in (1, 32):
            tune(batch)
    print("\n### goals\n", *judged, sep="\n")
    verdicts = [each.verdict for each in judged]
    return 3 if "unsteady" in verdicts else int("missed" in verdicts)


if __name__ == "__main__":
    sys.exit(main())
