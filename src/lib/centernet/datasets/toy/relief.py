"""An image of flat faces with a depth for each pixel: the nearer face is the one that is seen."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from centernet.geometry.cuboids import project

LIGHT = np.array([-0.45, -0.8, -0.4]) / np.linalg.norm([-0.45, -0.8, -0.4])  # towards the sun
AMBIENT = 0.55  # brightness of a face in the shade
_FRACTION = 4  # bits of sub-pixel positions that OpenCV's polygon filler gets

Patch = tuple[NDArray[np.float64], NDArray[np.float32]]


@dataclass(frozen=True)
class Face:
    """A parallelogram in space: a corner, its two sides, and what is painted on it.

    Seen from outside, `right` leads to the viewer's right and `down` downwards. Each patch is an
    outline (N, 2) in shares of the two sides, and a colour; the first is the whole face.
    """

    corner: NDArray[np.float64]  # (3,) upper left
    right: NDArray[np.float64]
    down: NDArray[np.float64]
    patches: tuple[Patch, ...]

    def at(self, shares: NDArray[np.float64]) -> NDArray[np.float64]:
        """Points (N, 3) at shares (N, 2) of the sides."""
        return self.corner + shares @ np.stack([self.right, self.down])

    @property
    def normal(self) -> NDArray[np.float64]:
        """Unit vector out of the box."""
        normal = np.cross(self.down, self.right)
        return normal / np.linalg.norm(normal)


class Relief:
    """An image, and for each pixel 1 / depth and the number of the thing that is seen there."""

    def __init__(self, backdrop: NDArray[np.float32], calibration: NDArray[np.float64]) -> None:
        self.image = backdrop
        self.calibration = calibration
        self.nearness = np.zeros(backdrop.shape[:2])
        self.owner = np.full(backdrop.shape[:2], -1, np.int16)
        self.sizes: list[int] = []
        self._rows, self._columns = np.ogrid[: backdrop.shape[0], : backdrop.shape[1]]
        # The camera stands where the matrix sends everything to zero.
        self.eye = -np.linalg.solve(calibration[:, :3], calibration[:, 3])

    def add(self, faces: Sequence[Face]) -> None:
        """Draw a convex thing of `faces`: those turned to the camera, where nothing is nearer."""
        silhouette = np.zeros(self.owner.shape, bool)
        for face in faces:
            if face.normal @ (self.eye - face.corner) > 0:
                self._draw(face, len(self.sizes), silhouette)
        self.sizes.append(int(silhouette.sum()))

    def visible(self, thing: int) -> float:
        """The share of the thing's pixels in the image that nothing hides."""
        return float((self.owner == thing).sum() / max(self.sizes[thing], 1))

    def _draw(self, face: Face, thing: int, silhouette: NDArray[np.bool_]) -> None:
        """Draw one face, and mark in `silhouette` the pixels it would cover alone."""
        x, y, window = self._window(face)
        picture = self.image[window].copy()
        if not picture.size:
            return  # beside the image
        inside = np.zeros(picture.shape[:2], np.uint8)
        brightness = AMBIENT + (1 - AMBIENT) * max(0.0, float(face.normal @ LIGHT))
        for place, (outline, paint) in enumerate(face.patches):
            points = np.rint((project(face.at(outline), self.calibration) - (x, y)) * 2**_FRACTION)
            lines = [points.astype(np.int32)]
            cv2.fillPoly(picture, lines, (paint * brightness).tolist(), shift=_FRACTION)
            if place == 0:
                cv2.fillPoly(inside, lines, 1, shift=_FRACTION)
        nearness = self._nearness(face, window)
        seen = (inside > 0) & (nearness > self.nearness[window])
        self.image[window][seen] = picture[seen]
        self.nearness[window][seen] = nearness[seen]
        self.owner[window][seen] = thing
        silhouette[window] |= inside > 0

    def _window(self, face: Face) -> tuple[int, int, tuple[slice, slice]]:
        """The first column and row that the face reaches in the image, and all of them."""
        points = project(face.at(face.patches[0][0]), self.calibration)
        x, y = np.maximum(np.floor(points.min(0)).astype(int) - 1, 0).tolist()
        stop_x, stop_y = np.ceil(points.max(0)).astype(int).tolist()
        return x, y, (slice(y, max(stop_y + 2, y)), slice(x, max(stop_x + 2, x)))

    def _nearness(self, face: Face, window: tuple[slice, slice]) -> NDArray[np.float64]:
        """1 / depth of the face's plane in the pixels of the window: linear in their x and y."""
        points = face.at(np.array([[0.0, 0], [1, 0], [0, 1]]))
        image = project(points, self.calibration)
        depth = points @ self.calibration[2, :3] + self.calibration[2, 3]
        a, b, c = np.linalg.solve(np.hstack([image, np.ones((3, 1))]), 1 / depth)
        return a * self._columns[:, window[1]] + b * self._rows[window[0]] + c
