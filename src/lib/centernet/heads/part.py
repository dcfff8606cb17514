"""What is read off at the centre of an object: one part of a task whose objects are peaks.

A part has its heads, what they learn and from which targets, how they are decoded at the peaks, and
what that is in the image. Tasks are made of parts (`tasks/peak_task.py`).
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
from numpy.typing import NDArray
from torch import Tensor

from centernet.geometry.affine import transform
from centernet.geometry.view import View
from centernet.heads.head_map import Maps
from centernet.heads.peaks import Peaks
from centernet.heads.rows import Rows
from centernet.heads.term import Term, true_maps
from centernet.structures.objects import Objects

if TYPE_CHECKING:  # parts name their heads; here they are only spoken of
    from centernet.heads.head import Head


class Centres(NamedTuple):
    """The peaks of a batch and the `points` (B, K, 2), x y in map pixels, that they stand for."""

    peaks: Peaks
    points: Tensor


@dataclass(frozen=True)
class Placing:
    """From maps to images: how a batch's decoded arrays become fields of Detections.

    `back` (B, 2, 3) are the affine ways from map pixels to those of the images, `views` the B
    windows, `cameras` the images' matrices (3, 4), None where there is none.
    """

    back: NDArray[np.float64]
    views: Sequence[View]
    cameras: Sequence[NDArray | None]

    def points(self, points: NDArray) -> NDArray:
        """`points` (B, K, ..., 2 n) in map pixels as those of the images."""
        return transform(points, self.back)


class Part(ABC):
    """A part of a task; built from what it needs to know of the data and the options."""

    needs: frozenset[str] = frozenset()  # of a data set's `provides`

    @abstractmethod
    def heads(self) -> dict[str, Head]:
        """Its output maps; there may be none."""

    @abstractmethod
    def terms(self) -> Sequence[Term]:
        """What training minimises."""

    @abstractmethod
    def encode(self, rows: Rows, objects: Objects) -> dict[str, NDArray]:
        """Its targets of one image's `objects`, in map pixels, for the `rows` that learn."""

    @abstractmethod
    def decode(self, maps: Maps, at: Centres, found: Mapping[str, Tensor]) -> dict[str, Tensor]:
        """Arrays (B, K, ...) of the peaks; `found` are those of the parts before it."""

    def place(self, arrays: Mapping[str, NDArray], placing: Placing) -> dict[str, Any]:
        """Fields or columns of Detections, by name: B values each, with one row an object."""
        return {}

    def truth(
        self, targets: Mapping[str, Tensor], size: tuple[int, int], wanted: frozenset[str]
    ) -> dict[str, Tensor]:
        """Raw maps (C, h, w) of its heads, as far as `wanted`, that leave nothing to learn.

        From one image's `targets`, for maps of `size`; NaN where any value would do.
        """
        return true_maps(self.terms(), targets, size, wanted)
