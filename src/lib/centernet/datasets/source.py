"""What a data set must tell and give, whatever the format of its files."""

from __future__ import annotations

import sys
from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import torch
from numpy.random import Generator
from numpy.typing import NDArray
from torch import Tensor

from centernet.datasets.evaluate.evaluation import Evaluation
from centernet.io.image import ImageError, read_image
from centernet.structures.objects import Objects

if TYPE_CHECKING:
    from centernet.structures.detections import Detections

SHOWN = 10  # unreadable images that are named
Triple = tuple[float, float, float]


@dataclass(frozen=True)
class Info:
    """Facts of a data set, read from its annotations wherever they state them.

    `provides` is a subset of {"boxes", "keypoints", "extremes", "masks", "cuboids", "identities"}.
    `mean` and `std` (of colours in [0, 1]) are in the channel order of the images, BGR.
    """

    name: str
    class_names: tuple[str, ...]
    category_ids: tuple[int | str, ...]  # of the class at the same place, as the files write it
    provides: frozenset[str] = frozenset({"boxes"})
    joints: tuple[str, ...] = ()
    flip_pairs: tuple[tuple[int, int], ...] = ()
    skeleton: tuple[tuple[int, int], ...] = ()  # limbs as pairs of joint indices from 0
    sigmas: tuple[float, ...] | None = None  # of the joints, for OKS
    mean: Triple = (0.40789654, 0.44719302, 0.47009549)
    std: Triple = (0.28863828, 0.27408164, 0.27809835)
    colour: str = "BGR"
    resolution: tuple[int, int] = (512, 512)  # default input (height, width)
    max_objects: int = 128

    @property
    def num_classes(self) -> int:
        return len(self.class_names)


class Source(ABC):
    """Images and their objects, read on demand; safe to copy into worker processes."""

    info: Info
    results_name: str = "results.json"  # of the file by which `evaluate` can be told from another
    strict: bool = False  # stop at the first bad object or image instead of dropping it

    @abstractmethod
    def __len__(self) -> int: ...

    @abstractmethod
    def image_id(self, index: int) -> int | str:
        """The id by which results name the image."""

    @abstractmethod
    def path(self, index: int) -> Path: ...

    @abstractmethod
    def objects(self, index: int) -> Objects:
        """Annotations of image `index`, in its pixels."""

    @abstractmethod
    def evaluate(self, results: Mapping[int | str, Detections], folder: Path) -> Evaluation:
        """The metrics of `results`, the first of which a run is evaluated by ("AP" in [0, 1], say).

        Writes the results file of the format into `folder` and prints nothing: the table is a part
        of what is returned.
        """

    @property
    def metric_names(self) -> tuple[str, ...]:
        """What `evaluate` will give, where it is known before."""
        return ()

    @property
    def read(self) -> list[str]:
        """What was read, a line each: images, objects by class, what was passed over."""
        return [f"{self.info.name}: {len(self)} images"]

    def only(self, keep: NDArray[np.bool_]) -> Source:
        """The source with those of its images that `keep` (len(self),) marks, to evaluate on.

        One that cannot be cut is given back as it is.
        """
        return self

    def sequences(self) -> Sequence[Sequence[int]]:
        """The images of each video in order; none where images do not follow one another."""
        return ()

    def previous(self, index: int, rng: Generator | None = None, within: int = 3) -> int | None:
        """The image before image `index` of a video; None for a still image.

        Without `rng` the frame before, the first frame itself; with it any frame of the video less
        than `within` frames away, itself among them.
        """
        return None

    def image(self, index: int) -> NDArray[np.uint8]:
        """(H, W, 3) BGR; raises ImageError (a UserError) when it cannot be read."""
        return read_image(self.path(index))

    @cached_property
    def dropped(self) -> Tensor:
        """(len(self),) bool in shared memory: the images that were found to be unreadable."""
        return torch.zeros(len(self), dtype=torch.bool, device="cpu").share_memory_()

    def drop_image(self, index: int, error: ImageError) -> None:
        """Leave image `index` out because of `error`: said once, or raised if `strict`.

        Once for all processes that were started since `dropped` was first looked at; the first few
        in full.
        """
        if self.strict:
            raise error
        if self.dropped[index]:
            return
        self.dropped[index] = True
        count = int(self.dropped.sum())
        if count > SHOWN:
            return
        more = "; further ones are left out without a line each" if count == SHOWN else ""
        print(f"{error}; left out (--strict to stop){more}", file=sys.stderr, flush=True)
