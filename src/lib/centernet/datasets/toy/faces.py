"""Scenes of faces with five landmarks.

Left and right are those of the image, as in the landmark lists of WIDER FACE: the left eye is the
one further left in the image when the head is upright.
"""

from __future__ import annotations

import numpy as np
from numpy.random import Generator
from numpy.typing import ArrayLike, NDArray

from centernet.datasets.toy.body import Body, capsule
from centernet.datasets.toy.canvas import Canvas
from centernet.datasets.toy.paints import backdrop, colour, develop
from centernet.datasets.toy.scene import Scene, turned
from centernet.datasets.toy.shapes import polygon

SIDE = 256
LANDMARKS = ("left_eye", "right_eye", "nose", "left_mouth", "right_mouth")
SKELETON = ((0, 1), (0, 2), (1, 2), (2, 3), (2, 4), (3, 4))
NUMBERS = (0.05, 0.3, 0.3, 0.2, 0.15)  # chance of 0, 1, ... faces
EXTENT = (0.18, 0.55)  # height of a face, as a share of the image's
VISIBLE = 0.7
# Landmarks of a face seen from the front: half its height is 1.
FRONT = np.array([[-0.33, -0.2], [0.33, -0.2], [0.0, 0.15], [-0.27, 0.5], [0.27, 0.5]])
WIDTH = 0.76
WHITE = np.full(3, 245, np.float32)
TURN = np.array([0.2, 0.2, 0.34, 0.22, 0.22])  # how far turning the head moves each sideways


def head(rng: Generator, height: float) -> Body:
    """A head about the origin, `height` pixels high."""
    tilt, turn = rng.uniform(-0.5, 0.5), rng.uniform(-1, 1)

    def shape(points: ArrayLike) -> NDArray[np.float64]:
        return turned(np.asarray(points), tilt) * (height / 2)

    marks = shape(FRONT + np.stack([TURN * turn, np.zeros(5)], axis=1))
    skin = colour(rng, (0.2, 0.5), (0.65, 1.0))
    hair, iris = colour(rng, (0.3, 1.0), (0.1, 0.6)), colour(rng, (0.4, 1.0), (0.1, 0.4))
    lips = np.array([rng.uniform(40, 90), rng.uniform(30, 70), 200], np.float32)
    body = Body(dict(zip(LANDMARKS, marks, strict=True)))
    oval = polygon(40) * (WIDTH, 1.0)
    body.add(shape(oval), skin, *LANDMARKS)
    body.add(shape(oval[oval[:, 1] < -0.5]), hair)
    for name in LANDMARKS[:2]:
        body.add(body.points[name] + shape(polygon(20) * (0.17, 0.11)), WHITE, name)
        body.add(body.points[name] + shape(polygon(12) * 0.08), iris, name)
    nose = [[-0.05 * turn, -0.2], [0.11, 0.06], [-0.11, 0.06]]
    body.add(body.points["nose"] + shape(nose), skin * 0.65, "nose")
    body.add(capsule(marks[3], marks[4], 0.0275 * height), lips, *LANDMARKS[3:])
    return body


def draw_faces(rng: Generator) -> Scene:
    """One scene of none to four faces, turned, tilted, and overlapping a little."""
    canvas = Canvas(backdrop(rng, SIDE, SIDE))
    drawn: list[tuple[Body, NDArray[np.int64]]] = []
    for _ in range(rng.choice(len(NUMBERS), p=NUMBERS)):
        height = SIDE * EXTENT[0] * (EXTENT[1] / EXTENT[0]) ** rng.uniform()
        body, margin = head(rng, height), 0.35 * height
        place = canvas.place(rng, body.parts, margin, SIDE - margin, VISIBLE)
        if place is not None:
            drawn.append((body, place))
    marks = [body.joints(canvas, i, place, LANDMARKS) for i, (body, place) in enumerate(drawn)]
    masks = [canvas.mask(number) for number in range(len(drawn))]
    return Scene(develop(rng, canvas.image), ["face"] * len(drawn), masks, marks)
