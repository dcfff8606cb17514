"""Drawing targets on maps: gaussians around centres, and values spread over them.

Everything here writes into arrays the caller made, in compiled loops over the few pixels concerned.
Methods: CornerNet (arXiv 1808.01244) for the radius, "Objects as Points" (arXiv 1904.07850) for
the rest.
"""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

from centernet.runtime.jit import njit

EPSILON = float(np.finfo(np.float64).eps)


@njit
def gaussian_radius(height: float, width: float, overlap: float = 0.7) -> float:
    """How far a corner may be off before the box overlaps less than `overlap`, in map pixels.

    The roots are taken as the published weights were trained with them: without the division by
    twice the leading coefficient, which makes the radius larger than CornerNet's text says.
    """
    total, area = height + width, height * width
    b1, c1 = total, area * (1 - overlap) / (1 + overlap)
    r1 = (b1 + math.sqrt(b1 * b1 - 4 * c1)) / 2
    b2, c2 = 2 * total, (1 - overlap) * area
    r2 = (b2 + math.sqrt(b2 * b2 - 16 * c2)) / 2
    a3, b3, c3 = 4 * overlap, -2 * overlap * total, (overlap - 1) * area
    r3 = (b3 + math.sqrt(b3 * b3 - 4 * a3 * c3)) / 2
    return min(r1, r2, r3)


@njit
def draw_gaussian(
    heat: NDArray[np.float32], x: int, y: int, radius: int, peak: float = 1.0, delta: float = 6.0
) -> None:
    """Raise `heat` (H, W) to a gaussian of sigma = diameter / `delta` around (x, y) inside it."""
    height, width = heat.shape
    sigma = (2 * radius + 1) / delta
    for row in range(max(0, y - radius), min(height, y + radius + 1)):
        for column in range(max(0, x - radius), min(width, x + radius + 1)):
            squared = (column - x) * (column - x) + (row - y) * (row - y)
            value = math.exp(-squared / (2 * sigma * sigma))
            if value < EPSILON:
                value = 0.0
            heat[row, column] = max(heat[row, column], np.float32(value * peak))


@njit
def exact_radius(height: float, width: float, overlap: float = 0.7) -> float:
    """The same with the roots as CornerNet's text has them: smaller gaussians."""
    total, area = height + width, height * width
    c1 = area * (1 - overlap) / (1 + overlap)
    r1 = (total - math.sqrt(total * total - 4 * c1)) / 2
    b2, c2 = 2 * total, (1 - overlap) * area
    r2 = (b2 - math.sqrt(b2 * b2 - 16 * c2)) / 8
    a3, b3, c3 = 4 * overlap, -2 * overlap * total, (overlap - 1) * area
    r3 = (b3 + math.sqrt(b3 * b3 - 4 * a3 * c3)) / (2 * a3)
    return min(r1, r2, r3)


@njit
def ttf_radius(side: float) -> int:
    """The radius along one axis, in proportion to that side of the box (TTFNet)."""
    return int(side / 2 * 0.54)


@njit
def draw_ellipse(heat: NDArray[np.float32], x: int, y: int, along: int, down: int) -> None:
    """Raise `heat` (H, W) to a gaussian of radius `along` in x and `down` in y."""
    height, width = heat.shape
    sigma_x, sigma_y = (2 * along + 1) / 6, (2 * down + 1) / 6
    for row in range(max(0, y - down), min(height, y + down + 1)):
        for column in range(max(0, x - along), min(width, x + along + 1)):
            value = math.exp(
                -((column - x) ** 2) / (2 * sigma_x**2) - (row - y) ** 2 / (2 * sigma_y**2)
            )
            if value < EPSILON:
                value = 0.0
            heat[row, column] = max(heat[row, column], np.float32(value))


def write_heaviest(
    values: NDArray[np.float32],
    weights: NDArray[np.float32],
    x: int,
    y: int,
    radii: tuple[int, int],
    value: NDArray[np.float32],
    share: float,
) -> None:
    """Write `value` (D,) into `values` (H, W, D) under the gaussian of `radii` (along, down).

    `weights` (H, W) gets `share` there, parted as the gaussian is.
    """
    height, width = weights.shape
    along, down = radii
    gaussian = np.zeros((2 * down + 1, 2 * along + 1), np.float32)
    draw_ellipse(gaussian, along, down, along, down)
    top, left = max(0, y - down), max(0, x - along)
    bottom, right = min(height, y + down + 1), min(width, x + along + 1)
    part = gaussian[top - y + down : bottom - y + down, left - x + along : right - x + along]
    seen = part > 0
    values[top:bottom, left:right][seen] = value
    weights[top:bottom, left:right][seen] = part[seen] * share / part.sum()


@njit
def draw_wide_gaussian(heat: NDArray[np.float32], x: int, y: int, sigma: int) -> None:
    """Raise `heat` (H, W) to a gaussian of `sigma` > 0 cut at three sigma, for the MSE loss."""
    height, width = heat.shape
    reach = 3 * sigma
    for row in range(max(0, y - reach), min(height, y + reach + 1)):
        for column in range(max(0, x - reach), min(width, x + reach + 1)):
            squared = (column - x) * (column - x) + (row - y) * (row - y)
            value = np.float32(math.exp(-squared / (2.0 * sigma * sigma)))
            heat[row, column] = max(heat[row, column], value)


@njit
def spread_value(
    values: NDArray[np.float32],
    heat: NDArray[np.float32],
    x: int,
    y: int,
    value: NDArray[np.float32],
    radius: int,
    is_offset: bool = False,
) -> None:
    """Write `value` (D,) into `values` (D, H, W) where this object's gaussian is the highest.

    `heat` (H, W) holds all gaussians drawn so far, this one included. With `is_offset` the value
    is a vector (x, y) to a point, so it shrinks with the distance from (x, y).
    """
    height, width = heat.shape
    sigma = (2 * radius + 1) / 6
    for row in range(max(0, y - radius), min(height, y + radius + 1)):
        for column in range(max(0, x - radius), min(width, x + radius + 1)):
            squared = (column - x) * (column - x) + (row - y) * (row - y)
            own = math.exp(-squared / (2 * sigma * sigma))
            if own < EPSILON:
                own = 0.0
            if own >= heat[row, column]:
                for d in range(value.shape[0]):
                    values[d, row, column] = value[d]
                if is_offset and value.shape[0] == 2:
                    values[0, row, column] -= column - x
                    values[1, row, column] -= row - y


@njit
def object_radius(height: float, width: float) -> int:
    """Whole radius of the gaussian of a box, its sides rounded up first."""
    return max(0, int(gaussian_radius(math.ceil(height), math.ceil(width))))
