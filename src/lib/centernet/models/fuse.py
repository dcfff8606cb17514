"""Batch normalisation folded into the convolution before it: the network as it is to be tested.

In testing BN is an affine map of each channel, and so are the last steps of a convolution: weight
and bias can take it over, in exact arithmetic without a difference (Jacob et al., CVPR 2018,
section 3.2). Done here rather than by torch.compile, whose constant folding gets transposed
convolutions wrong (PyTorch 2.15, as many channels in as out). A deformable convolution takes over
the ReLU behind it as well, which its kernels compute before they store the output.
"""

from __future__ import annotations

import copy
from collections import Counter
from collections.abc import Callable
from inspect import Parameter, signature
from typing import TypeVar

import torch
from torch import Tensor, nn
from torch.fx import Graph, Node, Tracer

from centernet.models.networks.DCNv2.layer import DCN
from centernet.models.networks.pooling import running_max

Convolution = nn.Conv2d | nn.ConvTranspose2d | DCN
Network = TypeVar("Network", bound=nn.Module)


def fused(model: Network, in_place: bool = False) -> Network:
    """A copy of `model` for testing: eval mode, channels last, BN folded where a convolution feeds
    it alone, and ReLU left to the deformable convolution that feeds it alone.

    The copy has the modules of `model`, those of the folded BN and of these ReLU replaced by
    nn.Identity, so that its state dict is another one. Its maps agree with those of `model` to
    rounding (1e-5 relative). A network that torch.fx cannot trace keeps its BN, which is as right.
    With `in_place` no copy is made, and `model` itself comes back so changed: its weights are in
    memory once.
    """
    lean = (model if in_place else copy.deepcopy(model)).eval()
    graph = steps(lean)
    with torch.no_grad():
        for first, second in pairs(lean, graph, affine, foldable):
            conv, norm = called(lean, first), called(lean, second)
            assert isinstance(conv, Convolution)
            assert isinstance(norm, nn.BatchNorm2d)
            fold(conv, norm)
            bypass(lean, second)
    for first, second in pairs(lean, graph, deformable, rectifying):
        conv = called(lean, first)
        assert isinstance(conv, DCN)
        conv.relu = True
        bypass(lean, second)
    return lean.to(memory_format=torch.channels_last)


def steps(model: nn.Module) -> Graph:
    """What `model` computes, a node for each call; without any where torch.fx cannot trace it."""
    parameters = signature(model.forward).parameters.values()
    defaults = {p.name: p.default for p in parameters if p.default is not Parameter.empty}
    try:
        return _Tracer(autowrap_functions=(running_max,)).trace(model, defaults)
    except Exception:  # it decides by values, counts by them, or does what no tracer foresees
        return Graph()


def pairs(
    model: nn.Module,
    graph: Graph,
    is_first: Callable[[nn.Module], bool],
    is_second: Callable[[nn.Module], bool],
) -> list[tuple[Node, Node]]:
    """Calls of two modules where the second is all that reads the first's output.

    Either module is called once in the whole `graph` of `model`, which reads neither's parameters
    besides.
    """
    read = {str(node.target).rpartition(".")[0] for node in graph.nodes if node.op == "get_attr"}
    calls = Counter(node.target for node in graph.nodes if node.op == "call_module")
    found = []
    for node in graph.nodes:
        if node.op != "call_module" or not is_second(called(model, node)):
            continue
        [before] = node.all_input_nodes
        if before.op != "call_module" or len(before.users) != 1:
            continue
        if read & {before.target, node.target}:
            continue
        alone = calls[before.target] == calls[node.target] == 1
        if alone and is_first(called(model, before)):
            found.append((before, node))
    return found


def called(model: nn.Module, node: Node) -> nn.Module:
    """The module of `model` that `node` calls."""
    return model.get_submodule(str(node.target))


def bypass(model: nn.Module, node: Node) -> None:
    """Put nn.Identity in the place of the module that `node` calls, and take out the call."""
    parent, _, name = str(node.target).rpartition(".")
    setattr(model.get_submodule(parent), name, nn.Identity())
    node.replace_all_uses_with(node.all_input_nodes[0])
    node.graph.erase_node(node)


class _Tracer(Tracer):
    """Takes a deformable convolution for one step, as it does torch's own layers."""

    def is_leaf_module(self, module: nn.Module, name: str) -> bool:
        return isinstance(module, DCN) or super().is_leaf_module(module, name)


def affine(module: nn.Module) -> bool:
    """Whether `module` is a convolution, without a ReLU of its own."""
    return isinstance(module, Convolution) and not (deformable(module) and module.relu)


def deformable(module: nn.Module) -> bool:
    """Whether `module` is a convolution that can compute a ReLU along with itself."""
    return isinstance(module, DCN)


def rectifying(module: nn.Module) -> bool:
    """Whether `module` is a ReLU."""
    return isinstance(module, nn.ReLU)


def foldable(module: nn.Module) -> bool:
    """Whether `module` is a BN that uses its running statistics."""
    return isinstance(module, nn.BatchNorm2d) and module.running_mean is not None


def fold(conv: Convolution, norm: nn.BatchNorm2d) -> None:
    """Let `conv` do what `norm` does behind it, in place; scale and shift computed in float64."""
    assert norm.running_var is not None
    assert norm.running_mean is not None
    deviation = (norm.running_var.double() + norm.eps).sqrt()
    scale = (1.0 if norm.weight is None else norm.weight.double()) / deviation
    shift = 0.0 if norm.bias is None else norm.bias.double()
    bias = 0.0 if conv.bias is None else conv.bias.double()
    bias = (bias - norm.running_mean.double()) * scale + shift
    rows, shape = by_outputs(conv)
    weight = (rows * scale.to(rows.dtype).view(shape)).reshape(conv.weight.shape)
    # Anew, as another layer may have the same weight.
    conv.weight = nn.Parameter(weight, requires_grad=conv.weight.requires_grad)
    conv.bias = nn.Parameter(bias.to(conv.weight.dtype), requires_grad=conv.weight.requires_grad)


def by_outputs(conv: Convolution) -> tuple[Tensor, tuple[int, ...]]:
    """A view of the weight, and the shape in which a value for each output channel goes with it."""
    if not isinstance(conv, nn.ConvTranspose2d):
        return conv.weight, (-1, 1, 1, 1)
    # (inputs, outputs of a group, kh, kw): the groups lie one after another in the inputs.
    return conv.weight.unflatten(0, (conv.groups, -1)), (conv.groups, 1, -1, 1, 1)
