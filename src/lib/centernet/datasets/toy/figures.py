"""Scenes of jointed figures with COCO's seventeen joints, for multi_pose.

The figures face the viewer, so that a figure's left is on the right of the image. A colour could
not tell the sides apart: a mirrored image swaps the names of the joints, but not their colours.
"""

from __future__ import annotations

import numpy as np
from numpy.random import Generator
from numpy.typing import NDArray

from centernet.datasets.toy.body import Body, Points, capsule
from centernet.datasets.toy.canvas import Canvas
from centernet.datasets.toy.paints import backdrop, colour, develop, vivid
from centernet.datasets.toy.scene import Scene, turned
from centernet.datasets.toy.shapes import polygon

SIDE = 256
SIDES = ("left", "right")
JOINTS = (
    "nose", "left_eye", "right_eye", "left_ear", "right_ear", "left_shoulder", "right_shoulder",
    "left_elbow", "right_elbow", "left_wrist", "right_wrist", "left_hip", "right_hip",
    "left_knee", "right_knee", "left_ankle", "right_ankle",
)  # fmt: skip
SKELETON = (
    (15, 13), (13, 11), (16, 14), (14, 12), (11, 12), (5, 11), (6, 12), (5, 6), (5, 7), (6, 8),
    (7, 9), (8, 10), (1, 2), (0, 1), (0, 2), (1, 3), (2, 4), (3, 5), (4, 6),
)  # fmt: skip  # as pairs of places in JOINTS, from 0
NUMBERS = (0.05, 0.5, 0.35, 0.1)  # chance of 0, 1, 2, 3 figures
EXTENT = (0.5, 0.95)  # height of a standing figure, as a share of the image's
VISIBLE = 0.7
# Measures of the body as shares of its height.
NECK, HEAD, HEAD_WIDTH, SHOULDER, HIP, TORSO = 0.04, 0.12, 0.095, 0.13, 0.075, 0.28
UPPER_ARM, FOREARM, THIGH, SHIN = 0.16, 0.15, 0.21, 0.2
ARM, LEG = 0.042, 0.055  # half the thickness of a limb


def direction(angle: float) -> NDArray[np.float64]:
    """Unit vector at `angle` from straight down, towards the right of the image."""
    return np.array([np.sin(angle), np.cos(angle)])


def posture(rng: Generator) -> dict[str, NDArray[np.float64]]:
    """Joints about the middle of the hips, in heights of the body."""
    points: dict[str, NDArray[np.float64]] = {}
    for side, sign in zip(SIDES, (1.0, -1.0), strict=True):
        mirror = np.array([sign, 1.0])
        shoulder, hip = np.array([SHOULDER, -TORSO]), np.array([HIP, 0.0])
        raised, stride = rng.uniform(0.1, 2.6), rng.uniform(-0.08, 0.6)
        elbow = shoulder + UPPER_ARM * direction(raised)
        wrist = elbow + FOREARM * direction(raised + rng.uniform(-0.4, 1.2))
        knee = hip + THIGH * direction(stride)
        ankle = knee + SHIN * direction(stride - rng.uniform(0.0, 0.5))
        named = {
            "shoulder": shoulder, "elbow": elbow, "wrist": wrist,
            "hip": hip, "knee": knee, "ankle": ankle,
        }  # fmt: skip
        points.update({f"{side}_{name}": point * mirror for name, point in named.items()})
        face = np.array([0.0, -TORSO - NECK - HEAD])
        points[f"{side}_eye"] = face + np.array([0.042, -0.03]) * mirror
        points[f"{side}_ear"] = face + np.array([HEAD_WIDTH, 0.0]) * mirror
        points["nose"] = face + np.array([0.0, 0.025])
    return points


def clothed(rng: Generator, points: Points, height: float, tilt: float) -> Body:
    """The body from back to front: legs, trunk, head, arms. `points` are in pixels."""
    skin = colour(rng, (0.3, 0.6), (0.6, 1.0))
    shirt, trousers, sleeve, shoe = (vivid(rng) for _ in range(4))
    body = Body(points)

    def line(start: str, stop: str, radius: float, paint: NDArray[np.float32]) -> None:
        body.add(capsule(points[start], points[stop], radius * height), paint, start, stop)

    def dot(name: str, radius: float, paint: NDArray[np.float32]) -> None:
        body.add(points[name] + polygon(16) * radius * height, paint, name)

    for side in SIDES:
        line(f"{side}_knee", f"{side}_ankle", LEG * 0.8, skin)
        line(f"{side}_hip", f"{side}_knee", LEG, trousers)
        dot(f"{side}_ankle", LEG * 1.1, shoe)
    corners = ("left_shoulder", "left_hip", "right_hip", "right_shoulder")
    trunk = np.array([points[name] for name in corners])
    middle = (points["left_ear"] + points["right_ear"]) / 2
    body.add(capsule(trunk[[0, 3]].mean(0), middle, ARM * height), skin * 0.8)
    body.add(trunk, shirt, *corners)
    for side in SIDES:
        dot(f"{side}_ear", 0.025, skin * 0.8)
    oval = turned(polygon(32) * (HEAD_WIDTH, HEAD), tilt) * height
    body.add(middle + oval, skin, *JOINTS[:5])
    for side in SIDES:
        dot(f"{side}_eye", 0.02, np.array([60, 30, 20], np.float32))
    dot("nose", 0.022, np.array([60, 60, 220], np.float32))
    for side in SIDES:
        line(f"{side}_elbow", f"{side}_wrist", ARM * 0.85, skin)
        line(f"{side}_shoulder", f"{side}_elbow", ARM, sleeve)
        dot(f"{side}_wrist", ARM * 1.05, skin * 0.7)
    return body


def draw_figures(rng: Generator) -> Scene:
    """One scene of none to three figures, leaning a little, partly hidden or cut by the edge."""
    canvas = Canvas(backdrop(rng, SIDE, SIDE))
    drawn: list[tuple[Body, NDArray[np.int64]]] = []
    low, high = np.array([[0.15, 0.45], [0.85, 0.65]]) * SIDE  # of the middle of the hips
    for _ in range(rng.choice(len(NUMBERS), p=NUMBERS)):
        height, tilt = SIDE * rng.uniform(*EXTENT), rng.uniform(-0.3, 0.3)
        points = {name: turned(p, tilt) * height for name, p in posture(rng).items()}
        body = clothed(rng, points, height, tilt)
        place = canvas.place(rng, body.parts, low, high, VISIBLE)
        if place is not None:
            drawn.append((body, place))
    joints = [body.joints(canvas, i, place, JOINTS) for i, (body, place) in enumerate(drawn)]
    masks = [canvas.mask(number) for number in range(len(drawn))]
    return Scene(develop(rng, canvas.image), ["person"] * len(drawn), masks, joints)
