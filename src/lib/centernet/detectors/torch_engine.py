"""The engine that PyTorch is."""

from __future__ import annotations

from collections.abc import Collection
from contextlib import AbstractContextManager, nullcontext
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor, nn

from centernet.detectors.engine import Decoded, Inputs
from centernet.detectors.preprocess import with_mirrored
from centernet.detectors.timing import Timings
from centernet.geometry.view import Size, check_divisible, map_size
from centernet.models.fuse import fused
from centernet.models.inputs import IMAGE
from centernet.models.model import CenterNet
from centernet.models.networks.DCNv2.backends import describe_backend
from centernet.models.networks.DCNv2.layer import DCN
from centernet.models.sparse import SparseMap
from centernet.runtime.errors import ArgumentError
from centernet.runtime.half import HALVES, half_type

if TYPE_CHECKING:
    from centernet.heads.head_map import Maps
    from centernet.tasks.task import Task


class TorchEngine:
    """`model` with the decoding of `task`, on a device.

    Args:
        task: activation, decoding and, with `flip_test`, how mirrored maps are averaged.
        model: the network, whose heads are the task's. With `fuse` it is left alone; else it is
            moved to `device` and set to eval.
        flip_test: average the maps with those of the mirrored image.
        device: "cpu", "cuda", "cuda:1" ...; None takes CUDA if there is one.
        amp: None (float32), "bf16" or "fp16".
        channels_last: the memory layout that some devices compute faster in; always if `fuse`.
        fuse: run a copy of the network that is made for testing: BN folded into the convolutions,
            all of it in the precision of `amp`, regressions computed at the peaks alone. Else
            `model` itself runs as it was trained. Results agree to rounding.
        in_place: let `fuse` change `model` itself, which then is of no other use: half the memory.

    The attribute `model` is the network that runs. Its weights are those that were given only
    without `fuse`; with it neither names nor values of its state dict are.
    """

    size: Size | None = None
    has_maps = True

    def __init__(
        self,
        task: Task,
        model: CenterNet,
        *,
        flip_test: bool = False,
        device: str | torch.device | None = None,
        amp: str | None = None,
        channels_last: bool = False,
        fuse: bool = True,
        in_place: bool = False,
    ) -> None:
        if amp is not None and amp not in HALVES:
            raise ArgumentError(f"amp must be None, {' or '.join(HALVES)}, not {amp!r}")
        self.task, self.flip_test = task, flip_test
        self.stride, self.pad = model.backbone.stride, model.backbone.pad
        self.device = torch.device(device or ("cuda" if torch.cuda.is_available() else "cpu"))
        self.precision = None if amp is None else half_type(amp)
        self.fuse = fuse and isinstance(model, CenterNet)
        fast = channels_last or self.fuse
        self.layout = torch.channels_last if fast else torch.contiguous_format
        if self.fuse:
            model = fused(model, in_place).to(dtype=self.precision)
        self.model = model.to(self.device).to(memory_format=self.layout).eval()

    @property
    def narrow(self) -> bool:
        """Whether it computes in float16."""
        return self.precision is torch.float16

    @property
    def place(self) -> str:
        """The device and, if the network has deformable convolutions, what computes them there."""
        return place_of(self.model, self.device)

    def check(self, size: Size) -> None:
        """See `Engine.check`."""
        check_divisible(size, self.pad, self.stride, "this network")

    def run(self, inputs: Inputs, k: int, timings: Timings) -> Decoded:
        """See `Engine.run`."""
        maps = self._maps(inputs, timings, self.lazy_heads, self.peaked_heads)
        with timings.stage("dec"):
            return decoded(self.task, maps, k)

    def maps(self, inputs: Inputs, timings: Timings) -> Maps:
        """See `Engine.maps`: (B, C, h, w), every head computed all over."""
        return self._maps(inputs, timings)

    @torch.inference_mode()
    def warm_up(self, inputs: Inputs, k: int) -> None:
        """Decodes maps of noise and of nothing: each goes ways that the other does not."""
        chance = torch.Generator().manual_seed(0)  # its own: nothing else is to draw otherwise
        copies = 2 if self.flip_test else 1
        for spread in (0.0, 4.0):
            raw = {}
            for name, (batch, *rest) in self._raw_shapes(inputs).items():
                noise = torch.randn(copies * batch, *rest, generator=chance)
                raw[name] = (noise * spread).to(self.device)
            maps = self.task.activate(raw, {}, self.peaked_heads)
            decoded(self.task, self.task.merge_flip(maps) if self.flip_test else maps, k)

    @property
    def lazy_heads(self) -> frozenset[str]:
        """The heads that are computed at single places alone."""
        return self.task.sparse if self.fuse else frozenset()

    @property
    def peaked_heads(self) -> frozenset[str]:
        """The heat maps that may stay logits: on the CPU, if nothing is averaged."""
        alone = self.device.type == "cpu" and not self.flip_test
        return self.task.peaked if alone else frozenset()

    @torch.inference_mode()
    def _maps(
        self,
        inputs: Inputs,
        timings: Timings,
        lazy: Collection[str] = (),
        peaked: Collection[str] = (),
    ) -> Maps:
        with timings.stage("net"):
            raw, put_off = self._raw(self._on_device(inputs), lazy)
            maps = self.task.activate(raw, put_off, peaked)
            return self.task.merge_flip(maps) if self.flip_test else maps

    def _raw_shapes(self, inputs: Inputs) -> dict[str, tuple[int, ...]]:
        batch, _, height, width = inputs[IMAGE].shape
        size = map_size((height, width), self.stride)
        return {name: (batch, head.channels, *size) for name, head in self.task.heads.items()}

    def _on_device(self, inputs: Inputs) -> dict[str, Tensor]:
        """[inputs, mirrored inputs] on the device."""
        each = {n: with_mirrored(x) if self.flip_test else x for n, x in inputs.items()}
        return {n: x.to(self.device, memory_format=self.layout) for n, x in each.items()}

    def _raw(
        self, inputs: dict[str, Tensor], lazy: Collection[str]
    ) -> tuple[dict[str, Tensor], dict[str, SparseMap]]:
        if self.fuse:
            narrowed = {name: x.to(dtype=self.precision) for name, x in inputs.items()}
            return self.model.last_maps(narrowed, lazy)
        with self._autocast():
            seen = inputs if len(inputs) > 1 else inputs[IMAGE]
            return self.model(seen, last_only=True)[-1], {}

    def _autocast(self) -> AbstractContextManager[Any]:
        if self.precision is None:
            return nullcontext()
        return torch.autocast(self.device.type, self.precision)


def place_of(model: nn.Module, device: torch.device) -> str:
    """The device and, if `model` has deformable convolutions, what computes them there."""
    deformable = any(isinstance(layer, DCN) for layer in model.modules())
    return f"{device}; {describe_backend(device.type)}" if deformable else str(device)


@torch.inference_mode()
def decoded(task: Task, maps: Maps, k: int) -> Decoded:
    """`maps` read by `task`, as arrays in the host's memory."""
    arrays = {name: value.cpu().numpy() for name, value in task.decode(maps, k).items()}
    height, width = next(iter(maps.values())).shape[-2:]
    return Decoded(arrays, (int(height), int(width)))
