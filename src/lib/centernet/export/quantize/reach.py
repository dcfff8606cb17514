"""Which nodes of a file belong to the network, found by what reaches a convolution."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from functools import cached_property
from typing import Any

CONVOLUTIONS = frozenset({"Conv", "ConvTranspose", "DeformConv", "MatMul", "Gemm"})
# What int8 kernels exist for; all of them on values of one scale.
KINDS = frozenset(
    {
        *("Conv", "ConvTranspose", "MatMul", "Gemm", "Relu", "Add", "Concat", "MaxPool"),
        *("Resize", "AveragePool", "GlobalAveragePool", "Mul", "Clip"),
    }
)
OFFSET, MASK = 2, 4  # inputs of DeformConv


@dataclass(frozen=True)
class Reach:
    """The nodes of an onnx.ModelProto by the convolutions before and behind them.

    Decoding is everything behind the last convolution; preparing colours is everything before the
    first. Neither is quantised: one scale over pixels and probabilities would round scores to 0.
    Nor are deformable convolutions, and the branches that compute their offsets and masks, which
    say where to sample.
    """

    model: Any

    @cached_property
    def _maker(self) -> dict[str, Any]:
        return {name: node for node in self.model.graph.node for name in node.output}

    @cached_property
    def network(self) -> list[Any]:
        """The nodes from the first convolution to the last ones, in order."""
        before: set[str] = set()  # tensors that a convolution depends on
        for node in reversed(self.model.graph.node):
            if node.op_type in CONVOLUTIONS or before.intersection(node.output):
                before.update(node.input)
        behind: set[str] = set()  # tensors that depend on a convolution
        found = []
        for node in self.model.graph.node:
            is_first = node.op_type in CONVOLUTIONS
            if is_first or behind.intersection(node.input):
                behind.update(node.output)
                if is_first or before.intersection(node.output):
                    found.append(node)
        return found

    @cached_property
    def offsets(self) -> set[str]:
        """Names of the nodes that compute offsets and masks alone."""
        found: set[str] = set()
        for node in self.network:
            if node.op_type != "DeformConv":
                continue
            waiting = [node.input[i] for i in (OFFSET, MASK) if i < len(node.input)]
            while waiting:
                maker = self._maker.get(waiting.pop())
                if maker is None or maker.name in found:
                    continue
                if node.input[0] in maker.output:
                    continue
                found.add(maker.name)
                waiting += [n for n in maker.input if n != node.input[0]]
        return found

    @cached_property
    def quantizable(self) -> list[Any]:
        """The nodes of the network that can be quantised."""
        return [n for n in self.network if n.op_type in KINDS and n.name not in self.offsets]

    @cached_property
    def maps(self) -> list[str]:
        """The network's outputs: tensors of the last convolutions, which decoding reads."""
        names = {node.name for node in self.network}
        read = {t for n in self.model.graph.node if n.name not in names for t in n.input}
        read |= {value.name for value in self.model.graph.output}
        return [name for node in self.network for name in node.output if name in read]

    def activations(self, nodes: Iterable[Any]) -> list[str]:
        """The tensors that go in and out of `nodes`, without weights."""
        constants = {each.name for each in self.model.graph.initializer}
        constants |= {n.output[0] for n in self.model.graph.node if n.op_type == "Constant"}
        names = (name for node in nodes for name in (*node.input, *node.output))
        return [name for name in dict.fromkeys(names) if name and name not in constants]
