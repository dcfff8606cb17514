"""Scenes of shaded cuboids on a road, before a real camera matrix, for ddd.

The world is KITTI's: camera frame x right, y down, z forward in metres, boxes standing on the
ground, `rotation_y`, and a P2 whose fourth column is not zero. All numbers of a label are rounded
to the two digits of KITTI's files first and drawn then, so nothing is lost in writing.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace

import numpy as np
from numpy.random import Generator
from numpy.typing import NDArray

from centernet.datasets.toy.livery import faces_of
from centernet.datasets.toy.paints import rounded, vivid
from centernet.datasets.toy.relief import Relief
from centernet.datasets.toy.road import road
from centernet.geometry.cuboids import corners, observation_angle, project

WIDTH, HEIGHT = 768, 256
FOCAL, HORIZON = 840.0, 100.0  # pixels
CAMERA_HEIGHT = (1.6, 1.7)  # metres above the ground
DEPTH = (10.0, 18.0)
NUMBERS = (0.03, 0.07, 0.15, 0.2, 0.25, 0.18, 0.12)  # chance of 0, 1, 2, ... cuboids
# class: chance, mean and deviation of height, width, length
CLASSES = {
    "Car": (0.5, (1.53, 1.63, 3.88), (0.08, 0.06, 0.25)),
    "Pedestrian": (0.27, (1.76, 0.66, 0.84), (0.08, 0.06, 0.08)),
    "Cyclist": (0.23, (1.74, 0.60, 1.76), (0.08, 0.05, 0.1)),
}
OCCLUSION = ((0.9, 0), (0.5, 1), (0.15, 2))  # least visible share of each of KITTI's levels
TRUNCATION = 0.5  # no box leaves the image by more than this share


@dataclass(frozen=True)
class Cuboid:
    """One labelled box; `box` is its projection x1 y1 x2 y2, cut at the border of the image."""

    name: str
    dimensions: tuple[float, float, float]  # height width length
    location: tuple[float, float, float]  # middle of the bottom face
    rotation_y: float
    alpha: float
    box: tuple[float, float, float, float]
    truncated: float  # share of the uncut box outside the image
    occluded: int | None = None  # KITTI's 0 to 2; None: hidden from sight, a region to ignore


@dataclass
class Street:
    """A drawn image, its camera matrix (3, 4) and its cuboids."""

    image: NDArray[np.uint8]  # (H, W, 3) BGR
    calibration: NDArray[np.float64]
    cuboids: list[Cuboid] = field(default_factory=list)


def camera(rng: Generator) -> NDArray[np.float64]:
    """A P2 like KITTI's: its focal length and centre vary a little from image to image."""
    focal = FOCAL * rng.uniform(0.97, 1.03)
    x, y = WIDTH / 2 + rng.uniform(-4, 4), HORIZON + rng.uniform(-3, 3)
    shift = np.array([0.06, 0.0004, 0.0027])  # of the camera in its rig, metres
    inner = np.array([[focal, 0, x], [0, focal, y], [0, 0, 1]])
    return np.round(np.hstack([inner, (inner @ shift)[:, None]]), 6)


def label(
    name: str,
    dimensions: NDArray[np.float64],
    location: NDArray[np.float64],
    rotation_y: float,
    calibration: NDArray[np.float64],
) -> Cuboid:
    """The label of a box, its numbers as the file will hold them."""
    points = project(corners(dimensions, location, rotation_y), calibration)
    low, high = points.min(0), points.max(0)
    limit = np.array([WIDTH - 1, HEIGHT - 1])
    cut_low, cut_high = np.clip(low, 0, limit), np.clip(high, 0, limit)
    inside = np.prod(cut_high - cut_low) / np.prod(high - low)
    return Cuboid(
        name,
        tuple(dimensions.tolist()),
        tuple(location.tolist()),
        rotation_y,
        round(float(observation_angle(rotation_y, location)), 2),
        tuple(np.round([*cut_low, *cut_high], 2).tolist()),
        round(float(1 - inside), 2),
    )


def candidate(rng: Generator, ground: float, calibration: NDArray[np.float64]) -> Cuboid:
    """A box somewhere on the ground; most that have wheels go along the road."""
    chances = [chance for chance, _, _ in CLASSES.values()]
    name = str(rng.choice(list(CLASSES), p=chances))
    _, mean, deviation = CLASSES[name]
    size = np.round(mean + np.clip(rng.standard_normal(3), -2, 2) * deviation, 2)
    z = DEPTH[0] * (DEPTH[1] / DEPTH[0]) ** rng.uniform()
    x = z * rng.uniform(-0.5, 0.5) * WIDTH / FOCAL
    if name == "Pedestrian" or rng.uniform() < 0.3:
        rotation = rng.uniform(-np.pi, np.pi)
    else:
        rotation = rng.choice([-0.5, 0.5]) * np.pi + rng.normal(0, 0.12)
    location = np.round([x, ground, z], 2)
    return label(name, size, location, round(float(rotation), 2), calibration)


def collides(new: Cuboid, others: list[Cuboid]) -> bool:
    """Whether the circles around two bottom faces meet."""

    def radius(cuboid: Cuboid) -> float:
        return float(np.hypot(*cuboid.dimensions[1:])) / 2

    return any(
        np.hypot(new.location[0] - old.location[0], new.location[2] - old.location[2])
        < radius(new) + radius(old) + 0.2
        for old in others
    )


def occlusion(visible: float) -> int | None:
    """KITTI's level for the visible share of a box's pixels in the image."""
    return next((level for least, level in OCCLUSION if visible >= least), None)


def draw_cuboids(rng: Generator) -> Street:
    """One street with none to six cuboids."""
    calibration = camera(rng)
    ground = float(np.round(rng.uniform(*CAMERA_HEIGHT), 2))
    relief = Relief(road(rng, HEIGHT, WIDTH, calibration, ground), calibration)
    found: list[Cuboid] = []
    for _ in range(rng.choice(len(NUMBERS), p=NUMBERS)):
        new = candidate(rng, ground, calibration)
        if new.truncated <= TRUNCATION and not collides(new, found):
            found.append(new)
    for cuboid in found:
        box = corners(cuboid.dimensions, cuboid.location, cuboid.rotation_y)
        relief.add(faces_of(cuboid.name, box, vivid(rng)))
    shares = [relief.visible(number) for number in range(len(found))]
    seen = [replace(c, occluded=occlusion(share)) for c, share in zip(found, shares, strict=True)]
    return Street(rounded(relief.image), calibration, seen)
