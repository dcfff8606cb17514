"""Samples for training: read, augment, encode."""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch.utils.data import Dataset as TorchDataset

from centernet.datasets.colour import Colour, colour_matrix, normalise
from centernet.datasets.framing import NO_AUGMENTATION, Augmentation
from centernet.datasets.source import Source
from centernet.geometry.view import Size, map_size
from centernet.io.image import ImageError
from centernet.runtime.errors import UserError
from centernet.tasks.task import Task


class Dataset(TorchDataset):
    """What the network sees of a source and what it should answer, one image at a time.

    A sample depends only on (seed, epoch, index): not on the worker that makes it, nor on the
    samples made before. That is what makes a resumed run equal to one that never stopped.

    A sample is {"input": (3, H, W) float32, "index": int, and the task's targets}. With
    `unfinished` the arithmetic is left to `trains.finish`: "image" (H, W, 3) uint8 and "colours"
    (3, 4) float32 stand for the input, and lists of spots for heat maps.

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
        jitter = self.augmentation.colour and self.task.colour_jitter
        colour = Colour.draw(rng) if jitter else None
        return self.see(index, image, view, size, colour)

    def see(
        self, index: int, image: NDArray[np.uint8], view: Any, size: Size, colour: Colour | None
    ) -> dict[str, Any]:
        """The sample of `image` in a given view: no draw is left to make."""
        info, seen = self.source.info, self.task.info
        canvas = view.warp(image, (size[1], size[0]))
        height, width = map_size(size, self.stride)
        objects = self.source.objects(index).warp(view, (width, height), info.flip_pairs)
        if self.unfinished:
            mapping = colour_matrix(canvas, seen.mean, seen.std, colour).astype(np.float32)
            arrays = {"image": canvas, "colours": mapping}
            arrays |= self.task.sketch(objects, (height, width))
        else:
            arrays = {"input": normalise(canvas, seen.mean, seen.std, colour)}
            arrays |= self.task.encode(objects, (height, width))
        return {**{name: torch.from_numpy(array) for name, array in arrays.items()}, "index": index}

    def _readable(self, index: int) -> tuple[int, NDArray[np.uint8]]:
        for step in range(len(self)):
            chosen = (index + step) % len(self)
            try:
                return chosen, self.source.image(chosen)
            except ImageError as error:
                self.source.drop_image(chosen, error)
        raise UserError(f"data set {self.source.info.name}: not one image can be read")
