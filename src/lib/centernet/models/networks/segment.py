"""Parts of a network whose activations may be thrown away and computed again when needed.

Learning keeps what every layer has put out until the gradient comes back to it. Chen et al.
("Training Deep Nets with Sublinear Memory Cost", 2016) keep only what goes into a segment of
several layers and run the segment a second time for its gradient: less memory for one more forward
pass.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager, nullcontext

import torch
from torch import Tensor, nn
from torch.utils.checkpoint import checkpoint

from centernet.runtime.errors import UserError


class Segment(nn.Sequential):
    """An nn.Sequential that keeps its input alone for the gradient, once `recomputed` is set.

    Nothing else differs: outputs, gradients, and the running statistics of BatchNorm, which see
    each batch once. In testing, or where no gradient is wanted, it is a plain nn.Sequential.
    """

    recomputed: bool = False

    def forward(self, x: Tensor) -> Tensor:
        if not (self.recomputed and self.training and torch.is_grad_enabled()):
            return super().forward(x)
        return checkpoint(
            super().forward,
            x,
            use_reentrant=False,
            context_fn=lambda: (nullcontext(), buffers_kept(self)),
        )


@contextmanager
def buffers_kept(module: nn.Module) -> Iterator[None]:
    """Whatever runs inside the block, the buffers of `module` have their values again after it."""
    before = [(buffer, buffer.clone()) for buffer in module.buffers()]
    try:
        yield
    finally:
        with torch.no_grad():
            for buffer, value in before:
                buffer.copy_(value)


def outermost(module: nn.Module) -> Iterator[Segment]:
    """The segments inside `module` that are not inside another segment."""
    for child in module.children():
        if isinstance(child, Segment):
            yield child
        else:
            yield from outermost(child)


def recompute(model: nn.Module, name: str) -> None:
    """Let `model` compute the activations of its segments again from now on.

    UserError, with the `name` of the network, where it has none.
    """
    segments = list(outermost(model))
    if not segments:
        raise UserError(
            f"{name} has no parts that can be computed twice: leave out --checkpoint_activations,"
            " or take an hourglass (--arch hourglass)"
        )
    for segment in segments:
        segment.recomputed = True
