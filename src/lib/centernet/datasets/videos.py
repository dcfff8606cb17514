"""Which images of a data set follow one another."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from itertools import pairwise

import numpy as np
from numpy.random import Generator
from numpy.typing import NDArray


@dataclass(frozen=True)
class Videos:
    """The video and the frame of M images. Frames count from 1; they need not be without gaps."""

    names: Sequence[str]  # of the videos
    video: NDArray[np.int64]  # (M,) row in `names`
    frame: NDArray[np.int64]  # (M,)

    @cached_property
    def sequences(self) -> list[list[int]]:
        """The images of each video in the order of their frames; a video without any is empty."""
        order = np.lexsort((self.frame, self.video))
        starts = np.searchsorted(self.video[order], np.arange(len(self.names) + 1))
        return [order[a:b].tolist() for a, b in pairwise(starts)]

    def previous(self, index: int, rng: Generator | None, within: int) -> int:
        """The image to take as the one before image `index`; itself where there is no other.

        Without `rng` the frame before; with it any of the video less than `within` frames away,
        later ones and itself among them, as CenterTrack trains.
        """
        frames = self.sequences[int(self.video[index])]
        if rng is None:
            place = frames.index(index)
            return frames[max(place - 1, 0)]
        away = np.abs(self.frame[frames] - self.frame[index])
        return int(rng.choice(np.asarray(frames)[away < within]))

    def keep(self, rows: NDArray[np.int64]) -> Videos:
        """Only the images of `rows`; every video stays."""
        return replace(self, video=self.video[rows], frame=self.frame[rows])
