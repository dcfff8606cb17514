"""How much of the ground plane two turned rectangles share: exact, by clipping one with the other.

A rectangle is x, z, length, width, rotation: its centre, its length along x and its width along z
when the rotation (radians, KITTI's rotation_y) is 0. Any unit of length; areas in its square.
Clipping: Sutherland and Hodgman, "Reentrant polygon clipping", CACM 1974.
"""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

from centernet.runtime.jit import njit


def intersections(first: NDArray[np.float64], second: NDArray[np.float64]) -> NDArray[np.float64]:
    """The areas (P,) that rows of `first` (P, 5) share with the same rows of `second` (P, 5).

    A rectangle whose length or width is not positive shares nothing.
    """
    first = np.ascontiguousarray(first, np.float64).reshape(-1, 5)
    second = np.ascontiguousarray(second, np.float64).reshape(-1, 5)
    if len(first) != len(second):
        raise ValueError(f"{len(first)} rectangles cannot be paired with {len(second)}")
    areas: NDArray[np.float64] = _intersections(first, second)
    return areas


@njit
def _cut(points: np.ndarray, count: int, out: np.ndarray, axis: int, side: float) -> int:
    """The part of a polygon where the coordinate `axis` is on the inner side of `side`."""
    sign = 1.0 if side > 0 else -1.0
    kept = 0
    for i in range(count):
        j = i + 1 if i + 1 < count else 0
        here = sign * (side - points[i, axis])
        there = sign * (side - points[j, axis])
        if here >= 0:
            out[kept, 0], out[kept, 1] = points[i, 0], points[i, 1]
            kept += 1
        if here * there < 0:
            share = here / (here - there)
            out[kept, 0] = points[i, 0] + share * (points[j, 0] - points[i, 0])
            out[kept, 1] = points[i, 1] + share * (points[j, 1] - points[i, 1])
            kept += 1
    return kept


@njit
def _area(points: np.ndarray, count: int) -> float:
    twice = 0.0
    for i in range(count):
        j = i + 1 if i + 1 < count else 0
        twice += points[i, 0] * points[j, 1] - points[j, 0] * points[i, 1]
    return abs(twice) / 2


@njit
def _intersections(first: np.ndarray, second: np.ndarray) -> np.ndarray:
    areas = np.zeros(len(first))
    one, other = np.empty((8, 2)), np.empty((8, 2))  # a quadrangle cut four times has 8 corners
    for row in range(len(first)):
        x, z, length, width, rotation = first[row]
        centre_x, centre_z, along, across, turn = second[row]
        if min(length, width, along, across) <= 0:
            continue
        reach = math.hypot(length, width) + math.hypot(along, across)
        if 4 * ((x - centre_x) ** 2 + (z - centre_z) ** 2) >= reach * reach:
            continue
        # The first rectangle's corners as the second sees them, where cutting is along the axes.
        cosine, sine = math.cos(turn), math.sin(turn)
        middle = cosine * (x - centre_x) - sine * (z - centre_z)
        middle_z = sine * (x - centre_x) + cosine * (z - centre_z)
        cosine, sine = math.cos(rotation - turn), math.sin(rotation - turn)
        for corner in range(4):
            a = length / 2 if corner < 2 else -length / 2
            b = width / 2 if corner in (0, 3) else -width / 2
            one[corner, 0] = middle + cosine * a + sine * b
            one[corner, 1] = middle_z - sine * a + cosine * b
        count = _cut(one, 4, other, 0, along / 2)
        count = _cut(other, count, one, 0, -along / 2)
        count = _cut(one, count, other, 1, across / 2)
        count = _cut(other, count, one, 1, -across / 2)
        areas[row] = _area(one, count)
    return areas
