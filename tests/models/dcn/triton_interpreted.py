"""The Triton kernels in Triton's interpreter; `test_triton` runs this file in a process of its own.

The interpreter must be chosen before anything imports triton, and torch may have done that already
where other tests run.
"""

from __future__ import annotations

import dataclasses
import math

import pytest
import torch
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from triton.runtime import interpreter

from centernet.models.networks.DCNv2 import deform_conv2d, triton_backend, use_backend
from centernet.models.networks.DCNv2.sampling import Sampling
from tests.models.dcn.cases import Case, relative_error, run

NAMES = ("input", "offset", "mask", "weight", "bias")
SMALL = Case(batch=1, channels=3, out_channels=2, size=(4, 5), kernel=(2, 2))


@pytest.fixture(autouse=True)
def _products_of_bfloat16(monkeypatch):
    """The interpreter keeps bfloat16 as its bits in uint16, and its products multiply the bits."""
    multiply = interpreter.InterpreterBuilder.create_dot

    def widened(self, a, b, *others):
        if a.dtype == interpreter.tl.bfloat16:
            a, b = (self.cast_impl(factor, interpreter.tl.float32) for factor in (a, b))
        return multiply(self, a, b, *others)

    monkeypatch.setattr(interpreter.InterpreterBuilder, "create_dot", widened)


def assert_agrees(case: Case, dtype: torch.dtype = torch.float32, tolerance: float = 1e-5) -> None:
    """With the plain backend, output and gradients."""
    tensors = case.tensors(dtype)
    expected, gradients = run("plain", tensors, case.parameters)
    out, actual = run("triton", tensors, case.parameters)
    assert out.dtype == dtype
    assert relative_error(out, expected) < tolerance, case
    for name, a, b in zip(NAMES, actual, gradients, strict=False):
        assert a.dtype == dtype
        assert relative_error(a, b) < tolerance, (name, case)


@pytest.mark.parametrize(
    "case",
    [
        Case(batch=2, channels=4, size=(5, 9), kernel=(2, 1)),
        Case(batch=1, channels=1, out_channels=1, size=(1, 1), kernel=(1, 3)),
        Case(batch=1, channels=6, groups=2, kernel=(2, 1), stride=(2, 1), padding=(2, 0)),
        Case(batch=1, kernel=(1, 2), dilation=(1, 3), sigmoid=False, bias=False),
        Case(batch=1, channels=40, out_channels=70, size=(2, 3), kernel=(1, 1), padding=(0, 0)),
        dataclasses.replace(SMALL, spread=1e9),
    ],
    ids=["batch", "least", "groups", "dilation", "blocks", "far"],
)
def test_agrees_with_the_plain_form(case):
    assert_agrees(case)


@pytest.mark.parametrize(
    "processors",
    [pytest.param(1, marks=pytest.mark.slow), pytest.param(7, marks=pytest.mark.slow), 132],
)
def test_agrees_however_the_work_is_split(monkeypatch, processors):
    """One program for all places, some places each, one place each; likewise the rectangles."""
    monkeypatch.setattr(triton_backend, "processors", lambda device: processors)
    assert_agrees(Case(batch=1, channels=4, out_channels=3, size=(6, 17), kernel=(3, 1)))


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64, torch.bfloat16], ids=str)
@pytest.mark.parametrize(("processors", "kernels"), [(1, 1), (132, 2)])
def test_relu_is_of_the_whole_sum(monkeypatch, processors, kernels, dtype):
    """Whether one program has it, or `finish` adds it up of the places; NaN stays."""
    monkeypatch.setattr(triton_backend, "processors", lambda device: processors)
    case = dataclasses.replace(SMALL, seed=5)  # with sums of either sign
    tensors, parameters = case.tensors(dtype), (*case.parameters, True)
    planned = triton_backend.plan_forward(*tensors, Sampling.of(*case.parameters))[1]
    assert len(planned) == kernels
    expected, gradients = run("triton", tensors, case.parameters, torch.relu)
    assert expected.min() == 0 < expected.max()
    out, actual = run("triton", tensors, parameters)
    assert torch.equal(out, expected)
    for name, a, b in zip(NAMES, actual, gradients, strict=True):
        assert relative_error(a, b) < 1e-6, name  # of the input: added up in no fixed order
    tensors[1][0, 3, 2, 2] = math.nan
    out, _ = run("triton", tensors, parameters)
    assert out[0, :, 2, 2].isnan().all()
    assert out.isnan().sum() == case.out_channels


@pytest.mark.slow
@settings(
    max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(
    groups=st.integers(1, 2),
    share=st.sampled_from([1, 5, 33]),
    outs=st.sampled_from([1, 17]),
    size=st.tuples(st.integers(3, 11), st.integers(3, 18)),
    kernel=st.tuples(st.integers(1, 3), st.integers(1, 2)),
    stride=st.tuples(st.integers(1, 2), st.integers(1, 3)),
    padding=st.tuples(st.integers(0, 2), st.integers(0, 2)),
    sigmoid=st.booleans(),
    bias=st.booleans(),
    spread=st.sampled_from([0.0, 0.5, 3.0, 1e6]),
    processors=st.sampled_from([1, 8, 132]),
)
def test_agrees_over_shapes(
    groups, share, outs, size, kernel, stride, padding, sigmoid, bias, spread, processors
):
    case = Case(
        1, groups * share, outs, size, kernel, stride, padding, (1, 1), groups, sigmoid, bias,
        spread,
    )  # fmt: skip
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(triton_backend, "processors", lambda device: processors)
        assert_agrees(case)


@pytest.mark.slow
def test_agrees_on_a_layer_of_the_networks():
    assert_agrees(Case(batch=1, channels=64, out_channels=64, size=(9, 17)))


@pytest.mark.parametrize(
    ("dtype", "tolerance"),
    [(torch.float64, 1e-12), (torch.bfloat16, 1e-2), (torch.float16, 2e-3)],
    ids=["float64", "bfloat16", "float16"],
)
def test_other_types(dtype, tolerance):
    """float64 to its last digits, which rounding errors of float32 could not hide in."""
    assert_agrees(Case(batch=1, channels=4, size=(4, 5), kernel=(2, 2)), dtype, tolerance)


@pytest.mark.slow
def test_gradients_against_finite_differences():
    case = dataclasses.replace(SMALL, channels=2, size=(2, 2), groups=2, seed=3)
    tensors = [t.requires_grad_() for t in case.tensors(torch.float64)]
    with use_backend("triton"):
        assert torch.autograd.gradcheck(
            lambda *t: deform_conv2d(*t, *case.parameters), tensors, fast_mode=True
        )


def test_offsets_may_be_finer_than_features_and_slices_of_one_branch():
    """As under autocast: bfloat16 features, float32 offsets and logits, in channels-last slices."""
    case = Case(batch=1, channels=4, size=(4, 5), kernel=(2, 2))
    x, offset, mask, weight, bias = case.tensors()
    both = torch.cat([offset, mask], 1).contiguous(memory_format=torch.channels_last)
    slices = both.split([offset.shape[1], mask.shape[1]], 1)
    low = [t.bfloat16() for t in (x, weight, bias)]
    exact = [t.float() for t in low]
    with use_backend("plain"):
        expected = deform_conv2d(exact[0], offset, mask, *exact[1:], *case.parameters)
    with use_backend("triton"):
        out = deform_conv2d(low[0], *slices, *low[1:], *case.parameters)
    assert out.dtype == torch.bfloat16
    assert relative_error(out, expected) < 6e-3


def test_a_lost_offset_is_seen_and_harms_nothing():
    """NaN comes out where it went in (no wild read); infinite offsets sample nothing."""
    case = dataclasses.replace(SMALL, bias=False)
    whole, _ = run("triton", case.tensors(), case.parameters)
    tensors = case.tensors()
    tensors[1][0, 3, 2, 2] = math.nan
    out, gradients = run("triton", tensors, case.parameters)
    lost = torch.zeros(case.out_size, dtype=torch.bool)
    lost[2, 2] = True
    assert torch.equal(out[0].isnan().all(0), lost)
    assert torch.equal(out[0][:, ~lost], whole[0][:, ~lost])
    assert gradients[1][0, :, 2, 2].isnan().any()

    tensors = case.tensors()
    tensors[1][:] = math.inf
    tensors[1][:, ::2] = -math.inf
    out, gradients = run("triton", tensors, case.parameters)
    assert not out.any()
    assert all(not g.any() for g in gradients)


def test_saturated_masks():
    x, offset, mask, weight, bias = SMALL.tensors()
    with use_backend("triton"):
        open_ = deform_conv2d(x, offset, mask * 0 + 200, weight, bias, *SMALL.parameters)
        shut = deform_conv2d(x, offset, mask * 0 - 200, weight, bias, *SMALL.parameters)
        plain = deform_conv2d(x, offset, mask * 0 + 1, weight, bias, *SMALL.parameters[:-1])
    assert relative_error(open_, plain) < 1e-6
    assert torch.equal(shut, bias[:, None, None].expand_as(shut))


def test_backward_says_where_determinism_is_asked_for():
    torch.use_deterministic_algorithms(True)
    try:
        with pytest.raises(RuntimeError, match="no deterministic form"):
            run("triton", SMALL.tensors(), SMALL.parameters)
    finally:
        torch.use_deterministic_algorithms(False)
