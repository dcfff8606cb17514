"""Width and height of an object's box."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from centernet.heads.head import Head
from centernet.heads.head_map import Maps
from centernet.heads.losses import Dense, Loss, at_centres
from centernet.heads.part import Centres, Part, Placing
from centernet.heads.peaks import mirror
from centernet.heads.rows import Rows
from centernet.heads.targets import draw_gaussian, spread_value
from centernet.heads.term import Term
from centernet.runtime.jit import njit
from centernet.structures.objects import Objects


class Size(Part):
    """Head `wh`: the box is as wide and as high as it says, around the centre.

    Targets `wh` (R, 2), map pixels.
    """

    needs = frozenset({"boxes"})
    channels = 2

    def __init__(self, loss: Loss, weight: float) -> None:
        self.loss, self.weight = loss, weight

    def heads(self) -> dict[str, Head]:
        return {"wh": Head(self.channels, flip=mirror, reads="places")}

    def terms(self) -> Sequence[Term]:
        return (Term("wh_loss", self.loss, ("wh",), self.weight),)

    def encode(self, rows: Rows, objects: Objects) -> dict[str, NDArray]:
        return {"wh": rows.filled(sizes_of(rows))}

    def sizes(self, maps: Maps, at: Centres) -> Tensor:
        """Width and height (B, K, 2) at the peaks."""
        return maps["wh"].at(at.peaks.index)

    def decode(self, maps: Maps, at: Centres, found: Mapping[str, Tensor]) -> dict[str, Tensor]:
        half = self.sizes(maps, at) / 2
        return {"boxes": torch.cat([at.points - half, at.points + half], dim=2)}

    def place(self, arrays: Mapping[str, NDArray], placing: Placing) -> dict[str, Any]:
        return {"boxes": placing.points(arrays["boxes"])}


class SizeByClass(Size):
    """Head `wh` with a pair of maps for every class.

    Targets `cat_spec_wh` (R, 2 * classes) and `cat_spec_mask`, of the object's own class alone.
    """

    def __init__(self, classes: int, weight: float) -> None:
        super().__init__(at_centres("cat_spec_wh", "l1", mask="cat_spec_mask"), weight)
        self.classes, self.channels = classes, 2 * classes

    def encode(self, rows: Rows, objects: Objects) -> dict[str, NDArray]:
        room, used = len(rows.objects), np.flatnonzero(rows.mask)
        sizes = np.zeros((room, self.classes, 2), np.float32)
        mask = np.zeros((room, self.classes, 2), np.uint8)
        own = rows.objects[used]
        sizes[used, rows.classes[own]] = sizes_of(rows)[own]
        mask[used, rows.classes[own]] = 1
        return {"cat_spec_wh": sizes.reshape(room, -1), "cat_spec_mask": mask.reshape(room, -1)}

    def sizes(self, maps: Maps, at: Centres) -> Tensor:
        pairs = super().sizes(maps, at).unflatten(2, (-1, 2))
        chosen = at.peaks.classes.view(*at.peaks.classes.shape, 1, 1).expand(-1, -1, 1, 2)
        return pairs.gather(2, chosen).squeeze(2)


class DenseSize(Size):
    """Head `wh`, learned all over the gaussian of an object.

    Targets `dense_wh` and `dense_wh_mask` (2, h, w): the size where the object's gaussian is the
    highest so far, and the highest gaussian.
    """

    def __init__(self, weight: float) -> None:
        super().__init__(Dense("dense_wh", "dense_wh_mask"), weight)

    def encode(self, rows: Rows, objects: Objects) -> dict[str, NDArray]:
        sizes = np.zeros((2, *rows.size), np.float32)
        highest = np.zeros(rows.size, np.float32)
        drawn = rows.drawn
        spread_sizes(sizes_of(rows)[drawn], rows.cells[drawn], rows.radii[drawn], highest, sizes)
        return {"dense_wh": sizes, "dense_wh_mask": np.stack([highest, highest])}


def sizes_of(rows: Rows) -> NDArray[np.float32]:
    """Width and height (N, 2) of the clipped boxes."""
    return rows.boxes[:, 2:] - rows.boxes[:, :2]


@njit
def spread_sizes(
    sizes: NDArray[np.float32],
    cells: NDArray[np.int64],
    radii: NDArray[np.int64],
    highest: NDArray[np.float32],
    maps: NDArray[np.float32],
) -> None:
    """Spread `sizes` (N, 2) over `maps` (2, h, w); `highest` (h, w) collects the gaussians."""
    for n in range(sizes.shape[0]):
        x, y = cells[n, 0], cells[n, 1]
        draw_gaussian(highest, x, y, radii[n])
        spread_value(maps, highest, x, y, sizes[n], radii[n])
