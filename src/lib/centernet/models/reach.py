"""Which tensors of a network have any influence on what it puts out."""

from __future__ import annotations

from copy import deepcopy

import torch
from torch import nn
from torch.utils._pytree import tree_leaves

from centernet.models.inputs import IMAGE_ALONE, blank


def unreached(model: nn.Module, size: tuple[int, int]) -> set[str]:
    """Keys of `model` that reach none of its outputs when it is tested, such as a classifier.

    Found from the graph that autograd builds for an image of `size` (height, width) on the device
    "meta": nothing is computed. A buffer counts as its module's parameters do.
    """
    copy = deepcopy(model).to("meta").eval().requires_grad_(True)
    inputs = getattr(model, "inputs", IMAGE_ALONE)
    with torch.enable_grad():
        outputs = tree_leaves(copy(blank(inputs, 1, size, "meta")))
    reached = _leaves([out.grad_fn for out in outputs])
    silent = set()
    for prefix, module in copy.named_modules():
        own = dict(module.named_parameters(recurse=False))
        lost = {name for name, parameter in own.items() if id(parameter) not in reached}
        if own and len(lost) == len(own):
            lost |= {name for name, _ in module.named_buffers(recurse=False)}
        silent |= {f"{prefix}.{name}" if prefix else name for name in lost}
    return silent


def _leaves(roots: list[torch.autograd.graph.Node | None]) -> set[int]:
    """The ids of the parameters from which the graph of `roots` starts."""
    found, seen, stack = set(), set(), [root for root in roots if root is not None]
    while stack:
        node = stack.pop()
        if node in seen:
            continue
        seen.add(node)
        variable = getattr(node, "variable", None)
        if variable is not None:
            found.add(id(variable))
        stack += [following for following, _ in node.next_functions if following is not None]
    return found
