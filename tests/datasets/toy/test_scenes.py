"""What the scenes say is what they show."""

from __future__ import annotations

from collections.abc import Callable
from itertools import pairwise

import numpy as np
import pytest
from numpy.random import Generator

from centernet.datasets.toy import faces, figures, motion, shapes
from centernet.datasets.toy.body import Body
from centernet.datasets.toy.canvas import Canvas, Part, stencil
from centernet.datasets.toy.scene import Scene, generator

DRAWN = {
    "shapes": shapes.draw_shapes,
    "figures": figures.draw_figures,
    "faces": faces.draw_faces,
}
flat = pytest.mark.parametrize(("part", "draw"), DRAWN.items(), ids=DRAWN)


def scenes(part: str, draw: Callable[[Generator], Scene], number: int = 12) -> list[Scene]:
    return [draw(generator(0, part, "train", index)) for index in range(number)]


@flat
def test_equal_seeds_give_equal_pictures_and_others_do_not(
    part: str, draw: Callable[[Generator], Scene]
) -> None:
    def image(seed: int, split: str, index: int) -> bytes:
        return draw(generator(seed, part, split, index)).image.tobytes()

    again = image(0, "train", 3)
    assert image(0, "train", 3) == again
    others = [image(0, "val", 3), image(0, "train", 4), image(1, "train", 3)]
    assert len({again, *others}) == 4


@flat
def test_masks_are_disjoint_and_in_sight(part: str, draw: Callable[[Generator], Scene]) -> None:
    for scene in scenes(part, draw):
        assert scene.image.dtype == np.uint8
        assert len(scene.masks) == len(scene.classes)
        if scene.masks:
            assert np.sum(scene.masks, axis=0).max() <= 1
            assert min(mask.sum() for mask in scene.masks) > 50


@flat
def test_masks_lie_where_the_paint_is(part: str, draw: Callable[[Generator], Scene]) -> None:
    """Colours change across the rim of a mask far more than inside the background."""
    steps_at_rim, steps_outside = [], []
    for scene in scenes(part, draw):
        if not scene.masks:
            continue
        covered = np.any(scene.masks, axis=0)
        step = np.abs(np.diff(scene.image.astype(float), axis=1)).max(2)
        steps_at_rim.append(np.median(step[covered[:, 1:] != covered[:, :-1]]))
        steps_outside.append(np.median(step[~covered[:, 1:] & ~covered[:, :-1]]))
    assert np.median(steps_at_rim) > 3 * np.median(steps_outside)


def test_shapes_come_in_all_classes_sizes_and_numbers() -> None:
    drawn = scenes("shapes", shapes.draw_shapes, 60)
    assert {name for scene in drawn for name in scene.classes} == set(shapes.CLASSES)
    numbers = [len(scene.classes) for scene in drawn]
    assert min(numbers) == 0
    assert max(numbers) >= 5
    extents = [max(np.ptp(np.argwhere(m), axis=0)) for scene in drawn for m in scene.masks]
    assert min(extents) < 0.2 * shapes.SIDE
    assert max(extents) > 0.4 * shapes.SIDE


@pytest.mark.parametrize(
    ("draw", "joints"),
    [(figures.draw_figures, figures.JOINTS), (faces.draw_faces, faces.LANDMARKS)],
)
def test_joints_that_are_seen_lie_on_their_owner(
    draw: Callable[[Generator], Scene], joints: tuple[str, ...]
) -> None:
    seen = np.zeros(3, int)
    for scene in scenes("figures", draw, 30):
        for mask, points in zip(scene.masks, scene.keypoints, strict=True):
            assert points.shape == (len(joints), 3)
            for x, y, visible in points:
                seen[int(visible)] += 1
                if visible:
                    assert 0 <= round(x) < mask.shape[1]
                    assert 0 <= round(y) < mask.shape[0]
                else:
                    assert x == y == 0
                if visible == 2:
                    assert mask[round(y), round(x)]
    assert seen[2] > 5 * seen[1] > 0


def test_left_joints_of_a_standing_figure_are_on_the_right() -> None:
    for index in range(20):
        points = figures.posture(generator(0, "posture", "train", index))
        for joint in ("eye", "ear", "shoulder", "hip"):
            assert points[f"left_{joint}"][0] > points[f"right_{joint}"][0]


def test_skeleton_and_joints_are_those_of_coco() -> None:
    assert len(figures.JOINTS) == 17
    assert figures.JOINTS[5:7] == ("left_shoulder", "right_shoulder")
    assert len(figures.SKELETON) == 19
    assert {joint for limb in figures.SKELETON for joint in limb} == set(range(17))


def square(size: float, x: float = 0.0, y: float = 0.0) -> Part:
    corners = np.array([[0, 0], [1, 0], [1, 1], [0, 1]]) * size - 0.5
    return Part(stencil([corners + np.array([x, y])]), np.full(3, 200, np.float32))


def test_stencils_cover_the_pixels_within_their_outline() -> None:
    canvas = Canvas(np.zeros((20, 20, 3), np.float32))
    canvas.add([square(6, 3, 4)])
    rows, columns = np.nonzero(canvas.mask(0))
    assert (rows.min(), rows.max(), columns.min(), columns.max()) == (4, 9, 3, 8)
    assert canvas.mask(0).sum() == 36


def test_canvas_counts_what_is_hidden() -> None:
    canvas = Canvas(np.zeros((20, 20, 3), np.float32))
    canvas.add([square(10)])
    assert canvas.sizes == [100]
    half = [square(10, 5, 0)]
    assert canvas.leaves_visible(half, 0.5)
    assert not canvas.leaves_visible(half, 0.51)
    canvas.add(half)
    assert canvas.mask(0).sum() == 50
    assert canvas.at(6, 3) == (1, 0)
    assert canvas.at(19.6, 3) is None


def test_a_joint_is_hidden_by_what_lies_on_it() -> None:
    canvas = Canvas(np.zeros((20, 20, 3), np.float32))
    points = {"seen": np.array([2.0, 2]), "hidden": np.array([7.0, 7]), "away": np.array([-3.0, 1])}
    body = Body(points, [square(10)], [frozenset(points)])
    canvas.add(body.parts)
    canvas.add([square(4, 5, 5)])
    assert body.joints(canvas, 0, (0, 0), list(points)).tolist() == [[2, 2, 2], [7, 7, 1], [0] * 3]


def test_films_keep_identities_and_boxes_move_smoothly() -> None:
    frames = motion.draw_motion(generator(0, "motion", "train", 0))
    assert len(frames) == motion.FRAMES
    places: dict[int, list[tuple[int, np.ndarray]]] = {}
    for number, frame in enumerate(frames):
        assert len({track.identity for track in frame.tracks}) == len(frame.tracks)
        for track in frame.tracks:
            assert 0 <= track.visible <= 1
            places.setdefault(track.identity, []).append((number, np.array(track.box)))
    assert len(places) >= motion.NUMBERS[0]
    for way in places.values():
        for (before, old), (after, new) in pairwise(way):
            assert (old[2:] == new[2:]).all()
            assert np.abs(new[:2] - old[:2]).max() <= 13 * (after - before)
