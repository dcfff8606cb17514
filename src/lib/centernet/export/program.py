"""What an exported file computes: a picture in, detections in the pixels of that picture out."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from centernet.export.confirmed import confirmed_scores
from centernet.export.space import in_space
from centernet.models.fuse import fused
from centernet.models.inputs import IMAGE, PREVIOUS
from centernet.models.model import CenterNet
from centernet.tasks import Task

# Leading entries of the last dimension that are x y in turn, of the arrays that decoding gives.
POINTS = {
    "boxes": 4,
    "keypoints": 2,
    "extremes": 2,
    "centres": 2,
    "landmarks": 2,
    "centers": 2,
    "displacements": 2,
}
IMAGES, CAMERA = "images", "calib"  # names of inputs: a picture in floats; others are the task's


@dataclass(frozen=True)
class Colours:
    """Normalisation inside the file: `mean` and `std` of colours in [0, 1], BGR."""

    mean: Sequence[float]
    std: Sequence[float]


class Program(nn.Module):
    """`model` and the decoding of `task` as one module of tensors, the same for every format.

    Args:
        task: decides activation, decoding and, with `flip_test`, how mirrored maps are averaged.
        model: a network in eval mode; taken as it is, see `made_ready`.
        k: detections of an image, a constant of the file.
        colours: the input is then `image` (B, H, W, 3) uint8 BGR, as OpenCV reads a picture; else
            it is `images` (B, 3, H, W) float32, normalised already.
        raw: give the raw maps {head: (B, C, h, w)} in place of detections.
        flip_test: run the mirrored picture too.
        dtype: of the network; decoding is float32 always.

    Call it with the inputs in the order of `input_names`: the picture; further ones of the task's,
    of which the previous picture is as this one is, others (B, channels, H, W); where
    `needs_camera`, `calib` (B, 3, 4), the camera matrix for the pixels of the input. Returns
    the tensors named by `output_names`. Boxes and points are in the pixels of the input, metres and
    radians as the task's.
    """

    gain: Tensor
    shift: Tensor

    def __init__(
        self,
        task: Task,
        model: nn.Module,
        *,
        k: int = 100,
        colours: Colours | None = None,
        raw: bool = False,
        flip_test: bool = False,
        dtype: torch.dtype = torch.float32,
    ) -> None:
        super().__init__()
        self.network = model
        self.task, self.k, self.raw, self.flip_test = task, k, raw, flip_test
        self.dtype, self.colours = dtype, colours
        if colours is not None:
            mean, std = (torch.tensor(list(v), dtype=torch.float64) for v in _both(colours))
            self.register_buffer("gain", (1 / (255 * std)).float().view(1, 3, 1, 1))
            self.register_buffer("shift", (-mean / std).float().view(1, 3, 1, 1))

    @property
    def needs_camera(self) -> bool:
        """Whether the last input says what the camera is."""
        return not self.raw and "cuboids" in self.task.needs

    @property
    def input_names(self) -> tuple[str, ...]:
        """The inputs in their order."""
        picture = IMAGES if self.colours is None else IMAGE
        further = [name for name in self.task.inputs if name != IMAGE]
        return (picture, *further, CAMERA) if self.needs_camera else (picture, *further)

    @property
    def output_names(self) -> tuple[str, ...]:
        """The outputs in their order."""
        if self.raw:
            return tuple(self.task.heads)
        maps = {n: torch.zeros(1, h.channels, 16, 16) for n, h in self.task.heads.items()}
        read = self.task.activate({n: v.repeat(2, 1, 1, 1) for n, v in maps.items()})
        read = self.task.merge_flip(read) if self.flip_test else read
        names = [*self.task.decode(read, 1)]
        names += ["locations", "rotations"] if self.needs_camera else []
        return (*names, "confirmed") if "corner_scores" in names else tuple(names)

    def forward(self, picture: Tensor, *more: Tensor) -> tuple[Tensor, ...]:
        return tuple(self.named(picture, *more).values())

    def named(self, picture: Tensor, *more: Tensor) -> dict[str, Tensor]:
        """What `forward` gives, by name."""
        given = dict(zip(self.input_names[1:], more, strict=True))
        calib = given.pop(CAMERA, None)
        seen = {IMAGE: picture, **given}
        for name in (IMAGE, PREVIOUS):
            if name in seen and self.colours is not None:
                seen[name] = seen[name].permute(0, 3, 1, 2).float() * self.gain + self.shift
        size = seen[IMAGE].shape[2], seen[IMAGE].shape[3]
        if self.flip_test:
            seen = {name: torch.cat([x, x.flip(-1)]) for name, x in seen.items()}
        seen = {name: x.to(self.dtype) for name, x in seen.items()}
        raw = self.network(seen if given else seen[IMAGE])
        if self.raw:
            return {name: raw[name].float() for name in self.task.heads}
        maps = self.task.activate(raw)
        maps = self.task.merge_flip(maps) if self.flip_test else maps
        found = dict(self.task.decode(maps, self.k))
        height, width = next(iter(raw.values())).shape[-2:]
        factor = size[1] / width, size[0] / height
        found = {name: _scaled(name, value, factor) for name, value in found.items()}
        if self.needs_camera:
            assert calib is not None
            found |= in_space(found, calib)
        if "corner_scores" in found:
            found["confirmed"] = confirmed_scores(found)
        return {n: v.int() if n == "classes" else v for n, v in found.items()}


class LastMaps(nn.Module):
    """The network's raw maps of the last stage alone, all of them dense."""

    def __init__(self, model: CenterNet) -> None:
        super().__init__()
        self.model = model

    def forward(self, inputs: Mapping[str, Tensor] | Tensor) -> dict[str, Tensor]:
        return self.model(inputs, last_only=True)[-1]


def made_ready(model: CenterNet, dtype: torch.dtype = torch.float32) -> LastMaps:
    """A copy of `model` to be written down: BN folded, on the CPU, contiguous.

    Contiguous because converters for phones take weights that lie channels last for others.
    """
    lean = fused(model).cpu().to(dtype).to(memory_format=torch.contiguous_format)
    return LastMaps(lean.requires_grad_(False)).eval()


def _both(colours: Colours) -> tuple[Sequence[float], Sequence[float]]:
    return colours.mean, colours.std


def _scaled(name: str, value: Tensor, factor: tuple[float, float]) -> Tensor:
    """`value` with its points in input pixels."""
    count = POINTS.get(name, 0)
    if not count:
        return value
    pairs = [value[..., i] * factor[i % 2] for i in range(count)]
    rest = [value[..., i] for i in range(count, value.shape[-1])]
    return torch.stack([*pairs, *rest], dim=-1)
