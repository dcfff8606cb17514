"""Upright boxes before a camera: their corners, their image, their angles.

Camera frame as in KITTI: x right, y down, z forward, metres. A box stands upright, is turned by
`rotation_y` about the y axis (0: its length along x) and is located by the centre of its bottom
face. Points may carry any leading dimensions.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike, NDArray

NEAR = 0.1  # metres; what lies nearer to the camera plane is not projected
# Order of the corners: four of the bottom face (front first, then back), the same four of the top.
_ALONG = np.array([1, 1, -1, -1, 1, 1, -1, -1]) / 2
_ACROSS = np.array([1, -1, -1, 1, 1, -1, -1, 1]) / 2
_UP = np.array([0, 0, 0, 0, 1, 1, 1, 1])
EDGES = tuple(
    pair for i in range(4) for pair in ((i, (i + 1) % 4), (i + 4, (i + 1) % 4 + 4), (i, i + 4))
)


def corners(
    dimensions: ArrayLike, locations: ArrayLike, rotations: ArrayLike
) -> NDArray[np.float64]:
    """The (..., 8, 3) corners of boxes of (..., 3) height width length at (..., 3) x y z."""
    height, width, length = np.moveaxis(np.asarray(dimensions, np.float64), -1, 0)[..., None]
    angle = np.asarray(rotations, np.float64)[..., None]
    along, across = _ALONG * length, _ACROSS * width
    x = np.cos(angle) * along + np.sin(angle) * across
    z = -np.sin(angle) * along + np.cos(angle) * across
    points = np.stack([x, -_UP * height, z], axis=-1)
    return points + np.asarray(locations, np.float64)[..., None, :]


def project(points: ArrayLike, calibration: ArrayLike) -> NDArray[np.float64]:
    """Image positions (..., 2) of camera points (..., 3) under the (3, 4) matrix `calibration`."""
    points, calibration = np.asarray(points, np.float64), np.asarray(calibration, np.float64)
    image = points @ calibration[:, :3].T + calibration[:, 3]
    return image[..., :2] / image[..., 2:]


def wrap(angle: ArrayLike) -> NDArray[np.float64]:
    """The same angle in [-pi, pi)."""
    return (np.asarray(angle, np.float64) + np.pi) % (2 * np.pi) - np.pi


def observation_angle(rotation_y: ArrayLike, locations: ArrayLike) -> NDArray[np.float64]:
    """KITTI's alpha: `rotation_y` less the direction in which the camera sees the box."""
    locations = np.asarray(locations, np.float64)
    return wrap(np.asarray(rotation_y) - np.arctan2(locations[..., 0], locations[..., 2]))


def rotation_from(alphas: ArrayLike, x: ArrayLike, calibration: ArrayLike) -> NDArray[np.float64]:
    """rotation_y (...,) of boxes seen under `alphas` (...,) at the image column `x` (...,).

    The inverse of `observation_angle`, with the direction of sight taken from the image: its column
    and the camera's focal length, as monocular detectors do.
    """
    calibration = np.asarray(calibration, np.float64)
    sight = np.arctan2(np.asarray(x, np.float64) - calibration[0, 2], calibration[0, 0])
    return wrap(np.asarray(alphas, np.float64) + sight)


def unproject(points: ArrayLike, depths: ArrayLike, calibration: ArrayLike) -> NDArray[np.float64]:
    """Camera points (..., 3) that `calibration` (3, 4) shows at image `points` (..., 2).

    `depths` (...,) are those from the camera that took the image: its third homogeneous coordinate,
    z + P[2, 3] for KITTI's P2, which is a few millimetres from the z of the frame.
    """
    points, depths = np.asarray(points, np.float64), np.asarray(depths, np.float64)
    calibration = np.asarray(calibration, np.float64)
    z = depths - calibration[2, 3]
    x, y = (
        (points[..., axis] * depths - calibration[axis, 3] - calibration[axis, 2] * z)
        / calibration[axis, axis]
        for axis in (0, 1)
    )
    return np.stack([x, y, z], axis=-1)


def bounding_boxes(solids: ArrayLike, calibration: ArrayLike) -> NDArray[np.float32]:
    """Image boxes (N, 4) x1 y1 x2 y2 around the corners (N, 8, 3) of cuboids.

    A corner behind the camera or nearer than NEAR is taken for one at that distance.
    """
    solids = np.array(solids, np.float64)
    solids[..., 2] = np.maximum(solids[..., 2], NEAR)
    points = project(solids, calibration)
    return np.concatenate([points.min(axis=1), points.max(axis=1)], axis=1).astype(np.float32)
