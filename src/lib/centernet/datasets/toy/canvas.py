"""An image painted from back to front that remembers who owns each pixel.

Everything exact in the toy set comes from here: masks, boxes and visibilities are read off the
owner of each pixel, not measured in the image. Points are (x, y) with pixel centres at whole
numbers, so pixel 0 reaches from -0.5 to 0.5.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import cv2
import numpy as np
from numpy.random import Generator
from numpy.typing import ArrayLike, NDArray

FINE = 4  # drawn this many times finer, then averaged: soft edges
TRIES = 10
_FRACTION = 4  # bits of sub-pixel positions that OpenCV's polygon filler gets


@dataclass(frozen=True)
class Stencil:
    """How much of each pixel of a window lies inside an outline; the window may leave the image."""

    alpha: NDArray[np.float32]  # (h, w) in [0, 1]
    x: int  # of the window's first column in the image
    y: int

    @property
    def solid(self) -> NDArray[np.bool_]:
        """(h, w): the pixels that count as the thing's."""
        return self.alpha >= 0.5

    def inside(self, height: int, width: int) -> tuple[tuple[slice, slice], tuple[slice, slice]]:
        """Where the window meets an image: slices of the image, and of the window."""
        h, w = self.alpha.shape
        top, left = max(self.y, 0), max(self.x, 0)
        bottom = max(min(self.y + h, height), top)
        right = max(min(self.x + w, width), left)
        window = slice(top - self.y, bottom - self.y), slice(left - self.x, right - self.x)
        return (slice(top, bottom), slice(left, right)), window


def stencil(outlines: Sequence[ArrayLike]) -> Stencil:
    """The stencil of closed `outlines` ((N, 2) points each); overlapping ones cut a hole."""
    lines = [np.asarray(outline, np.float64) for outline in outlines]
    points = np.concatenate(lines)
    low = np.floor(points.min(0)).astype(int) - 1
    size = np.ceil(points.max(0)).astype(int) + 2 - low
    fine = np.zeros((size[1] * FINE, size[0] * FINE), np.uint8)
    shifted = [((line - low + 0.5) * FINE - 0.5) * 2**_FRACTION for line in lines]
    cv2.fillPoly(fine, [np.rint(s).astype(np.int32) for s in shifted], 255, shift=_FRACTION)
    alpha = cv2.resize(fine, (int(size[0]), int(size[1])), interpolation=cv2.INTER_AREA)
    return Stencil(np.asarray(alpha, np.float32) / np.float32(255), int(low[0]), int(low[1]))


@dataclass(frozen=True)
class Part:
    """A stencil and its paint: one colour, or one a pixel of the window. BGR, 0 to 255."""

    stencil: Stencil
    paint: NDArray[np.float32]  # (3,) or (h, w, 3)

    def moved(self, x: int, y: int) -> Part:
        """The same part, further right and down by whole pixels."""
        form = self.stencil
        return replace(self, stencil=replace(form, x=form.x + x, y=form.y + y))


class Canvas:
    """An image under the brush; `owner` is (thing, part) of each pixel, -1 for the background."""

    def __init__(self, backdrop: NDArray[np.float32]) -> None:
        self.image = backdrop.astype(np.float32)
        self.height, self.width = backdrop.shape[:2]
        self.owner = np.full((2, self.height, self.width), -1, np.int16)
        self.sizes: list[int] = []  # pixels of each thing inside the image, were it alone

    def silhouette(self, parts: Sequence[Part]) -> NDArray[np.bool_]:
        """(H, W): the pixels of the image that `parts` together would cover."""
        mask = np.zeros((self.height, self.width), bool)
        for part in parts:
            image, window = part.stencil.inside(self.height, self.width)
            mask[image] |= part.stencil.solid[window]
        return mask

    def leaves_visible(self, parts: Sequence[Part], share: float) -> bool:
        """Whether each thing would keep at least `share` of its pixels under the new parts."""
        left = self.owner[0][~self.silhouette(parts)]
        visible = np.bincount(left[left >= 0], minlength=len(self.sizes))
        return bool(np.all(visible >= share * np.array(self.sizes)))

    def place(
        self,
        rng: Generator,
        parts: Sequence[Part],
        low: ArrayLike,
        high: ArrayLike,
        visible: float,
    ) -> NDArray[np.int64] | None:
        """Add a thing drawn about the origin somewhere between the points `low` and `high`.

        Returns its place (x, y), or None when each of the places tried would leave less than
        the share `visible` of some earlier thing in sight.
        """
        first, last = np.asarray(low, np.float64), np.asarray(high, np.float64)
        for _ in range(TRIES):
            spot = np.rint(rng.uniform(first, last, 2)).astype(np.int64)
            moved = [part.moved(int(spot[0]), int(spot[1])) for part in parts]
            if self.leaves_visible(moved, visible):
                self.add(moved)
                return spot
        return None

    def add(self, parts: Sequence[Part]) -> int:
        """Paint a thing, its parts from back to front; returns its number."""
        number = len(self.sizes)
        self.sizes.append(int(self.silhouette(parts).sum()))
        for place, part in enumerate(parts):
            self.paint(part, number, place)
        return number

    def paint(self, part: Part, thing: int, place: int) -> None:
        """Paint one part of `thing` over whatever is there."""
        image, window = part.stencil.inside(self.height, self.width)
        alpha = part.stencil.alpha[window][..., None]
        paint = part.paint[window] if part.paint.ndim == 3 else part.paint
        self.image[image] += alpha * (paint - self.image[image])
        solid = part.stencil.solid[window]
        self.owner[0][image][solid] = thing
        self.owner[1][image][solid] = place

    def mask(self, thing: int) -> NDArray[np.bool_]:
        """(H, W): where `thing` is seen."""
        return self.owner[0] == thing

    def at(self, x: float, y: float) -> tuple[int, int] | None:
        """Thing and part at a point; None outside the image."""
        column, row = round(x), round(y)
        if not (0 <= column < self.width and 0 <= row < self.height):
            return None
        return int(self.owner[0, row, column]), int(self.owner[1, row, column])
