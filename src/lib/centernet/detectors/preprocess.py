"""From an image to what the network takes."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from pathlib import Path

import cv2
import numpy as np
import torch
from torch import Tensor

from centernet.datasets.colour import Triple, colour_table
from centernet.datasets.framing import SquareFraming
from centernet.datasets.pixels import looked_up
from centernet.geometry.view import Size, View
from centernet.models.inputs import IMAGE
from centernet.runtime.errors import UserError


@dataclass(frozen=True)
class Prepared:
    """One image at one test scale. `view` is in pixels of the image as it was given."""

    input: np.ndarray  # (3, h, w) float32
    view: View
    more: Mapping[str, np.ndarray] = field(default_factory=dict)  # further inputs (c, h, w)
    truth: Mapping[str, Tensor] | None = None  # maps (C, h, w) that an oracle knows

    @property
    def shape(self) -> tuple[int, ...]:
        return self.input.shape


@dataclass(frozen=True)
class Ready:
    """An image prepared at every test scale, and what its result will need to know."""

    scales: list[Prepared]
    image_size: Size
    path: Path | None = None
    calibration: np.ndarray | None = None
    load_seconds: float = 0.0
    pre_seconds: float = 0.0
    index: int = 0  # which of the caller's images it is


@dataclass(frozen=True)
class Preprocess:
    """Resize by the test scale, cut out the view, normalise.

    `mean` and `std` are of colours in [0, 1], in the channel order of the images (BGR).
    `input_size` (height, width) is what the network sees unless `keep_res`: then it sees the image
    in its own size, padded with black to a multiple of `pad` + 1. OpenCV's bilinear resampling.
    """

    framing: SquareFraming
    mean: Triple
    std: Triple
    input_size: Size
    pad: int = 31
    keep_res: bool = False

    def __call__(self, image: np.ndarray, scale: float = 1.0) -> Prepared:
        """`image` (H, W, 3) uint8 at test scale `scale`."""
        size = image.shape[0], image.shape[1]
        view, canvas, resized = self.framing.test(
            size, self.input_size, pad=self.pad, keep_res=self.keep_res, scale=scale
        )
        if 0 in resized:
            raise UserError(f"an image of {size[1]}x{size[0]} vanishes at test scale {scale:g}")
        if resized == size:
            scale = 1.0
        else:
            image = cv2.resize(image, (resized[1], resized[0]))
        seen = view.warp(image, (canvas[1], canvas[0]))
        return Prepared(looked_up(seen, self.table), enlarged(view, 1 / scale))

    @cached_property
    def table(self) -> np.ndarray:
        """(3, 256) float32: what the network sees of each colour."""
        return colour_table(self.mean, self.std)

    def picture(self, prepared: Prepared) -> np.ndarray:
        """What the network sees, as (h, w, 3) uint8 again: for looking at it."""
        return as_picture(prepared.input, self.mean, self.std)


def as_picture(normalised: np.ndarray, mean: Triple, std: Triple) -> np.ndarray:
    """(..., 3, h, w) float32 as the (..., h, w, 3) uint8 BGR that it was made of."""
    own_mean, own_std = (np.asarray(v, np.float32)[:, None, None] for v in (mean, std))
    colours = (normalised * own_std + own_mean) * 255
    return np.ascontiguousarray(np.moveaxis(colours.round().clip(0, 255).astype(np.uint8), -3, -1))


def enlarged(view: View, factor: float) -> View:
    """`view` of an image, on the same image enlarged by `factor`."""
    center = (view.center[0] * factor, view.center[1] * factor)
    if view.bounds is not None:
        view = replace(view, bounds=(view.bounds[0] * factor, view.bounds[1] * factor))
    if isinstance(view.scale, tuple):
        width, height = view.scale
        return replace(view, center=center, scale=(width * factor, height * factor))
    return replace(view, center=center, scale=view.scale * factor)


def batched(inputs: Sequence[Prepared]) -> dict[str, Tensor]:
    """Inputs of one shape as an engine takes them: {name: (B, channels, h, w)}."""
    batch = {IMAGE: to_batch([prepared.input for prepared in inputs])}
    for name in inputs[0].more:
        batch[name] = torch.from_numpy(np.stack([prepared.more[name] for prepared in inputs]))
    return batch


def to_batch(inputs: Sequence[np.ndarray]) -> Tensor:
    """Stack inputs (3, h, w) to (B, 3, h, w).

    The order in memory is that of the inputs; one alone is not copied.
    """
    pictures = [torch.from_numpy(one.transpose(1, 2, 0)).unsqueeze(0) for one in inputs]
    each = [picture.permute(0, 3, 1, 2) for picture in pictures]
    return torch.cat(each) if len(each) > 1 else each[0]


def with_mirrored(batch: Tensor) -> Tensor:
    """[images, mirrored images] (2 B, 3, h, w)."""
    return torch.cat([batch, batch.flip(-1)])


def as_image(array: np.ndarray) -> np.ndarray:
    """(H, W, 3) uint8 from an array a caller hands in, by the policy for files.

    Grey (H, W) or (H, W, 1) is repeated, a fourth channel dropped; anything else is a UserError.
    Three channels are taken as BGR, as OpenCV reads them.
    """
    if array.dtype != np.uint8:
        raise UserError(f"an image must be uint8 (0..255) in BGR order, not {array.dtype}")
    if array.ndim == 2:
        array = array[:, :, None]
    if array.ndim != 3 or array.shape[2] not in (1, 3, 4) or 0 in array.shape:
        raise UserError(f"an image must be (H, W, 3) in BGR order, not {array.shape}")
    if array.shape[2] == 1:
        return np.repeat(array, 3, axis=2)
    return np.ascontiguousarray(array[:, :, :3])
