"""Short films of moving shapes that keep their identity, for tracking."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.random import Generator
from numpy.typing import NDArray

from centernet.datasets.toy.canvas import Canvas, Part, stencil
from centernet.datasets.toy.masks import tight_box
from centernet.datasets.toy.paints import backdrop, develop, textured
from centernet.datasets.toy.scene import turned
from centernet.datasets.toy.shapes import CLASSES, outline

HEIGHT, WIDTH = 256, 384
FRAMES = 24
NUMBERS = (4, 9)  # shapes of a film, the upper end excluded
EXTENT = (36, 90)  # pixels
SPEED = (2.0, 8.0)  # pixels a frame
SWAY = 12.0  # pixels, across the way


@dataclass(frozen=True)
class Track:
    """One object in one frame. The box is that of the whole object, seen or not."""

    identity: int  # from 1
    box: tuple[int, int, int, int]  # x y width height; may leave the image
    visible: float  # share of the object's pixels in sight


@dataclass(frozen=True)
class Frame:
    """An image of a film and the objects that reach into it."""

    image: NDArray[np.uint8]  # (H, W, 3) BGR
    tracks: list[Track]


@dataclass(frozen=True)
class Mover:
    """A shape drawn about the origin, and its way through the image."""

    part: Part
    path: NDArray[np.int64]  # (FRAMES, 2) x y


def mover(rng: Generator) -> Mover:
    """A shape that passes some point of the image in some frame, swaying across its way."""
    forms = outline(rng, str(rng.choice(list(CLASSES))), rng.uniform(*EXTENT))
    time = np.arange(FRAMES) - rng.uniform(0, FRAMES)
    sway = SWAY * np.sin(time * rng.uniform(0.1, 0.3))
    line = np.stack([time * rng.uniform(*SPEED), sway], axis=1)
    through = rng.uniform((0, 0), (WIDTH, HEIGHT))
    path = through + turned(line, rng.uniform(0, 2 * np.pi))
    return Mover(textured(rng, stencil(forms)), np.rint(path).astype(np.int64))


def draw_motion(rng: Generator) -> list[Frame]:
    """One film of some shapes before a still background; later ones pass before earlier ones."""
    still = backdrop(rng, HEIGHT, WIDTH)
    movers = [mover(rng) for _ in range(rng.integers(*NUMBERS))]
    return [_frame(rng, still, movers, number) for number in range(FRAMES)]


def _frame(rng: Generator, still: NDArray[np.float32], movers: list[Mover], number: int) -> Frame:
    canvas = Canvas(still)
    parts = [each.part.moved(*each.path[number].tolist()) for each in movers]
    for part in parts:
        canvas.add([part])
    tracks = []
    for place, part in enumerate(parts):
        if canvas.sizes[place]:
            x, y, width, height = tight_box(part.stencil.solid)
            box = (x + part.stencil.x, y + part.stencil.y, width, height)
            share = float(canvas.mask(place).sum() / part.stencil.solid.sum())
            tracks.append(Track(place + 1, box, share))
    return Frame(develop(rng, canvas.image), tracks)
