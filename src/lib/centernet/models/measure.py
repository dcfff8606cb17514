"""What a network costs: parameters, operations, memory; from shapes alone, nothing is computed."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from math import prod
from typing import Any
from weakref import finalize

import torch
from torch import Tensor, nn
from torch.autograd.graph import saved_tensors_hooks
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves
from torch.utils.flop_counter import FlopCounterMode

from centernet.models.create import create_model
from centernet.models.inputs import IMAGE_ALONE, Input, blank
from centernet.models.model import CenterNet
from centernet.models.spec import HeadSpec


@dataclass(frozen=True)
class Cost:
    """Of one image in float32.

    `flops` are those of PyTorch's own counter: of convolutions, a multiplication and an addition
    counting as two; a deformable convolution as the plain one of its shape. `peak` are the bytes of
    the maps that are alive at the same time, at most, without what the convolutions need besides.
    """

    parameters: int
    flops: int
    weights: int  # bytes, with the running means of BN
    peak: int


def shapes_of(
    arch: str,
    heads: Mapping[str, int | HeadSpec],
    head_conv: int | None = None,
    inputs: Mapping[str, Input] = IMAGE_ALONE,
) -> CenterNet:
    """The network `arch` on the device "meta": shapes without numbers. UserError if unknown."""
    with torch.device("meta"):
        return create_model(arch, heads, head_conv, inputs).eval()


def cost(model: CenterNet, size: tuple[int, int]) -> Cost:
    """The cost of testing `model` (from `shapes_of`) on an image of `size` (height, width)."""
    return Cost(
        parameters=sum(weight.numel() for weight in model.parameters()),
        flops=flops(model, size),
        weights=sum(w.numel() * w.element_size() for w in model.state_dict().values()),
        peak=peak(model, size),
    )


def flops(model: CenterNet, size: tuple[int, int]) -> int:
    """Operations of `model` for one image of `size`."""
    counter = FlopCounterMode(
        display=False, custom_mapping={torch.ops.centernet.deform_conv2d: deformable_flops}
    )
    with torch.no_grad(), counter:
        model(blank(model.inputs, 1, size, "meta"), last_only=True)
    return counter.get_total_flops()


def deformable_flops(
    input: Sequence[int],
    offset: Sequence[int],
    mask: Sequence[int],
    weight: Sequence[int],
    *rest: Any,
    out_shape: Sequence[int],
    **more: Any,
) -> int:
    """Two for each weight at each place of the output; arguments are shapes."""
    return 2 * prod(out_shape) * prod(weight[1:])


def peak(model: CenterNet, size: tuple[int, int]) -> int:
    """Most bytes of maps alive at once while `model` tests one image of `size`."""
    with torch.no_grad(), PeakMemory() as memory:
        model(blank(model.inputs, 1, size, "meta"), last_only=True)
    return memory.most


class PeakMemory(TorchDispatchMode):
    """Counts the bytes of the tensors that are made inside the block and not yet gone."""

    def __init__(self) -> None:
        super().__init__()
        self.now = self.most = 0
        self._known: set[int] = set()

    def __torch_dispatch__(
        self, function: Any, types: Any, args: Any = (), kwargs: Any = None
    ) -> Any:
        out = function(*args, **(kwargs or {}))
        given = {id(leaf.untyped_storage()) for leaf in tree_leaves(args) if torch.is_tensor(leaf)}
        for leaf in tree_leaves(out):
            if isinstance(leaf, Tensor):
                self._count(leaf, given)
        return out

    def _count(self, tensor: Tensor, given: set[int]) -> None:
        storage = tensor.untyped_storage()
        if id(storage) in self._known or id(storage) in given:
            return  # a view, or computed in place
        self._known.add(id(storage))
        self.now += storage.nbytes()
        self.most = max(self.most, self.now)
        finalize(storage, self._gone, id(storage), storage.nbytes())

    def _gone(self, key: int, size: int) -> None:
        self._known.discard(key)
        self.now -= size


class SavedForBackward(saved_tensors_hooks):
    """Counts the `bytes` that are kept for the gradient of what is computed inside the block.

    The parameters of `model`, which are there anyhow, do not count; what several layers keep counts
    once.
    """

    def __init__(self, model: nn.Module) -> None:
        super().__init__(self._pack, lambda tensor: tensor)
        self.bytes = 0
        storages = [weight.untyped_storage() for weight in model.parameters()]
        self._known = {id(storage): storage for storage in storages}

    def __enter__(self) -> SavedForBackward:  # type: ignore[override]  # torch's gives None
        super().__enter__()
        return self

    def _pack(self, tensor: Tensor) -> Tensor:
        storage = tensor.untyped_storage()
        if id(storage) not in self._known:
            self._known[id(storage)] = storage
            self.bytes += storage.nbytes()
        return tensor.detach()
