"""The boxes of a table as the network will see them: on its input, and on its output map."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from centernet.datasets.table import Table
from centernet.geometry.view import Size, View

# The view of an image of a size (height, width), and the size of the input it is seen on.
Framed = Callable[[Size], tuple[View, Size]]


@dataclass(frozen=True)
class Seen:
    """K objects on the input of the network; images whose size is not known are left out."""

    rows: NDArray[np.int64]  # (K,) of the table
    boxes: NDArray[np.float64]  # (K, 4) x y width height in pixels of the input
    stride: int  # of the output map

    @property
    def sides(self) -> NDArray[np.float64]:
        """(K,) square roots of the areas."""
        return np.asarray(np.sqrt(self.boxes[:, 2] * self.boxes[:, 3]))

    @property
    def tiny(self) -> NDArray[np.bool_]:
        """(K,): narrower or lower than one cell of the map."""
        return np.asarray(self.boxes[:, 2:].min(axis=1) < self.stride, bool)

    def cells(self) -> NDArray[np.int64]:
        """(K, 2) x, y of the cell of the map that each centre falls into."""
        centres = self.boxes[:, :2] + self.boxes[:, 2:] / 2
        return np.floor(centres / self.stride).astype(np.int64)


def as_seen(table: Table, framed: Framed, stride: int) -> Seen:
    """The objects of `table` (not regions to ignore) on inputs that show whole images."""
    own = (table.classes >= 0) & ~table.crowd & (table.sizes[table.image] > 0).all(axis=1)
    rows = np.flatnonzero(own)
    boxes = table.boxes[rows].copy()
    sizes, which = np.unique(table.sizes, axis=0, return_inverse=True)
    moves = np.zeros((len(sizes), 4))  # scale x, scale y, shift x, shift y
    for place, (height, width) in enumerate(sizes.tolist()):
        if height > 0 and width > 0:
            view, (rows_in, columns_in) = framed((height, width))
            matrix = view.upright((columns_in, rows_in))
            moves[place] = matrix[0, 0], matrix[1, 1], matrix[0, 2], matrix[1, 2]
    move = moves[which.reshape(-1)[table.image[rows]]]
    boxes[:, :2] = boxes[:, :2] * move[:, :2] + move[:, 2:]
    boxes[:, 2:] *= move[:, :2]
    return Seen(rows, boxes, stride)
