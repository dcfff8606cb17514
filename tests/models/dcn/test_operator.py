"""The operator as the dispatcher, autograd, autocast, compile and the exporter see it."""

from __future__ import annotations

import pytest
import torch

from centernet.models.networks.DCNv2 import deform_conv2d, use_backend
from tests.models.dcn.cases import Case, relative_error, run


@pytest.mark.parametrize("relu", [False, True])
@pytest.mark.parametrize("bias", [True, False])
@pytest.mark.parametrize("order", [torch.contiguous_format, torch.channels_last])
def test_dispatcher_contract(bias, order, relu):
    """Schema, fake tensors (shapes and strides), autograd: opcheck raises where one is broken."""
    case = Case(bias=bias, groups=2)
    tensors = [None if t is None else t.requires_grad_() for t in case.tensors()]
    tensors[0] = tensors[0].detach().contiguous(memory_format=order).requires_grad_()
    arguments = (*tensors, *case.parameters, relu)
    torch.library.opcheck(torch.ops.centernet.deform_conv2d.default, arguments)


@pytest.mark.parametrize("relu", [False, True])
def test_the_output_is_kept_for_the_gradient_of_the_relu_alone(relu):
    kept = []

    def keep(tensor):
        kept.append(tensor.shape)
        return tensor

    case = Case()
    tensors = [t.requires_grad_() for t in case.tensors()]
    with torch.autograd.graph.saved_tensors_hooks(keep, lambda tensor: tensor):
        out = deform_conv2d(*tensors, *case.parameters, relu)
    assert kept == [t.shape for t in (*tensors[:4], *([out] if relu else []))]


@pytest.mark.parametrize("order", [torch.contiguous_format, torch.channels_last])
def test_output_has_the_memory_format_of_the_input(order):
    x, *others = Case().tensors()
    out = deform_conv2d(x.contiguous(memory_format=order), *others, padding=1, sigmoid_mask=True)
    assert out.is_contiguous(memory_format=order)


def test_scalars_mean_pairs_and_defaults_are_those_of_a_convolution():
    case = Case(padding=(0, 0), sigmoid=False)
    tensors = case.tensors()
    pairs = torch.ops.centernet.deform_conv2d(*tensors, (1, 1), (0, 0), (1, 1), 1, False, False)
    assert torch.equal(deform_conv2d(*tensors), pairs)
    assert torch.equal(torch.ops.centernet.deform_conv2d(*tensors), pairs)
    assert torch.equal(deform_conv2d(*tensors, relu=True), pairs.relu())


def test_zero_offsets_and_unit_mask_are_a_convolution():
    x, offset, mask, weight, bias = Case().tensors()
    out = deform_conv2d(x, offset * 0, mask * 0 + 1, weight, bias, padding=1)
    assert relative_error(out, torch.nn.functional.conv2d(x, weight, bias, padding=1)) < 1e-6


@pytest.mark.parametrize("batch", [0, 1, 2, 3])
@pytest.mark.parametrize("relu", [False, True])
def test_batches(batch, relu):
    """Each image of a batch gives what it gives alone; an empty batch gives empty gradients."""
    case = Case(batch=batch)
    tensors, parameters = case.tensors(), (*case.parameters, relu)
    out, gradients = run(None, tensors, parameters)
    assert out.shape == (batch, case.out_channels, *case.out_size)
    for gradient, tensor in zip(gradients, tensors, strict=True):
        assert gradient.shape == tensor.shape
    x, offset, mask, weight, bias = tensors
    for n in range(batch):
        one = slice(n, n + 1)
        alone = deform_conv2d(x[one], offset[one], mask[one], weight, bias, *parameters)
        assert relative_error(out[one], alone) < 1e-6


@pytest.mark.parametrize("relu", [False, True])
def test_autocast_casts_features_and_keeps_offsets(relu):
    case = Case()
    tensors, parameters = case.tensors(), (*case.parameters, relu)
    low = [t.bfloat16() for t in tensors]
    expected = deform_conv2d(low[0], tensors[1], tensors[2], *low[3:], *parameters)
    with torch.autocast("cpu", dtype=torch.bfloat16):
        out = deform_conv2d(*tensors, *parameters)
        mixed = deform_conv2d(low[0], tensors[1], tensors[2], *tensors[3:], *parameters)
    assert out.dtype == torch.bfloat16
    assert torch.equal(out, expected)
    assert torch.equal(mixed, expected)


def test_autocast_trains():
    """Gradients arrive in float32 under autocast and agree with those of float32."""
    case = Case()
    tensors = case.tensors()
    _, exact = run(None, tensors, case.parameters)
    with torch.autocast("cpu", dtype=torch.bfloat16):
        _, rough = run(None, tensors, case.parameters)
    for a, b in zip(rough, exact, strict=True):
        assert a.dtype == torch.float32
        assert relative_error(a, b) < 2e-2


@pytest.mark.parametrize("relu", [False, True])
def test_compiles_without_a_graph_break(relu):
    case = Case()
    tensors = case.tensors()

    def step(*tensors):
        return deform_conv2d(*tensors, *case.parameters, relu).square()

    compiled = torch.compile(step, fullgraph=True, backend="aot_eager")
    leaves = [t.requires_grad_() for t in tensors]
    out, expected = compiled(*leaves), step(*leaves)
    assert torch.equal(out, expected)
    for a, b in zip(
        torch.autograd.grad(out.sum(), leaves),
        torch.autograd.grad(expected.sum(), leaves),
        strict=True,
    ):
        assert relative_error(a, b) < 1e-6


BAD = {
    "input": (lambda t: [t[0][0], *t[1:]], "takes an input"),
    "channels": (lambda t: [t[0][:, :4], *t[1:]], "weight expects 8"),
    "offset": (lambda t: [t[0], t[1][:, :9], *t[2:]], "offset must be"),
    "mask": (lambda t: [*t[:2], t[2][..., :3], *t[3:]], "mask must be"),
    "bias": (lambda t: [*t[:4], t[4][:2]], "bias must be"),
    "weight dtype": (lambda t: [*t[:3], t[3].double(), t[4]], "weight and bias must be"),
    "offset dtype": (lambda t: [t[0], t[1].double(), *t[2:]], "offset and mask must"),
}


@pytest.mark.parametrize("name", BAD)
def test_misfits_are_named(name):
    case = Case()
    spoil, message = BAD[name]
    with pytest.raises(ValueError, match=message):
        deform_conv2d(*spoil(case.tensors()), *case.parameters)


@pytest.mark.parametrize(
    ("parameters", "message"),
    [
        ({"stride": 0, "padding": 1}, "stride and dilation must be positive"),
        ({"padding": -1}, "padding not negative"),
        ({"padding": 1, "deformable_groups": 3}, "do not split into 3"),
        ({"dilation": 9}, "does not fit"),
    ],
)
def test_impossible_parameters_are_named(parameters, message):
    with pytest.raises(ValueError, match=message):
        deform_conv2d(*Case().tensors(), **parameters)


def test_backend_plain_takes_no_part_in_eager_output_dtype():
    case = Case()
    tensors = [t.bfloat16() for t in case.tensors()]
    for name in ("torchvision", "plain"):
        with use_backend(name):
            assert deform_conv2d(*tensors, *case.parameters).dtype == torch.bfloat16
