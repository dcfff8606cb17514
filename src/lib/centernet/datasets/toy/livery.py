"""What is painted on the six faces of a cuboid, so that its class and its front can be told."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from centernet.datasets.toy.relief import Face, Patch
from centernet.datasets.toy.shapes import polygon

GLASS, TYRE, SKIN, HAIR, LAMP, BRAKE, CLOTH = (
    np.array(bgr, np.float32)
    for bgr in (
        (120, 85, 60), (35, 35, 35), (150, 180, 230), (25, 35, 50), (190, 245, 255), (30, 30, 230),
        (90, 60, 50),
    )
)  # fmt: skip
# Corners (of geometry3d.corners) at the upper left, upper right and lower left of each face, seen
# from outside. The front is the end towards which the length axis points.
SIDES = {
    "front": (5, 4, 1), "back": (7, 6, 3), "left": (4, 7, 0), "right": (6, 5, 2),
    "top": (6, 7, 5), "bottom": (1, 0, 2),
}  # fmt: skip


def block(left: float, top: float, right: float, bottom: float) -> NDArray[np.float64]:
    """A rectangle in shares of a face."""
    return np.array([[left, top], [right, top], [right, bottom], [left, bottom]])


def disc(x: float, y: float, radius_x: float, radius_y: float) -> NDArray[np.float64]:
    """An ellipse in shares of a face."""
    return np.array([x, y]) + polygon(14) * (radius_x, radius_y)


def faces_of(name: str, box: NDArray[np.float64], paint: NDArray[np.float32]) -> list[Face]:
    """The six faces of a cuboid of class `name` with (8, 3) corners `box` in its main colour."""
    livery = LIVERIES[name]
    faces = []
    for side, (start, right, down) in SIDES.items():
        patches = [(block(0, 0, 1, 1), paint), *livery(side, paint)]
        corner = box[start]
        faces.append(Face(corner, box[right] - corner, box[down] - corner, tuple(patches)))
    return faces


def _car(side: str, paint: NDArray[np.float32]) -> list[Patch]:
    if side in ("left", "right"):
        wheels = [disc(x, 0.84, 0.1, 0.24) for x in (0.2, 0.8)]
        panes = [block(0.1, 0.08, 0.47, 0.42), block(0.53, 0.08, 0.9, 0.42)]
        return [(pane, GLASS) for pane in panes] + [(_cut(w), TYRE) for w in wheels]
    if side == "front":
        lamps = [block(0.05, 0.55, 0.25, 0.7), block(0.75, 0.55, 0.95, 0.7)]
        grille = (block(0.3, 0.58, 0.7, 0.85), TYRE)
        return [(block(0.08, 0.06, 0.92, 0.45), GLASS), grille] + [(v, LAMP) for v in lamps]
    if side == "back":
        lamps = [block(0.04, 0.45, 0.2, 0.68), block(0.8, 0.45, 0.96, 0.68)]
        return [(block(0.14, 0.08, 0.86, 0.36), GLASS)] + [(v, BRAKE) for v in lamps]
    return [(block(0.1, 0.1, 0.9, 0.9), paint * 0.9)]


def _pedestrian(side: str, paint: NDArray[np.float32]) -> list[Patch]:
    if side in ("top", "bottom"):
        return [(block(0, 0, 1, 1), HAIR)]
    legs = [(block(0, 0.55, 1, 1), CLOTH), (block(0.46, 0.62, 0.54, 1), TYRE)]
    return [*_head(side), *legs]


def _cyclist(side: str, paint: NDArray[np.float32]) -> list[Patch]:
    if side in ("top", "bottom"):
        return [(block(0, 0, 1, 1), paint * 0.8)]
    if side in ("left", "right"):
        wheels = [disc(x, 0.8, 0.19, 0.2) for x in (0.21, 0.79)]
        hubs = [disc(x, 0.8, 0.12, 0.125) for x in (0.21, 0.79)]
        rims = [(w, TYRE) for w in wheels] + [(v, LAMP * 0.8) for v in hubs]
        return [*_head(side), *rims, (block(0.35, 0.5, 0.65, 0.7), CLOTH)]
    return [*_head(side), (block(0.3, 0.55, 0.7, 1), TYRE)]


def _head(side: str) -> list[Patch]:
    """A head across the top of a face: skin in front, hair behind, half and half at the sides."""
    hair = {
        "front": block(0, 0, 1, 0.05), "back": block(0, 0, 1, 0.2),
        "left": block(0.5, 0, 1, 0.2), "right": block(0, 0, 0.5, 0.2),
    }[side]  # fmt: skip
    head = [(block(0, 0, 1, 0.2), SKIN), (hair, HAIR)]
    if side == "front":
        head += [(block(x, 0.08, x + 0.16, 0.12), TYRE) for x in (0.2, 0.64)]
    return head


def _cut(outline: NDArray[np.float64]) -> NDArray[np.float64]:
    """The outline cut off at the lower edge of the face."""
    return np.minimum(outline, [np.inf, 1.0])


LIVERIES = {"Car": _car, "Pedestrian": _pedestrian, "Cyclist": _cyclist}
