"""One drawn image and what is in it."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
from numpy.random import Generator
from numpy.typing import NDArray

SPLITS = ("train", "val")


@dataclass
class Scene:
    """An image with things: the class of each, its visible pixels and, if it has any, joints."""

    image: NDArray[np.uint8]  # (H, W, 3) BGR
    classes: list[str] = field(default_factory=list)
    masks: list[NDArray[np.bool_]] = field(default_factory=list)  # (H, W) each
    keypoints: list[NDArray[np.float64]] = field(default_factory=list)  # (J, 3) x y visibility


def generator(seed: int, part: str, split: str, index: int) -> Generator:
    """The random numbers of one scene: the same whatever else is drawn, disjoint between splits."""
    return np.random.default_rng([seed, SPLITS.index(split), index, *part.encode()])


def turned(points: NDArray[np.float64], angle: float) -> NDArray[np.float64]:
    """(N, 2) points turned by `angle` (radians, clockwise on the screen) about the origin."""
    cos, sin = np.cos(angle), np.sin(angle)
    return points @ np.array([[cos, sin], [-sin, cos]])
