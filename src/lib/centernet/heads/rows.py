"""Where the objects of an image are taught: their centres, their gaussians, the cells that learn.

The one loop over boxes of all tasks whose objects are peaks. Methods: "Objects as Points" (arXiv
1904.07850); several cells an object after TTFNet (arXiv 1909.00700) and CenterNet2 (arXiv
2103.07461).
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from centernet.heads.spots import no_spots
from centernet.heads.targets import (
    draw_ellipse,
    draw_gaussian,
    exact_radius,
    gaussian_radius,
    object_radius,
    ttf_radius,
)
from centernet.runtime.errors import UserError
from centernet.runtime.jit import njit

IGNORED = 0.9999  # of a heat map: no peak, and hardly any loss for whatever is predicted
PASSED, MIDDLES, RECTANGLES = 0, 1, 2  # how regions to ignore are drawn
RADII = ("published", "exact", "ttf")  # of gaussians; or a number of cells, as "fixed:2"


@dataclass(frozen=True)
class Rows:
    """The N objects of an image on maps of `size` (h, w), and the R rows of its targets.

    Of each object, in map pixels: `boxes` (N, 4) clipped to the map, `centres` (N, 2) and the cells
    they lie in, `cells` (N, 2), both x y, the `radii` (N,) of the gaussians along x and `down`
    (N,) along y, and whether it is `there` (N,) at all. Of each row: which of the `objects` (R,) it
    belongs to, the `index` (R,) y * w + x of the cell that learns, and its `mask` (R,), 0 for rows
    without an object; a mask of floats weighs the rows. As published object n has row n, for the
    cell of its centre. `room` is that for objects, a constant of the data set.
    """

    size: tuple[int, int]
    room: int
    classes: NDArray[np.int64]
    boxes: NDArray[np.float32]
    centres: NDArray[np.float32]
    cells: NDArray[np.int64]
    radii: NDArray[np.int64]
    down: NDArray[np.int64]
    there: NDArray[np.uint8]
    objects: NDArray[np.int64]
    index: NDArray[np.int64]
    mask: NDArray[np.uint8] | NDArray[np.float32]

    def filled(self, values: NDArray, dtype: type = np.float32) -> NDArray:
        """`values` (N, ...) of the objects as those of the rows (R, ...); 0 in empty rows."""
        rows = np.zeros((len(self.objects), *values.shape[1:]), dtype)
        used = np.flatnonzero(self.mask)
        rows[used] = values[self.objects[used]]
        return rows

    def offsets(self, points: NDArray) -> NDArray[np.float32]:
        """`points` (N, ..., 2) of the objects as vectors (R, ..., 2) from the cells of the rows."""
        used = np.flatnonzero(self.mask)
        rows = np.zeros((len(self.objects), *points.shape[1:]), np.float32)
        y, x = np.divmod(self.index[used], self.size[1])
        cells = np.stack([x, y], axis=1).reshape(len(used), *(1,) * (points.ndim - 2), 2)
        rows[used] = points[self.objects[used]].astype(np.float64) - cells
        return rows

    @property
    def drawn(self) -> NDArray[np.int64]:
        """The objects that have a gaussian, in their order."""
        return np.flatnonzero((self.there > 0) & (self.classes >= 0))

    def spots(self) -> NDArray[np.int32]:
        """The gaussians as spots (room, 4) of class, x, y and radius; see `heads/spots.py`."""
        spots, drawn = no_spots(self.room), self.drawn
        spots[drawn] = np.column_stack([self.classes, self.cells, self.radii])[drawn]
        return spots


def place(
    boxes: NDArray,
    classes: NDArray[np.int64],
    size: tuple[int, int],
    room: int,
    *,
    rounded: bool = True,
    outside: bool = False,
    radius: str = "published",
) -> Rows:
    """Rows of `boxes` (N, 4) in map pixels, N at most `room`; object n has row n.

    Boxes are clipped to the map of `size` (h, w). One with nothing inside is passed over, unless
    `outside` keeps it (joints may lie inside where an upright box does not), and one with a class
    below 0 has no row. `rounded` takes the published radius of the box with its sides rounded up.
    `radius` is one of RADII or "fixed:N".
    """
    count = len(boxes)
    clipped, centres = np.zeros((count, 4), np.float32), np.zeros((count, 2), np.float32)
    cells, radii = np.zeros((count, 2), np.int64), np.zeros(count, np.int64)
    down = radii
    there = np.zeros(count, np.uint8)
    given = np.ascontiguousarray(boxes, np.float32)
    place_boxes(given, size, rounded, outside, clipped, centres, cells, radii, there)
    if radius != "published":
        radii, down = other_radii(clipped, there, radius)
    index, mask = np.zeros(room, np.int64), np.zeros(room, np.uint8)
    learns = there & (classes >= 0)
    mask[:count] = learns
    index[:count] = np.where(learns, cells[:, 1] * size[1] + cells[:, 0], 0)
    return Rows(
        size=size,
        room=room,
        classes=classes,
        boxes=clipped,
        centres=centres,
        cells=cells,
        radii=radii,
        down=down,
        there=there,
        objects=np.minimum(np.arange(room), max(count - 1, 0)),
        index=index,
        mask=mask,
    )


def other_radii(
    boxes: NDArray[np.float32], there: NDArray[np.uint8], radius: str
) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Radii (N,) along x and y of the gaussians of `boxes` (N, 4), where not published."""
    along, down = np.zeros(len(boxes), np.int64), np.zeros(len(boxes), np.int64)
    for n in np.flatnonzero(there):
        w, h = (float(side) for side in boxes[n, 2:] - boxes[n, :2])
        if radius == "ttf":
            along[n], down[n] = ttf_radius(w), ttf_radius(h)
        elif radius == "exact":
            along[n] = down[n] = max(0, int(exact_radius(np.ceil(h), np.ceil(w))))
        else:
            along[n] = down[n] = fixed_radius(radius)
    return along, down


def fixed_radius(radius: str) -> int:
    """The N of "fixed:N"; UserError for what is no radius."""
    kind, _, number = radius.partition(":")
    if kind != "fixed" or not number.isdecimal():
        raise UserError(f"--radius {radius}: there are {', '.join(RADII)} and fixed:N, as fixed:2")
    return int(number)


def around(rows: Rows, reach: int = 1) -> Rows:
    """`rows` with the cells up to `reach` beside each centre, for the same values: 3 x 3 for 1.

    Row (2 reach + 1)^2 n + i is that of neighbour i of row n; those beyond the map are empty.
    """
    height, width = rows.size
    steps = np.arange(-reach, reach + 1)
    down, along = (each.ravel() for each in np.meshgrid(steps, steps, indexing="ij"))
    y, x = np.divmod(rows.index, width)
    y, x = y[:, None] + down, x[:, None] + along
    inside = (y >= 0) & (y < height) & (x >= 0) & (x < width)
    mask = inside * rows.mask[:, None]
    index = np.where(mask > 0, y * width + x, 0)
    return replace(
        rows,
        objects=np.repeat(rows.objects, len(down)),
        index=index.ravel(),
        mask=mask.ravel(),
    )


@njit
def place_boxes(
    boxes: NDArray[np.float32],
    size: tuple[int, int],
    rounded: bool,
    outside: bool,
    clipped: NDArray[np.float32],
    centres: NDArray[np.float32],
    cells: NDArray[np.int64],
    radii: NDArray[np.int64],
    there: NDArray[np.uint8],
) -> None:
    """Fill what `place` makes of `boxes` (N, 4)."""
    height, width = size
    for n in range(boxes.shape[0]):
        x1 = min(max(boxes[n, 0], np.float32(0)), np.float32(width - 1))
        y1 = min(max(boxes[n, 1], np.float32(0)), np.float32(height - 1))
        x2 = min(max(boxes[n, 2], np.float32(0)), np.float32(width - 1))
        y2 = min(max(boxes[n, 3], np.float32(0)), np.float32(height - 1))
        w, h = x2 - x1, y2 - y1
        if np.isnan(w + h) or (not (w > 0 and h > 0) and not outside):
            continue
        centre_x, centre_y = np.float32((x1 + x2) / 2), np.float32((y1 + y2) / 2)
        clipped[n, 0], clipped[n, 1], clipped[n, 2], clipped[n, 3] = x1, y1, x2, y2
        centres[n, 0], centres[n, 1] = centre_x, centre_y
        cells[n, 0], cells[n, 1] = int(centre_x), int(centre_y)
        radii[n] = object_radius(h, w) if rounded else max(0, int(gaussian_radius(h, w)))
        there[n] = 1


def draw_objects(heat: NDArray[np.float32], rows: Rows, regions: int = PASSED) -> None:
    """Raise `heat` (classes, h, w) to the gaussians of the objects.

    A class below 0 is a region to ignore (see Objects): with MIDDLES a gaussian that is IGNORED at
    its middle, with RECTANGLES IGNORED all over. Later regions overwrite earlier peaks, as
    published.
    """
    drawn = rows.cells, rows.radii, rows.down, rows.there
    draw_boxes(heat, rows.classes, rows.boxes, *drawn, regions)


@njit
def draw_boxes(
    heat: NDArray[np.float32],
    classes: NDArray[np.int64],
    boxes: NDArray[np.float32],
    cells: NDArray[np.int64],
    radii: NDArray[np.int64],
    down: NDArray[np.int64],
    there: NDArray[np.uint8],
    regions: int,
) -> None:
    """The loop of `draw_objects`."""
    count = heat.shape[0]
    for n in range(classes.shape[0]):
        kind = classes[n]
        if there[n] == 0 or (kind < 0 and regions == PASSED) or kind < -1 - count:
            continue
        first, last = kind, kind + 1
        if kind == -1:
            first, last = 0, count
        elif kind < -1:
            first, last = -2 - kind, -1 - kind
        x, y = cells[n, 0], cells[n, 1]
        for c in range(first, last):
            if kind < 0 and regions == RECTANGLES:
                x1, y1, x2, y2 = boxes[n, 0], boxes[n, 1], boxes[n, 2], boxes[n, 3]
                heat[c, int(y1) : int(y2) + 1, int(x1) : int(x2) + 1] = IGNORED
            else:
                if radii[n] == down[n]:
                    draw_gaussian(heat[c], x, y, radii[n])
                else:
                    draw_ellipse(heat[c], x, y, radii[n], down[n])
                if kind < 0:
                    heat[c, y, x] = IGNORED
