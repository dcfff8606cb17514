"""One image that shows the parts of the toy set, with what is known about each scene.

python -m centernet.datasets.toy.sheet toy.jpg
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from itertools import count, islice
from typing import TypeVar

import numpy as np
from numpy.random import Generator
from numpy.typing import NDArray
from pycocotools import mask as coco_mask

from centernet.datasets.extremes import extreme_points
from centernet.datasets.toy import cuboids, faces, figures, motion, shapes
from centernet.datasets.toy.masks import tight_box
from centernet.datasets.toy.scene import Scene, generator
from centernet.drawing.flat import draw_boxes, draw_extremes, draw_keypoints
from centernet.drawing.palette import colour
from centernet.drawing.solid import draw_cuboids
from centernet.io.picture_file import save_picture
from centernet.structures.objects import Cuboids

COLUMNS = 6  # square scenes in a row; two streets or four frames of a film are as wide
LEAST = 2  # things in a scene that is shown
Picture = NDArray[np.uint8]
Drawn = TypeVar("Drawn")


def sheet(seed: int = 0) -> Picture:
    """(1280, 1536, 3): a row of each part, from the validation scenes of `seed`."""
    flat = (
        ("shapes", shapes.draw_shapes),
        ("figures", figures.draw_figures),
        ("faces", faces.draw_faces),
    )
    rows = []
    for part, draw in flat:
        scenes = _busy(seed, part, draw, lambda scene: len(scene.classes))
        rows.append([_flat(scene) for scene in islice(scenes, COLUMNS)])
    streets = _busy(seed, "cuboids", cuboids.draw_cuboids, lambda street: len(street.cuboids))
    rows.append([_street(street) for street in islice(streets, COLUMNS // 3)])
    film = motion.draw_motion(generator(seed, "motion", "val", 1))
    rows.append([_frame(frame) for frame in film[:: motion.FRAMES // 4]])
    return np.vstack([np.hstack(row) for row in rows])


def _busy(
    seed: int, part: str, draw: Callable[[Generator], Drawn], size: Callable[[Drawn], int]
) -> Iterator[Drawn]:
    """The scenes of a part in which there is something to see."""
    scenes = (draw(generator(seed, part, "val", index)) for index in count())
    return (scene for scene in scenes if size(scene) >= LEAST)


def _flat(scene: Scene) -> Picture:
    """A scene with its boxes, and with its joints or else its extreme points."""
    inks = [colour(number) for number in range(len(scene.classes))]
    if scene.keypoints:
        joints = np.array(scene.keypoints)
        limbs = figures.SKELETON if joints.shape[1] == len(figures.JOINTS) else ()
        canvas, labels = draw_keypoints(scene.image, joints, limbs), []
    else:
        runs = [coco_mask.encode(np.asfortranarray(mask, np.uint8)) for mask in scene.masks]
        points = np.array([extreme_points(run) for run in runs])
        canvas, labels = draw_extremes(scene.image, points, inks), scene.classes
    corners = np.array([tight_box(mask) for mask in scene.masks], np.float32)
    corners[:, 2:] += corners[:, :2]
    return draw_boxes(canvas, corners, labels or [""] * len(inks), inks)


def _street(street: cuboids.Street) -> Picture:
    """A street with the edges of its cuboids."""
    seen = [c for c in street.cuboids if c.occluded is not None]
    solids = Cuboids(
        np.array([c.dimensions for c in seen], np.float32).reshape(-1, 3),
        np.array([c.location for c in seen], np.float32).reshape(-1, 3),
        np.array([c.rotation_y for c in seen], np.float32),
        np.array([c.alpha for c in seen], np.float32),
        np.array([c.location[2] for c in seen], np.float32),
    )
    names = list(cuboids.CLASSES)
    inks = [colour(names.index(c.name)) for c in seen]
    return draw_cuboids(street.image, solids, street.calibration, inks, width=1)


def _frame(frame: motion.Frame) -> Picture:
    """A frame of a film with boxes that keep their colour and number."""
    boxes = np.array([track.box for track in frame.tracks], np.float32).reshape(-1, 4)
    boxes[:, 2:] += boxes[:, :2]
    numbers = [track.identity for track in frame.tracks]
    labels = [f"#{number}" for number in numbers]
    return draw_boxes(frame.image, boxes, labels, [colour(number) for number in numbers])


if __name__ == "__main__":
    print(save_picture(sys.argv[1] if len(sys.argv) > 1 else "toy.png", sheet()))
