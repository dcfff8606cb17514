"""Scenes of flat shapes: boxes, masks and extreme points for ctdet, exdet and triplet."""

from __future__ import annotations

import numpy as np
from numpy.random import Generator
from numpy.typing import NDArray

from centernet.datasets.toy.canvas import Canvas, stencil
from centernet.datasets.toy.paints import backdrop, develop, textured
from centernet.datasets.toy.scene import Scene, turned

SIDE = 256  # pixels of the square image
CLASSES = {"disc": 1, "square": 3, "triangle": 7, "star": 8, "ring": 12}  # ids with gaps, as COCO's
NUMBERS = (0.05, 0.2, 0.25, 0.2, 0.15, 0.1, 0.05)  # chance of 0, 1, 2, ... shapes
EXTENT = (0.14, 0.5)  # longer side of a shape, as a share of the image's
VISIBLE = 0.6  # share of a shape that others leave in sight


def polygon(corners: int, inner: float = 1.0) -> NDArray[np.float64]:
    """Unit points of a regular polygon; with `inner` below 1, of a star of that inner radius."""
    number = corners if inner == 1.0 else 2 * corners
    angles = 2 * np.pi * np.arange(number) / number - np.pi / 2
    radii = np.where(np.arange(number) % 2, inner, 1.0)
    return np.stack([radii * np.cos(angles), radii * np.sin(angles)], axis=1)


OUTLINES: dict[str, list[NDArray[np.float64]]] = {
    "disc": [polygon(48)],
    "square": [polygon(4)],
    "triangle": [polygon(3)],
    "star": [polygon(5, inner=0.42)],
    "ring": [polygon(48), 0.55 * polygon(48)],
}


def outline(rng: Generator, name: str, extent: float) -> list[NDArray[np.float64]]:
    """Outlines of a shape about the origin, its longer side `extent` pixels."""
    squeeze = np.array([1.0, rng.uniform(0.7, 1.0)])[rng.permutation(2)]
    angle = rng.uniform(0, 2 * np.pi)
    forms = [turned(form * squeeze, angle) for form in OUTLINES[name]]
    low, high = forms[0].min(0), forms[0].max(0)
    return [(form - (low + high) / 2) * (extent / (high - low).max()) for form in forms]


def draw_shapes(rng: Generator) -> Scene:
    """One scene of none to six shapes that may overlap and leave the image a little."""
    canvas = Canvas(backdrop(rng, SIDE, SIDE))
    classes: list[str] = []
    for _ in range(rng.choice(len(NUMBERS), p=NUMBERS)):
        name = str(rng.choice(list(CLASSES)))
        extent = SIDE * EXTENT[0] * (EXTENT[1] / EXTENT[0]) ** rng.uniform()
        parts = [textured(rng, stencil(outline(rng, name, extent)))]
        margin = 0.35 * extent
        if canvas.place(rng, parts, margin, SIDE - margin, VISIBLE) is not None:
            classes.append(name)
    masks = [canvas.mask(number) for number in range(len(classes))]
    return Scene(develop(rng, canvas.image), classes, masks)
