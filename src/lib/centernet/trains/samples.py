"""Samples for training: read, augment, encode."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch.utils.data import Dataset as TorchDataset

from centernet.datasets.colour import Colour, colour_matrix, normalise
from centernet.datasets.framing import NO_AUGMENTATION, Augmentation
from centernet.datasets.source import Source
from centernet.geometry.view import Size, View, map_size
from centernet.io.image import ImageError
from centernet.models.inputs import IMAGE, PREVIOUS
from centernet.runtime.errors import UserError
from centernet.structures.known import Known
from centernet.structures.objects import Objects
from centernet.tasks.task import Task
from centernet.trains.on_device import INPUTS, MAPPING, RAW


@dataclass(frozen=True)
class Look:
    """One image of a source as a sample sees it."""

    index: int
    image: NDArray[np.uint8]  # (H, W, 3) BGR
    view: View
    colour: Colour | None = None


@dataclass(frozen=True)
class Before:
    """The previous frame of a sample, and what the network is told of its objects."""

    look: Look
    known: Known


class Dataset(TorchDataset):
    """What the network sees of a source and what it should answer, one image at a time.

    A sample depends only on (seed, epoch, index): not on the worker that makes it, nor on the
    samples made before. That is what makes a resumed run equal to one that never stopped.

    A sample is {"inputs": {name: (channels, H, W) float32}, "index": int, and the task's targets}.
    With `unfinished` the arithmetic is left to `trains.on_device`: "pictures" {name: (H, W, 3)
    uint8} and "colours" {name: (3, 4) float32} stand for the images, and lists of spots for heat
    maps.

    An image that cannot be read is named once, over all workers and epochs, and the next one stands
    in for it; of a source that is strict it stops training.
    """

    def __init__(
        self,
        source: Source,
        task: Task,
        *,
        size: Size,
        stride: int = 4,
        pad: int = 31,
        keep_res: bool = False,
        augmentation: Augmentation = NO_AUGMENTATION,
        seed: int = 317,
        unfinished: bool = False,
    ) -> None:
        if len(source) == 0:
            raise UserError(f"data set {source.info.name} has no image in this split")
        self.source, self.task = source, task
        self.size, self.stride, self.pad, self.keep_res = size, stride, pad, keep_res
        self.augmentation, self.seed, self.unfinished = augmentation, seed, unfinished
        self._dropped = source.dropped  # made here, so that the workers share it
        self.epoch = 0

    def set_epoch(self, epoch: int) -> None:
        """Choose the epoch whose augmentations the samples get."""
        self.epoch = epoch

    def __len__(self) -> int:
        return len(self.source)

    def __getitem__(self, index: int) -> dict[str, Any]:
        return self.sample(index, np.random.default_rng([self.seed, self.epoch, index]))

    def sample(self, index: int, rng: np.random.Generator) -> dict[str, Any]:
        """Make sample `index` with the draws of `rng`."""
        index, image = self._readable(index)
        framing, shape = self.task.framing, (image.shape[0], image.shape[1])
        view, size = framing.whole(shape, self.size, pad=self.pad, keep_res=self.keep_res)
        if self.augmentation is not NO_AUGMENTATION:
            view = framing.train(shape, view, self.augmentation, rng, size)
        look = Look(index, image, view, self._colour(rng))
        before = None if list(self.task.inputs) == [IMAGE] else self._before(look, size, rng)
        return self.see(look, size, before)

    def see(self, look: Look, size: Size, before: Before | None = None) -> dict[str, Any]:
        """The sample of one look at an image on an input of `size`: no draw is left to make.

        `before` is the look at the previous frame, for tasks that see it.
        """
        size_map = map_size(size, self.stride)
        objects = self.source.objects(look.index)
        seen = objects.warp(look.view, size_map[::-1], self.source.info.flip_pairs)
        looks, more = {IMAGE: look}, {}
        if before is not None:
            identities = identities_of(objects)
            seen = replace(seen, before=before.known.places_of(identities, size_map))
            looks[PREVIOUS] = before.look
            more = self.task.recall(before.known)
        arrays = self._pictures({n: looks[n] for n in looks if n in self.task.inputs}, size)
        inputs = arrays.setdefault(INPUTS, {})
        inputs.update({name: more[name] for name in more if name in self.task.inputs})
        encode = self.task.sketch if self.unfinished else self.task.encode
        tensors = {
            name: {n: torch.from_numpy(array) for n, array in group.items()}
            for name, group in arrays.items()
        }
        targets = encode(seen, size_map)
        return {**tensors, **{n: torch.from_numpy(v) for n, v in targets.items()},
                "index": look.index}  # fmt: skip

    def _pictures(self, looks: Mapping[str, Look], size: Size) -> dict[str, dict[str, NDArray]]:
        """The images as inputs or, of unfinished samples, as what they are made of."""
        info, made = self.task.info, dict[str, dict[str, NDArray]]()
        for name, look in looks.items():
            canvas = look.view.warp(look.image, (size[1], size[0]))
            if self.unfinished:
                mapping = colour_matrix(canvas, info.mean, info.std, look.colour)
                made.setdefault(RAW, {})[name] = canvas
                made.setdefault(MAPPING, {})[name] = mapping.astype(np.float32)
            else:
                made.setdefault(INPUTS, {})[name] = normalise(
                    canvas, info.mean, info.std, look.colour
                )
        return made

    def _colour(self, rng: np.random.Generator) -> Colour | None:
        jitter = self.augmentation.colour and self.task.colour_jitter
        return Colour.draw(rng) if jitter else None

    def _before(self, look: Look, size: Size, rng: np.random.Generator) -> Before:
        """The previous frame of a look: of a video another frame, of a still image itself."""
        training = self.augmentation is not NO_AUGMENTATION
        index = self.source.previous(
            look.index, rng if training else None, self.augmentation.within
        )
        view, image = look.view, look.image
        moved = index is not None and index != look.index
        index = look.index if index is None else index
        if training and not (moved and self.augmentation.same_before):
            view = self.task.framing.before(view, self.augmentation, rng)
        if moved:
            image = self._image_of(index, look)
        colour = self._colour(rng) if PREVIOUS in self.task.inputs else None
        objects = self.source.objects(index)
        if moved and objects.identities is None:
            raise UserError(
                f"data set {self.source.info.name}: its videos have no identities, so that nothing"
                " says which objects are the same; give every annotation a track_id"
            )
        told = replace(objects, identities=identities_of(objects))
        known = self.task.remember(told, view, size, rng if training else None)
        return Before(Look(index, image, view, colour), known)

    def _image_of(self, index: int, look: Look) -> NDArray[np.uint8]:
        """The image of the frame before, or this one where it cannot be read."""
        if PREVIOUS not in self.task.inputs:
            return look.image
        try:
            return self.source.image(index)
        except ImageError as error:
            self.source.drop_image(index, error)
            return look.image

    def _readable(self, index: int) -> tuple[int, NDArray[np.uint8]]:
        for step in range(len(self)):
            chosen = (index + step) % len(self)
            try:
                return chosen, self.source.image(chosen)
            except ImageError as error:
                self.source.drop_image(chosen, error)
        raise UserError(f"data set {self.source.info.name}: not one image can be read")


def identities_of(objects: Objects) -> NDArray[np.int64]:
    """(N,) the identities; of images without, an object's place in the list, which is its own."""
    if objects.identities is None:
        return np.arange(len(objects))
    return objects.identities
