"""All backends compute the same function: the definition's, each other's, its derivative too."""

from __future__ import annotations

import dataclasses
import math

import pytest
import torch
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from centernet.models.networks.DCNv2 import compiled, deform_conv2d, use_backend
from tests.models.dcn.cases import Case, by_definition, relative_error, run

CASES = [
    Case(),
    Case(batch=1, channels=1, out_channels=1, size=(1, 1)),
    Case(channels=5, out_channels=7, kernel=(1, 1), padding=(0, 0)),
    Case(channels=6, groups=3, kernel=(3, 2), stride=(2, 1), padding=(2, 0), dilation=(1, 2)),
    Case(channels=4, groups=4, kernel=(5, 5), size=(6, 5), padding=(2, 2), bias=False),
    Case(sigmoid=False, stride=(3, 2), size=(11, 8)),
    Case(spread=20.0),
    Case(spread=1e9),
    Case(spread=0.0),
]
NAMES = {0: "input", 1: "offset", 2: "mask", 3: "weight", 4: "bias"}


def test_definition(backend):
    """Forward in float64 against loops written from the definition."""
    for case in CASES:
        tensors = case.tensors(torch.float64)
        out, _ = run(backend, tensors, case.parameters)
        assert relative_error(out, by_definition(case, tensors)) < 1e-12, case


@pytest.mark.parametrize("relu", [False, True])
@pytest.mark.parametrize("groups", [1, 2])
@pytest.mark.parametrize("sigmoid", [True, False])
def test_gradients_against_finite_differences(backend, groups, sigmoid, relu):
    case = Case(
        batch=2, channels=2, out_channels=2, size=(3, 2), groups=groups, sigmoid=sigmoid, seed=3
    )
    tensors = [t.requires_grad_() for t in case.tensors(torch.float64)]
    with use_backend(backend):
        out = deform_conv2d(*tensors, *case.parameters)
        assert out.min() < 0 < out.max()
        assert out.abs().min() > 1e-3  # no step comes near the corner of the ReLU
        assert torch.autograd.gradcheck(
            lambda *t: deform_conv2d(*t, *case.parameters, relu), tensors
        )


@pytest.mark.parametrize(
    "dtype", [torch.float32, torch.float64, torch.bfloat16, torch.float16], ids=str
)
def test_relu_is_torchs(backend, dtype):
    """Output and gradients, to the bit those of the operator and torch.relu behind it."""
    for case in (*CASES, Case(channels=64, out_channels=48, size=(13, 24))):
        tensors = case.tensors(dtype)
        expected, gradients = run(backend, tensors, case.parameters, torch.relu)
        out, actual = run(backend, tensors, (*case.parameters, True))
        assert torch.equal(out, expected), case
        for number, (a, b) in enumerate(zip(actual, gradients, strict=True)):
            assert torch.equal(a, b), (NAMES[number], case)


def test_gradients_with_split_columns(backend):
    """So many channels and taps that the compiled kernel unrolls them in several blocks."""
    case = Case(batch=1, channels=600, out_channels=2, size=(3, 3), kernel=(2, 2), groups=4)
    tensors = case.tensors(torch.float64)
    expected, gradients = run(other(backend), tensors, case.parameters)
    out, actual = run(backend, tensors, case.parameters)
    assert relative_error(out, expected) < 1e-12
    for number, (a, b) in enumerate(zip(actual, gradients, strict=True)):
        assert relative_error(a, b) < 1e-12, NAMES[number]


def other(backend: str) -> str:
    """The independent implementation to compare with."""
    return "plain" if backend == "torchvision" else "torchvision"


def assert_agree(case: Case, backend: str) -> None:
    tensors = case.tensors()
    expected, gradients = run(other(backend), tensors, case.parameters)
    out, actual = run(backend, tensors, case.parameters)
    assert relative_error(out, expected) < 1e-5, case
    for number, (a, b) in enumerate(zip(actual, gradients, strict=True)):
        assert relative_error(a, b) < 1e-5, (NAMES[number], case)


def pairs(low: int, high: int) -> st.SearchStrategy[tuple[int, int]]:
    return st.tuples(st.integers(low, high), st.integers(low, high))


@st.composite
def cases(draw: st.DrawFn) -> Case:
    groups = draw(st.integers(1, 3))
    case = Case(
        batch=draw(st.integers(1, 3)),
        channels=groups * draw(st.sampled_from([1, 2, 5, 16, 17])),
        out_channels=draw(st.sampled_from([1, 3, 16, 31])),
        size=draw(pairs(1, 15)),
        kernel=draw(pairs(1, 4)),
        stride=draw(pairs(1, 3)),
        padding=draw(pairs(0, 3)),
        dilation=draw(pairs(1, 3)),
        groups=groups,
        sigmoid=draw(st.booleans()),
        bias=draw(st.booleans()),
        spread=draw(st.sampled_from([0.0, 1e-6, 0.5, 2.0, 30.0, 1e6])),
        seed=draw(st.integers(0, 1000)),
    )
    reach = [
        p * 2 + n - d * (k - 1)
        for n, p, d, k in zip(case.size, case.padding, case.dilation, case.kernel, strict=True)
    ]
    if min(reach) < 1:  # the kernel must fit
        case = dataclasses.replace(case, kernel=(1, 1))
    return case


@settings(
    max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(case=cases())
def test_backends_agree(backend, case):
    """float32, forward and backward, within 1e-5, over every parameter the operator has."""
    assert_agree(case, backend)


@pytest.mark.parametrize("size", [(16, 16), (9, 127), (13, 24)])
def test_backends_agree_on_the_published_shape(backend, size):
    """Layers of the networks: 64 channels, 3 x 3, tiles that are whole, cut and shared by rows."""
    assert_agree(Case(batch=2, channels=64, out_channels=64, size=size), backend)


@pytest.mark.parametrize("threads", [1, 2, 3])
def test_any_number_of_threads(backend, threads):
    """Fewer, as many and more threads than images; slices of channels that cut through groups."""
    before = torch.get_num_threads()
    try:
        torch.set_num_threads(threads)
        assert_agree(Case(batch=2, channels=48, groups=2, size=(12, 11)), backend)
        assert_agree(Case(batch=1, channels=72, groups=3, size=(12, 11)), backend)
    finally:
        torch.set_num_threads(before)


def test_bfloat16(backend):
    """Within its precision (8 bits) of float32, offsets in either type, odd channels as well."""
    for case in (Case(channels=32), Case(channels=7), Case(channels=64, out_channels=48)):
        tensors = [t.bfloat16() for t in case.tensors()]
        expected, gradients = run(other(backend), [t.float() for t in tensors], case.parameters)
        mixed = [t.float() if 0 < i < 3 else t for i, t in enumerate(tensors)]
        for given_tensors in (tensors, mixed):
            out, actual = run(backend, given_tensors, case.parameters)
            assert out.dtype == torch.bfloat16
            assert relative_error(out, expected) < 6e-3
            for number, (a, b) in enumerate(zip(actual, gradients, strict=True)):
                assert a.dtype == given_tensors[number].dtype
                assert relative_error(a, b) < 1e-2, NAMES[number]


def test_memory_order_does_not_matter(backend):
    """Slices, transposes and channels-last tensors of the same values give the same results."""
    case = Case(channels=8, out_channels=8)
    tensors = case.tensors()
    expected, gradients = run(backend, tensors, case.parameters)

    def strided(t: torch.Tensor) -> torch.Tensor:
        return torch.stack([t, t], -1)[..., 1]

    def turned(t: torch.Tensor) -> torch.Tensor:
        return t.permute(2, 1, 3, 0).contiguous().permute(3, 1, 0, 2)

    def last(t: torch.Tensor) -> torch.Tensor:
        return t.contiguous(memory_format=torch.channels_last)

    with use_backend(backend):
        for change in (strided, turned, last):
            changed = [change(t) if t.ndim == 4 else t for t in tensors]
            leaves = [t.detach().requires_grad_() for t in changed]
            out = deform_conv2d(*leaves, *case.parameters)
            assert relative_error(out, expected) < 1e-6
            grad = torch.randn(out.shape, generator=torch.Generator().manual_seed(1))
            for a, b in zip(torch.autograd.grad(out, leaves, change(grad)), gradients, strict=True):
                assert relative_error(a, b) < 1e-6


def test_slices_of_one_branch(backend):
    """Offset and mask as the layer passes them: two slices of one channels-last tensor."""
    case = Case(channels=16)
    x, offset, mask, weight, bias = case.tensors()
    both = torch.cat([offset, mask], 1).contiguous(memory_format=torch.channels_last)
    slices = both.split([offset.shape[1], mask.shape[1]], 1)
    with use_backend(backend):
        expected = deform_conv2d(x, offset, mask, weight, bias, *case.parameters)
        out = deform_conv2d(x, *slices, weight, bias, *case.parameters)
    assert relative_error(out, expected) < 1e-6


@pytest.mark.parametrize("relu", [False, True])
def test_a_lost_offset_is_seen_and_harms_nothing(backend, relu):
    """NaN comes out where it went in (no wild read); infinite offsets sample nothing."""
    case = Case(batch=1, channels=4, size=(6, 6), bias=False)
    parameters = (*case.parameters, relu)
    tensors = case.tensors()
    whole, _ = run(backend, tensors, parameters)
    tensors[1][0, 3, 2, 2] = math.nan
    out, gradients = run(backend, tensors, parameters)
    expected = torch.zeros(6, 6, dtype=torch.bool)
    expected[2, 2] = True
    assert torch.equal(out[0].isnan().all(0), expected)
    assert torch.allclose(out[0][:, ~expected], whole[0][:, ~expected], atol=1e-6)
    assert gradients[1][0, :, 2, 2].isnan().any()

    tensors = case.tensors()
    tensors[1][:] = math.inf
    tensors[1][:, ::2] = -math.inf
    out, gradients = run(backend, tensors, parameters)
    assert not out.any()
    assert all(not g.any() for g in gradients)


def test_saturated_masks(backend):
    """Logits beyond where exp overflows mean exactly open and, within rounding, shut."""
    case = Case(channels=4)
    x, offset, mask, weight, bias = case.tensors()
    with use_backend(backend):
        open_ = deform_conv2d(x, offset, mask * 0 + 200, weight, bias, *case.parameters)
        shut = deform_conv2d(x, offset, mask * 0 - 200, weight, bias, *case.parameters)
        plain = deform_conv2d(x, offset, mask * 0 + 1, weight, bias, *case.parameters[:-1])
    assert relative_error(open_, plain) < 1e-6
    assert torch.equal(shut, bias[:, None, None].expand_as(shut))


def test_results_repeat(backend):
    """Bit for bit: exact resumption of training depends on it."""
    case = Case(batch=3, channels=32, size=(17, 19))
    tensors = case.tensors()
    out, gradients = run(backend, tensors, case.parameters)
    again, repeated = run(backend, tensors, case.parameters)
    assert torch.equal(out, again)
    assert all(torch.equal(a, b) for a, b in zip(gradients, repeated, strict=True))


def test_default_is_the_compiled_kernel_where_it_can_be_had():
    tensors, parameters = Case().tensors(), Case().parameters
    chosen, _ = run(None, tensors, parameters)
    expected, _ = run("plain" if compiled.why_not() else "compiled", tensors, parameters)
    assert torch.equal(chosen, expected)
