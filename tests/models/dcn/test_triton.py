"""The Triton backend where there is no GPU: interpreted, compiled for one, and its tiling."""

from __future__ import annotations

import os
import re
import subprocess
import sys
import warnings
from pathlib import Path
from typing import Any

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from packaging.version import Version

from centernet.models.networks.DCNv2 import triton_backend
from centernet.models.networks.DCNv2.sampling import Sampling
from centernet.models.networks.DCNv2.triton_tiles import (
    Problem,
    data_tiles,
    forward_tiles,
    up,
    weight_tiles,
)

H200 = 132  # multiprocessors
SHARED = 227 * 1024  # bytes that a program may have there
LAYERS = [(512, 256, 16), (256, 256, 32), (256, 128, 32), (128, 128, 64), (64, 64, 128)]
TYPES = {torch.bfloat16: "bf16", torch.float16: "fp16", torch.float32: "fp32"}


@pytest.fixture
def triton() -> Any:
    return pytest.importorskip("triton", reason="triton has no package for this system")


@pytest.mark.parametrize(
    "which", ["not slow", pytest.param("slow", marks=pytest.mark.slow)], ids=["quick", "slow"]
)
def test_in_the_interpreter(triton, which):
    """The tests of triton_interpreted.py, in a process that has the interpreter from the start."""
    done = subprocess.run(
        [sys.executable, "-m", "pytest", "-v", "-m", which, "-p", "no:cacheprovider",
         str(Path(__file__).with_name("triton_interpreted.py"))],
        env={**os.environ, "TRITON_INTERPRET": "1", "OMP_NUM_THREADS": "1"},
        cwd=Path(__file__).parents[3],
        capture_output=True,
        text=True,
        check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stdout + done.stderr
    assert int(re.search(r"(\d+) passed", done.stdout).group(1)) > 1
    assert "skipped" not in done.stdout


def tensors(
    channels: int, outs: int, side: int, batch: int, dtype: torch.dtype
) -> tuple[torch.Tensor, ...]:
    """Input, offset, mask, weight and bias of a layer: sizes and strides, no memory."""

    def like(*shape: int, dtype: torch.dtype = dtype) -> torch.Tensor:
        empty = torch.empty(shape, dtype=dtype, device="meta")
        return empty.contiguous(memory_format=torch.channels_last)

    branch = like(batch, 27, side, side, dtype=torch.float32)
    offset, mask = branch.split([18, 9], 1)
    bias = torch.empty(outs, dtype=dtype, device="meta")
    return like(batch, channels, side, side), offset, mask, like(outs, channels, 3, 3), bias


def compiled_for_h200(triton: Any, launch: triton_backend.Launch) -> Any:
    """The kernel as Triton would compile it at the launch; needs ptxas, which it brings."""
    signature, constants, attributes = {}, {}, {}
    for number, parameter in enumerate(launch.kernel.params):
        value = launch.arguments[parameter.name]
        if parameter.is_constexpr or value is None:
            signature[parameter.name], constants[parameter.name] = "constexpr", value
        elif isinstance(value, torch.Tensor):
            signature[parameter.name] = "*" + TYPES[value.dtype]
            attributes[(number,)] = [["tt.divisibility", 16]]
        else:
            signature[parameter.name] = "i32"
    source = triton.compiler.ASTSource(launch.kernel, signature, constants, attributes)
    target = triton.backends.compiler.GPUTarget("cuda", 90, 32)
    options = {"num_warps": launch.warps, "num_stages": launch.stages}
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of what the next version of Triton will change
        return triton.compile(source, target=target, options=options)


@pytest.mark.skipif(os.environ.get("TRITON_INTERPRET") == "1", reason="nothing is compiled then")
@pytest.mark.parametrize(
    "dtype",
    [
        torch.bfloat16,
        pytest.param(torch.float16, marks=pytest.mark.slow),
        pytest.param(torch.float32, marks=pytest.mark.slow),
    ],
    ids=TYPES.values(),
)
def test_kernels_compile_for_h200(triton, monkeypatch, dtype):
    """A wide and a deep layer: matrix instructions of Hopper, loads of 16 bytes, no spilling."""
    monkeypatch.setattr(triton_backend, "processors", lambda device: H200)
    sampling = Sampling.of(1, 1, 1, 1, True)
    for channels, outs, side in ((64, 64, 128), (512, 256, 16)):
        x, offset, mask, weight, bias = tensors(channels, outs, side, 1, dtype)
        launches = triton_backend.plan_forward(x, offset, mask, weight, bias, sampling, True)[1]
        last = launches[-1]  # of the forward pass: it has the whole sums, and so the ReLU
        grad = torch.empty(1, outs, side, side, dtype=dtype, device="meta")
        launches += triton_backend.plan_backward(grad, x, offset, mask, weight, sampling)[1]
        names = [launch.kernel.fn.__name__ for launch in launches]
        split = ["finish"] if side == 16 else []
        assert names == ["convolve", *split, "differentiate", "correlate"]
        for name, launch in zip(names, launches, strict=True):
            kernel = compiled_for_h200(triton, launch)
            code = kernel.asm["ptx"]
            assert kernel.metadata.shared <= SHARED
            assert re.search(r"ld\.global\S*\.v4", code), name
            assert ".local" not in code, name
            assert bool(re.search(r"setp\.lt\.f32.*, 0f00000000;", code)) == (launch is last), name
            if name != "finish":
                assert "wgmma.mma_async" in code, name
            # Triton 3.6 (PyTorch 2.11) still adds one number at a time.
            if name == "differentiate" and Version(triton.__version__) >= Version("3.9"):
                assert re.search(r"red\.global\S*\.add\.v4\.f32", code)


@pytest.mark.parametrize("layer", LAYERS)
@pytest.mark.parametrize("batch", [1, 32])
def test_every_processor_has_work(layer, batch):
    """Forward, on the layers of the networks: nine tenths of 132 processors or more."""
    channels, outs, side = layer
    problem = Problem(batch, (side, side), channels, outs, 1, 9, 2)
    tiles = forward_tiles(problem, H200)
    assert tiles.count(problem) * up(outs, tiles.outs) * tiles.splits >= 0.9 * H200
    if batch == 32:
        assert (tiles.splits, tiles.outs) == (1, outs)  # so each pixel is sampled once


@given(
    problem=st.builds(
        Problem,
        batch=st.integers(1, 64),
        out_size=st.tuples(st.integers(1, 200), st.integers(1, 200)),
        channels=st.sampled_from([6, 12, 48, 768]),
        outs=st.integers(1, 600),
        groups=st.sampled_from([1, 2, 3, 6]),
        taps=st.integers(1, 25),
        item_size=st.sampled_from([2, 4, 8]),
    ),
    processors=st.integers(1, 200),
)
def test_tiles_cover_the_work_once(problem, processors):
    """Whole powers of two, no split that is left empty, none that leaves a place out."""
    forward = forward_tiles(problem, processors)
    each = up(problem.places, forward.splits)
    assert (forward.splits - 1) * each < problem.places <= forward.splits * each
    weight = weight_tiles(problem, processors)
    count = weight.count(problem)
    each = up(count, weight.splits)
    assert (weight.splits - 1) * each < count <= weight.splits * each
    for tiles in (forward, weight, data_tiles(problem)):
        for number in (tiles.height * tiles.width, tiles.outs, tiles.channels):
            assert number >= 16
            assert number & (number - 1) == 0


def test_reasons_not_to_run(monkeypatch):
    reason = triton_backend.why_not.__wrapped__  # without its memory
    monkeypatch.delenv("TRITON_INTERPRET", raising=False)
    assert "mps" in reason("mps") or "not installed" in reason("mps")
    monkeypatch.setattr(triton_backend.importlib.util, "find_spec", lambda name: None)
    assert reason("cuda") == "triton is not installed; pip install triton"
    monkeypatch.setattr(triton_backend.importlib.util, "find_spec", lambda name: name)
    monkeypatch.setattr(torch.version, "hip", None)
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    assert reason("cuda") == "no NVIDIA GPU is to be seen"
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    monkeypatch.setattr(torch.cuda, "get_device_capability", lambda: (7, 5))
    assert reason("cuda") == "the GPU has compute capability 7.5, 8.0 is needed"
    monkeypatch.setattr(torch.cuda, "get_device_capability", lambda: (9, 0))
    assert reason("cuda") is None


def test_the_measurement_says_that_there_is_no_gpu():
    done = subprocess.run(
        [sys.executable, "bench/gpu.py"],
        env={**os.environ, "CUDA_VISIBLE_DEVICES": ""},
        cwd=Path(__file__).parents[3],
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 2
    assert re.fullmatch(r"bench/gpu\.py: .+: nothing was measured\n", done.stderr)
    assert done.stdout == ""
