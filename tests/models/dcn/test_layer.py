"""The layer: the published parameters and their meaning, training, export."""

from __future__ import annotations

import pytest
import torch
import torch.nn.functional as F

from centernet.models.networks.DCNv2 import DCN, deform_conv2d, use_backend
from tests.models.dcn.cases import relative_error


def layer_with_offsets(*sizes: int, **parameters: int) -> DCN:
    """A layer whose offset branch has been trained away from zero."""
    torch.manual_seed(0)
    layer = DCN(*sizes, **parameters)
    torch.nn.init.normal_(layer.conv_offset_mask.weight, std=0.2)
    torch.nn.init.normal_(layer.conv_offset_mask.bias, std=0.5)
    return layer


def test_parameters_are_those_of_the_published_checkpoints():
    state = DCN(4, 8, kernel_size=3, deformable_groups=2).state_dict()
    assert {key: tuple(value.shape) for key, value in state.items()} == {
        "weight": (8, 4, 3, 3),
        "bias": (8,),
        "conv_offset_mask.weight": (54, 4, 3, 3),
        "conv_offset_mask.bias": (54,),
    }


def test_starts_as_half_a_convolution():
    """Zero offsets and masks of one half, as published."""
    layer = DCN(4, 6)
    x = torch.randn(2, 4, 7, 5)
    expected = F.conv2d(x, layer.weight, padding=1) / 2
    assert relative_error(layer(x), expected) < 1e-6


def test_thirds_of_the_branch_are_offset_offset_and_mask():
    layer = layer_with_offsets(4, 6, stride=2)
    x = torch.randn(2, 4, 8, 9)
    first, second, mask = layer.conv_offset_mask(x).chunk(3, dim=1)
    offset = torch.cat((first, second), dim=1)
    expected = deform_conv2d(x, offset, mask.sigmoid(), layer.weight, layer.bias, 2, 1)
    assert relative_error(layer(x), expected) < 1e-6


@pytest.mark.parametrize("parameters", [
    {"kernel_size": 1, "padding": 0},
    {"kernel_size": 5, "padding": 2, "stride": 2},
    {"padding": 2, "dilation": 2, "deformable_groups": 4},
])  # fmt: skip
def test_output_size_is_the_convolutions(parameters):
    layer = DCN(4, 6, **parameters)
    like = {key: value for key, value in parameters.items() if key != "deformable_groups"}
    plain = torch.nn.Conv2d(4, 6, **{"kernel_size": 3, "padding": 1, **like})
    x = torch.randn(1, 4, 11, 14)
    assert layer(x).shape == plain(x).shape


def test_trains_end_to_end(backend):
    """Offsets and all learn to undo a shift that no 1 x 1 convolution could."""
    torch.manual_seed(0)
    layer = DCN(2, 2, kernel_size=1, padding=0)
    optimizer = torch.optim.Adam(layer.parameters(), lr=0.1)
    smooth = F.interpolate(torch.randn(4, 2, 4, 4), size=(16, 16), mode="bicubic")
    target = smooth.roll((1, -1), (2, 3))
    inner = (..., slice(2, -2), slice(2, -2))
    with use_backend(backend):
        first = None
        for _ in range(70):
            loss = F.mse_loss(layer(smooth)[inner], target[inner])
            first = loss.item() if first is None else first
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
    assert loss.item() < 0.05 * first
    assert layer.conv_offset_mask.bias[:2].abs().max() > 0.5


def test_trains_alike_on_all_backends(backend):
    """Eight steps from the same start stay together, through the zero offsets of the start."""

    def losses(name: str) -> list[float]:
        torch.manual_seed(0)
        model = torch.nn.Sequential(DCN(3, 8), torch.nn.ReLU(), DCN(8, 2, stride=2))
        optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
        x, target = torch.randn(2, 3, 11, 12), torch.randn(2, 2, 6, 6)
        values = []
        with use_backend(name):
            for _ in range(8):
                loss = F.mse_loss(model(x), target)
                optimizer.zero_grad()
                loss.backward()
                optimizer.step()
                values.append(loss.item())
        return values

    assert losses(backend) == pytest.approx(losses("torchvision"), rel=1e-4)


def test_relu_comes_with_the_layer():
    """Set on a layer it changes the output and its description, and no key."""
    layer, x = layer_with_offsets(4, 6), torch.randn(2, 4, 8, 9)
    keys, expected = list(layer.state_dict()), layer(x).relu()
    assert "relu" not in repr(layer)
    layer.relu = True
    assert torch.equal(layer(x), expected)
    assert list(layer.state_dict()) == keys
    assert "relu=True" in repr(layer)


def test_channels_last_flows_through():
    layer = layer_with_offsets(8, 8).to(memory_format=torch.channels_last)
    x = torch.randn(2, 8, 9, 9)
    out = layer(x.to(memory_format=torch.channels_last))
    assert out.is_contiguous(memory_format=torch.channels_last)
    assert relative_error(out, layer(x)) < 1e-6


@pytest.mark.parametrize("relu", [False, True])
def test_exported_program_has_torchvisions_operator(relu):
    """What ONNX and other converters know how to translate."""
    layer, x = layer_with_offsets(4, 6).eval(), torch.randn(1, 4, 8, 8)
    layer.relu = relu
    program = torch.export.export(layer, (x,))
    assert "torchvision.deform_conv2d" in str(program.graph)
    assert relative_error(program.module()(x), layer(x)) < 1e-5


@pytest.mark.parametrize("relu", [False, True])
def test_exported_program_in_plain_tensors(relu):
    """Under use_backend("plain") no operator of any library remains, and it still computes."""
    layer, x = layer_with_offsets(4, 6, deformable_groups=2).eval(), torch.randn(1, 4, 8, 8)
    layer.relu = relu
    with use_backend("plain"):
        program = torch.export.export(layer, (x,))
    assert "deform_conv2d" not in str(program.graph)
    assert relative_error(program.module()(x), layer(x)) < 1e-5


@pytest.mark.parametrize("relu", [False, True])
@pytest.mark.parametrize("name", [None, "plain"])
def test_onnx(tmp_path, name, relu):
    """The standard DeformConv by default, basic operators on request; both run in ONNX Runtime."""
    pytest.importorskip("onnxscript")
    onnx = pytest.importorskip("onnx")
    runtime = pytest.importorskip("onnxruntime")
    layer, x = layer_with_offsets(4, 6, stride=2).eval(), torch.randn(2, 4, 9, 8)
    layer.relu = relu
    path = str(tmp_path / "layer.onnx")
    with use_backend(name):
        torch.onnx.export(layer, (x,), path, dynamo=True, opset_version=20, verbose=False)
    operators = {node.op_type for node in onnx.load(path).graph.node}
    assert ("DeformConv" in operators) == (name is None)
    assert ("Relu" in operators) == relu
    session = runtime.InferenceSession(path, providers=["CPUExecutionProvider"])
    (out,) = session.run(None, {session.get_inputs()[0].name: x.numpy()})
    assert relative_error(torch.from_numpy(out), layer(x)) < 1e-5


@pytest.mark.parametrize("relu", [False, True])
def test_traces_for_older_converters(relu):
    layer, x = layer_with_offsets(4, 6).eval(), torch.randn(1, 4, 8, 8)
    layer.relu = relu
    traced = torch.jit.trace(layer, (x,))
    assert "torchvision::deform_conv2d" in str(traced.inlined_graph)
    assert relative_error(traced(x), layer(x)) < 1e-5
