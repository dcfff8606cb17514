"""Which elements of a gradient are zero because their terms cancel.

A BatchNorm whose channel is always active behind it shifts what the next BatchNorm takes away
again: the gradient of its bias is a sum of many terms that is zero. Computed, it is the rounding of
those terms, 1e-16 of their size in float64 and 1e-8 or more in float32, and Adam, which divides by
the size of a gradient, makes a step of either. So an element is called cancelled when its float64
gradient is no larger than float64's rounding of its own terms; a gradient that is small because its
terms are small is not.
"""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor, nn

ROUNDING = 1e-9  # of the terms: that of float64, with what layers of normalisation make of it
DRAWS = 3


class Terms:
    """Within `with`, sees one training step of `model` and how large the terms of gradients are.

    The size of an element's terms is that of their sum with random signs, which cannot cancel but
    by chance: about the root of the sum of their squares, and never more than the sum of their
    sizes. Each layer with parameters is run again for it, so any kind of layer will do.
    """

    def __init__(self, model: nn.Module) -> None:
        self.model = model
        self._handles: list[Any] = []
        self._seen: list[tuple[nn.Module, tuple[Any, ...], Tensor]] = []

    def __enter__(self) -> Terms:
        layers = [m for m in self.model.modules() if list(m.parameters(recurse=False))]
        self._handles = [layer.register_forward_hook(self._ran) for layer in layers]
        return self

    def __exit__(self, *error: object) -> None:
        for handle in self._handles:
            handle.remove()

    def _ran(self, layer: nn.Module, given: tuple[Any, ...], made: Any) -> None:
        if isinstance(made, Tensor) and made.requires_grad:
            made.register_hook(lambda gradient: self._seen.append((layer, given, gradient)))

    def cancelled(self) -> dict[str, Tensor]:
        """{name of a parameter with a gradient: bool of its shape}, after the step."""
        generator = torch.Generator().manual_seed(0)
        sizes: dict[Tensor, Tensor] = {}
        for layer, given, gradient in self._seen:
            for parameter, size in sizes_of_terms(layer, given, gradient, generator).items():
                sizes[parameter] = sizes.get(parameter, torch.zeros_like(size)) + size
        return {
            name: (p.grad.abs() <= ROUNDING * sizes[p]) & (sizes[p] > 0)
            if p in sizes
            else torch.zeros_like(p, dtype=torch.bool)
            for name, p in self.model.named_parameters()
            if p.grad is not None
        }


def sizes_of_terms(
    layer: nn.Module, given: tuple[Any, ...], gradient: Tensor, generator: torch.Generator
) -> dict[Tensor, Tensor]:
    """{parameter of `layer`: the size of the terms of its gradient}, as `given` is its input."""
    parameters = [p for p in layer.parameters(recurse=False) if p.requires_grad]
    inputs = [value.detach() if isinstance(value, Tensor) else value for value in given]
    sizes = {p: torch.zeros_like(p) for p in parameters}
    with torch.enable_grad():
        made = layer(*inputs)
    for _ in range(DRAWS):
        signs = torch.randint(0, 2, gradient.shape, generator=generator) * 2 - 1
        sums = torch.autograd.grad(
            made, parameters, gradient * signs, retain_graph=True, allow_unused=True
        )
        for parameter, total in zip(parameters, sums, strict=True):
            if total is not None:
                sizes[parameter] = torch.maximum(sizes[parameter], total.abs())
    return sizes
