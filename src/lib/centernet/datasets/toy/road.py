"""The empty street behind the cuboids: sky, a skyline, ground and lane marks in perspective."""

from __future__ import annotations

import cv2
import numpy as np
from numpy.random import Generator
from numpy.typing import NDArray

from centernet.datasets.toy.paints import clouds, muted
from centernet.geometry.cuboids import project

ROAD = 9.0  # width in metres
MARK = 0.18  # width of a lane mark
NEAR, FAR = 2.6, 120.0  # metres


def strip(
    x: tuple[float, float], z: tuple[float, float], ground: float, calibration: NDArray[np.float64]
) -> NDArray[np.int32]:
    """The image of a rectangle on the ground, for cv2.fillPoly."""
    points = [
        [x[0], ground, z[0]],
        [x[1], ground, z[0]],
        [x[1], ground, z[1]],
        [x[0], ground, z[1]],
    ]
    return np.rint(project(points, calibration)).astype(np.int32)


def road(
    rng: Generator, height: int, width: int, calibration: NDArray[np.float64], ground: float
) -> NDArray[np.float32]:
    """(H, W, 3) float32 BGR of a street on the plane y = `ground` of the camera frame.

    Free of grain, unlike the other images: the PNG files of KITTI would be five times as large.
    """
    horizon = int(calibration[1, 2])
    image = np.empty((height, width, 3), np.float32)
    fade = np.linspace(0, 1, horizon, dtype=np.float32)[:, None, None]
    sky = np.array([rng.uniform(190, 240), rng.uniform(170, 210), rng.uniform(140, 200)])
    image[:horizon] = sky * (1 - 0.15 * (1 - fade))
    image[horizon:] = muted(rng) * (0.6, 1.0, 0.7)
    x = 0
    while x < width:  # houses along the horizon
        wide, high = int(rng.integers(20, 90)), int(rng.integers(4, 30))
        cv2.rectangle(image, (x, horizon - high), (x + wide, horizon), muted(rng).tolist(), -1)
        x += wide
    offset = rng.uniform(-2.0, 2.0)
    edges = (offset - ROAD / 2, offset + ROAD / 2)
    grey = rng.uniform(75, 125)
    cv2.fillPoly(image, [strip(edges, (NEAR, FAR), ground, calibration)], (grey, grey, grey))
    white = (grey + 90,) * 3
    for side in edges:
        line = strip((side - MARK, side + MARK), (NEAR, FAR), ground, calibration)
        cv2.fillPoly(image, [line], white)
    for z in np.arange(NEAR + rng.uniform(0, 4), 60, 6.0):
        mark = (offset - MARK / 2, offset + MARK / 2)
        cv2.fillPoly(image, [strip(mark, (z, z + 3), ground, calibration)], white)
    texture = 1 + 0.05 * clouds(rng, height, width, 12) + 0.03 * clouds(rng, height, width, 64)
    return image * texture[..., None]
