"""Several sources of one kind, to train on together."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Mapping, Sequence
from itertools import accumulate
from pathlib import Path
from typing import TYPE_CHECKING, NoReturn

import numpy as np
from numpy.random import Generator
from numpy.typing import NDArray

from centernet.datasets.class_lists import same_classes
from centernet.datasets.source import Source
from centernet.runtime.errors import UserError
from centernet.structures.objects import Objects

if TYPE_CHECKING:
    from centernet.structures.detections import Detections


class Joined(Source):
    """The images of all `sources`, one after another; UserError if their classes differ."""

    def __init__(self, sources: Sequence[Source]) -> None:
        self.sources = list(sources)
        self.info = self.sources[0].info
        self.strict = any(source.strict for source in self.sources)
        self._ends = list(accumulate(len(source) for source in self.sources))
        for source in self.sources[1:]:
            same_classes(self.info.class_names, source.info.class_names)

    @property
    def read(self) -> list[str]:
        return [line for source in self.sources for line in source.read]

    def __len__(self) -> int:
        return self._ends[-1]

    def _at(self, index: int) -> tuple[Source, int]:
        place = bisect_right(self._ends, index)
        return self.sources[place], index - (self._ends[place - 1] if place else 0)

    def image_id(self, index: int) -> int | str:
        source, own = self._at(index)
        return source.image_id(own)

    def path(self, index: int) -> Path:
        source, own = self._at(index)
        return source.path(own)

    def image(self, index: int) -> NDArray[np.uint8]:
        source, own = self._at(index)
        return source.image(own)

    def objects(self, index: int) -> Objects:
        source, own = self._at(index)
        return source.objects(own)

    def sequences(self) -> list[list[int]]:
        starts = [0, *self._ends]
        return [
            [start + index for index in frames]
            for start, source in zip(starts, self.sources, strict=False)
            for frames in source.sequences()
        ]

    def previous(self, index: int, rng: Generator | None = None, within: int = 3) -> int | None:
        source, own = self._at(index)
        before = source.previous(own, rng, within)
        return None if before is None else before + index - own

    def evaluate(self, results: Mapping[int | str, Detections], folder: Path) -> NoReturn:
        raise UserError("joined data sets are for training; test on one of them")
