"""What the network is told of the previous frame's objects."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from centernet.geometry.affine import transform
from centernet.geometry.view import Size, View


@dataclass(frozen=True)
class Known:
    """N objects of the previous frame in the pixels of the network's input of `size` (h, w).

    `centres` and `sides` are those of the boxes as far as they are inside; objects that are
    nowhere inside are not among them. `seen` are the places and radii at which something is to be
    drawn, None where those follow from the boxes.
    """

    size: Size
    centres: NDArray[np.float32]  # (N, 2) x, y
    sides: NDArray[np.float32]  # (N, 2) width, height
    identities: NDArray[np.int64]  # (N,); -1 of an object without
    seen: NDArray[np.int64] | None = None  # (S, 3) x, y, radius

    @classmethod
    def of(
        cls,
        boxes: NDArray[np.float32],
        identities: NDArray[np.int64] | None,
        view: View,
        size: Size,
    ) -> Known:
        """The objects whose `boxes` (N, 4) are in the pixels of the image that `view` looks at.

        Of a turned view the upper left and the lower right corner follow, as CenterTrack has it.
        """
        if view.mirror is not None:
            boxes = boxes[:, [2, 1, 0, 3]].copy()
            boxes[:, [0, 2]] = view.mirror - 1 - boxes[:, [0, 2]]
        corners = transform(boxes.reshape(-1, 2, 2), view.turned((size[1], size[0])))
        most = np.array([size[1] - 1, size[0] - 1], np.float32)
        low, high = np.clip(corners.astype(np.float32), 0, most).swapaxes(0, 1)
        inside = ((high - low) > 0).all(axis=1)  # nor is a box that is NaN
        low, high = low[inside], high[inside]
        own = np.full(len(boxes), -1) if identities is None else identities
        return cls(size, (low + high) / 2, high - low, own[inside].astype(np.int64))

    @classmethod
    def nothing(cls, size: Size) -> Known:
        """No object is known, as before the first frame."""
        none = np.zeros((0, 2), np.float32)
        return cls(size, none, none, np.zeros(0, np.int64))

    def places_of(
        self, identities: NDArray[np.int64], size: tuple[int, int]
    ) -> NDArray[np.float32]:
        """(N, 2) centres of those of `identities` (N,) in the pixels of a map of `size` (h, w).

        NaN where one is unknown. Ids below 0 are no identities.
        """
        place = {key: n for n, key in reversed(list(enumerate(self.identities.tolist())))}
        found = np.full((len(identities), 2), np.nan, np.float32)
        ratio = np.array([self.size[1] / size[1], self.size[0] / size[0]], np.float32)
        for n, key in enumerate(identities.tolist()):
            if key >= 0 and key in place:
                found[n] = self.centres[place[key]] / ratio
        return found

    def __len__(self) -> int:
        return len(self.centres)
