"""One export: the program, the sizes it takes and what will be said of it."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager, nullcontext
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.export import ExportedProgram

from centernet.export.card import Card
from centernet.export.parity import Parity
from centernet.export.program import CAMERA, Program
from centernet.geometry.view import Size
from centernet.models.inputs import PREVIOUS
from centernet.models.networks.DCNv2.backends import use_backend
from centernet.models.networks.DCNv2.layer import DCN

DECOMPOSED = "decompose"


@dataclass
class Job:
    """`program` as `card` describes it, on the way into a file."""

    program: Program
    card: Card

    @property
    def has_dcn(self) -> bool:
        """Whether the network has deformable convolutions."""
        return any(isinstance(module, DCN) for module in self.program.modules())

    @property
    def example(self) -> tuple[Tensor, ...]:
        """Inputs to trace with."""
        batch, size = self.card.sizes.example
        return tuple(torch.from_numpy(v) for v in self.pictures(batch, size).values())

    def pictures(self, batch: int, size: Size, seed: int = 0) -> dict[str, NDArray]:
        """Inputs of that size by name: rectangles of random colours, and an ordinary camera."""
        rng = np.random.default_rng(seed)
        image = np.stack([drawn(rng, size) for _ in range(batch)])
        camera = np.array(
            [[size[1], 0, size[1] / 2, 4], [0, size[1], size[0] / 2, 2], [0, 0, 1, 0.003]],
            np.float32,
        )
        if not self.card.colours_inside:
            mean, std = (np.array(v, np.float32) for v in (self.card.mean, self.card.std))
            image = ((image / np.float32(255) - mean) / std).transpose(0, 3, 1, 2)
        every = {CAMERA: np.repeat(camera[None], batch, 0), self.card.inputs[0]: image}
        for name, each in self.program.task.inputs.items():
            heat = rng.random((batch, each.channels, *size), np.float32)
            every.setdefault(name, image[::-1] if name == PREVIOUS else heat)
        return {name: np.ascontiguousarray(every[name]) for name in self.card.inputs}

    @property
    def dynamic_shapes(self) -> tuple[Any, ...]:
        """The free dimensions of each input."""
        picture = self.card.sizes.dims(self.card.colours_inside)
        batch = {0: picture[0]} if 0 in picture else {}
        sides = [dim for axis, dim in sorted(picture.items()) if axis]
        map_of = {**batch, **dict(zip((2, 3), sides, strict=False))}
        of = {CAMERA: batch, PREVIOUS: picture}
        more = tuple(of.get(name, map_of) for name in self.card.inputs[1:])
        return (picture, more) if more else (picture,)

    @contextmanager
    def _dcn(self) -> Iterator[None]:
        with use_backend("plain") if self.card.dcn == DECOMPOSED else nullcontext():
            yield

    @cached_property
    def exported(self) -> ExportedProgram:
        """The program with free sizes, checked against the sizes that the card states."""
        with torch.no_grad(), self._dcn():
            found = torch.export.export(
                self.program, self.example, dynamic_shapes=self.dynamic_shapes, strict=False
            )
        check_ranges(found, self.card)
        return found

    @cached_property
    def traced(self) -> torch.jit.ScriptModule:
        """The program as TorchScript, of any size that the network takes."""
        with torch.no_grad(), self._dcn():
            return torch.jit.trace(self.program, self.example, check_trace=False)

    def reference(self, inputs: dict[str, NDArray]) -> dict[str, NDArray]:
        """What PyTorch computes of `inputs`, by name."""
        with torch.no_grad():
            found = self.program.named(*(torch.from_numpy(v) for v in inputs.values()))
        return {name: value.numpy() for name, value in found.items()}

    def trials(self) -> list[tuple[int, Size]]:
        """Batches and sizes on which a file is compared: as traced, one above, one below."""
        batch, size = self.card.sizes.example
        batches = [self.card.sizes.batch] * 3 if self.card.sizes.batch else [1, batch, 3]
        if self.card.sizes.fixed:
            return [(each, size) for each in dict.fromkeys(batches)]
        step = self.card.sizes.multiple
        below, above = (size[0] - step, size[1] - step), (size[0] + step, size[1] + 2 * step)
        return list(zip(batches, (below, size, above), strict=True))

    def with_parity(self, parity: Parity) -> Card:
        """The card, with what was measured."""
        return replace(self.card, parity=parity.figures())


def check_ranges(exported: ExportedProgram, card: Card) -> None:
    """Raise RuntimeError where tracing has found fewer sizes to fit than the card promises."""
    sizes = card.sizes
    promised = {0: (1, 1024)} if sizes.batch is None else {}
    if sizes.fixed is None:
        for axis in (1, 2) if card.colours_inside else (2, 3):
            promised[axis] = sizes.smallest, sizes.largest
    (picture, *_) = (node.meta["val"] for node in exported.graph.nodes if _is_input(exported, node))
    for axis, (low, high) in promised.items():
        side = picture.shape[axis]
        if isinstance(side, int):
            raise RuntimeError(f"dimension {axis} became the constant {side}")
        formula = side.node.expr
        (symbol,) = formula.free_symbols
        found = exported.range_constraints[symbol]
        least, most = (formula.subs(symbol, end) for end in (found.lower, found.upper))
        if least > low or most < high:
            raise RuntimeError(f"dimension {axis} fits {least} to {most}, not {low} to {high}")


def _is_input(exported: ExportedProgram, node: torch.fx.Node) -> bool:
    return node.op == "placeholder" and node.name in exported.graph_signature.user_inputs


def drawn(rng: np.random.Generator, size: Size) -> NDArray[np.uint8]:
    """A picture (h, w, 3) with things in it."""
    height, width = size
    image = rng.integers(0, 256, (height, width, 3)).astype(np.uint8) // 8 + 100
    for _ in range(20):
        y, x = rng.integers(0, height - 8), rng.integers(0, width - 8)
        h, w = rng.integers(4, max(5, height // 2)), rng.integers(4, max(5, width // 2))
        image[y : y + h, x : x + w] = rng.integers(0, 256, 3)
    return image
