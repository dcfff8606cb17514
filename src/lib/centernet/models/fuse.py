"""Batch normalisation folded into the convolution before it: the network as it is to be tested.

In testing BN is an affine map of each channel, and so are the last steps of a convolution: weight
and bias can take it over, in exact arithmetic without a difference (Jacob et al., CVPR 2018,
section 3.2). Done here rather than by torch.compile, whose constant folding gets transposed
convolutions wrong (PyTorch 2.15, as many channels in as out).
"""

from __future__ import annotations

import copy
from collections import Counter
from inspect import Parameter, signature
from typing import TypeVar

import torch
from torch import Tensor, nn
from torch.fx import Tracer
from torch.fx.proxy import TraceError

from centernet.models.networks.DCNv2 import DCN
from centernet.models.networks.pooling import running_max

Convolution = nn.Conv2d | nn.ConvTranspose2d | DCN
Network = TypeVar("Network", bound=nn.Module)


def fused(model: Network, in_place: bool = False) -> Network:
    """A copy of `model` for testing: eval mode, channels last, BN folded where a convolution feeds
    it alone.

    The copy has the modules of `model`, those of the folded BN replaced by nn.Identity, so that its
    state dict is another one. Its maps agree with those of `model` to rounding (1e-5 relative). A
    network that torch.fx cannot trace keeps its BN, which is as right. With `in_place` no copy is
    made, and `model` itself comes back so changed: its weights are in memory once.
    """
    lean = (model if in_place else copy.deepcopy(model)).eval()
    with torch.no_grad():
        for conv, norm in pairs(lean):
            fold(lean.get_submodule(conv), lean.get_submodule(norm))
            parent, _, name = norm.rpartition(".")
            setattr(lean.get_submodule(parent), name, nn.Identity())
    return lean.to(memory_format=torch.channels_last)


def pairs(model: nn.Module) -> list[tuple[str, str]]:
    """Names of each convolution and BN where the latter is all that reads the former's output."""
    parameters = signature(model.forward).parameters.values()
    defaults = {p.name: p.default for p in parameters if p.default is not Parameter.empty}
    try:
        graph = _Tracer(autowrap_functions=(running_max,)).trace(model, defaults)
    except (TraceError, TypeError):  # it decides by values, or counts by them
        return []
    calls = Counter(node.target for node in graph.nodes if node.op == "call_module")
    found = []
    for node in graph.nodes:
        if node.op != "call_module" or not foldable(model.get_submodule(node.target)):
            continue
        before = node.args[0]
        if before.op != "call_module" or len(before.users) != 1:
            continue
        alone = calls[before.target] == calls[node.target] == 1
        if alone and isinstance(model.get_submodule(before.target), Convolution):
            found.append((before.target, node.target))
    return found


class _Tracer(Tracer):
    """Takes a deformable convolution for one step, as it does torch's own layers."""

    def is_leaf_module(self, module: nn.Module, name: str) -> bool:
        return isinstance(module, DCN) or super().is_leaf_module(module, name)


def foldable(module: nn.Module) -> bool:
    """Whether `module` is a BN that uses its running statistics."""
    return isinstance(module, nn.BatchNorm2d) and module.running_mean is not None


def fold(conv: Convolution, norm: nn.BatchNorm2d) -> None:
    """Let `conv` do what `norm` does behind it, in place; scale and shift computed in float64."""
    deviation = (norm.running_var.double() + norm.eps).sqrt()
    scale = (1.0 if norm.weight is None else norm.weight.double()) / deviation
    shift = 0.0 if norm.bias is None else norm.bias.double()
    bias = 0.0 if conv.bias is None else conv.bias.double()
    bias = (bias - norm.running_mean.double()) * scale + shift
    rows, shape = by_outputs(conv)
    rows.mul_(scale.to(rows.dtype).view(shape))
    conv.bias = nn.Parameter(bias.to(conv.weight.dtype), requires_grad=conv.weight.requires_grad)


def by_outputs(conv: Convolution) -> tuple[Tensor, tuple[int, ...]]:
    """A view of the weight, and the shape in which a value for each output channel goes with it."""
    if not isinstance(conv, nn.ConvTranspose2d):
        return conv.weight, (-1, 1, 1, 1)
    # (inputs, outputs of a group, kh, kw): the groups lie one after another in the inputs.
    return conv.weight.unflatten(0, (conv.groups, -1)), (conv.groups, 1, -1, 1, 1)
