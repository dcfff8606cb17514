"""Drawing: what is painted, where, and that nothing odd breaks it."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from centernet.drawing.flat import (
    THEMES,
    blend,
    draw_boxes,
    draw_detections,
    draw_extremes,
    draw_keypoints,
    draw_masks,
    heat_map,
    line_width,
)
from centernet.drawing.palette import BLACK, WHITE, colour, text_on
from centernet.structures.detections import Detections

GREY = np.full((200, 300, 3), 127, np.uint8)


def changed(picture: np.ndarray, image: np.ndarray = GREY) -> np.ndarray:
    """The box x1 y1 x2 y2 around all pixels that differ."""
    y, x = np.nonzero((picture != image).any(axis=2))
    return np.array([x.min(), y.min(), x.max(), y.max()])


@pytest.mark.parametrize("theme", THEMES)
def test_frame_has_the_colour_of_the_class_at_its_place(theme: str) -> None:
    box = np.array([[100.0, 60.0, 180.0, 150.0]])
    picture = draw_boxes(GREY, box, ["cat"], [colour(5)], theme)
    for x, y in ((100, 100), (180, 100), (140, 150)):
        assert tuple(picture[y, x].tolist()) == colour(5)
    assert np.array_equal(picture[70:140, 110:170], GREY[70:140, 110:170])
    x1, y1, x2, y2 = changed(picture)
    assert (x1, x2, y2) == pytest.approx((100, 180, 150), abs=3)
    assert 30 < y1 < 57  # the plate stands on the frame


def test_image_given_stays_as_it_was() -> None:
    image = GREY.copy()
    found = Detections([[10, 10, 90, 90]], [0.9], [0], ("a",))
    assert not np.array_equal(draw_detections(image, found), GREY)
    assert np.array_equal(image, GREY)


def test_only_what_is_above_the_threshold() -> None:
    found = Detections([[10, 10, 60, 60], [200, 100, 280, 180]], [0.2, 0.8], [0, 1], ("a", "b"))
    picture = draw_detections(GREY, found, threshold=0.3)
    assert changed(picture)[0] > 150
    assert np.array_equal(draw_detections(GREY, found, threshold=0.9), GREY)


def test_unknown_theme() -> None:
    with pytest.raises(ValueError, match="white, black"):
        draw_detections(GREY, Detections.empty(), theme="blue")


def test_themes_differ_in_the_plate() -> None:
    found = Detections([[100, 60, 180, 150]], [0.8], [0], ("cat",))
    white, black = (draw_detections(GREY, found, theme=theme) for theme in THEMES)
    plate = (slice(45, 57), slice(102, 120))
    assert white[plate].mean() > black[plate].mean() + 30


@pytest.mark.parametrize(
    "box", [(0, 0, 299, 199), (-50, -40, 20, 15), (280, 190, 400, 260), (290, 0, 299, 5)]
)
def test_plate_is_in_the_image(box: tuple[float, ...]) -> None:
    """A plate is a block of the class colour of known size, wherever the box lies."""
    bare = draw_boxes(GREY, np.array([box], float), [""], [colour(0)])
    labelled = draw_boxes(GREY, np.array([box], float), ["elephant"], [colour(0)])
    x1, y1, x2, y2 = changed(labelled, bare)
    assert x2 - x1 >= 40
    assert y2 - y1 >= 8


def test_plates_of_crowded_boxes_avoid_each_other() -> None:
    boxes = np.array([[100, 60, 180, 150], [102, 61, 182, 151]], float)
    inks = [colour(0), colour(1)]
    both = draw_boxes(GREY, boxes, ["second", "second"], inks, frames=False)
    alone = draw_boxes(GREY, boxes[1:], ["second"], inks[1:], frames=False)
    whole = (alone == inks[1]).all(axis=2).sum()
    assert whole > 300
    for ink in inks:  # a plate hidden by the other would show less of its colour
        assert (both == ink).all(axis=2).sum() == pytest.approx(whole, rel=0.05)


@settings(max_examples=60, deadline=None)
@given(
    st.integers(1, 40),
    st.integers(1, 40),
    st.lists(
        st.tuples(*[st.floats(allow_nan=True, allow_infinity=True, width=32)] * 4), max_size=3
    ),
)
def test_no_box_and_no_size_breaks_it(height: int, width: int, rows: list) -> None:
    image = np.zeros((height, width, 3), np.uint8)
    count = len(rows)
    boxes = np.array(rows, np.float32).reshape(count, 4)
    found = Detections(
        boxes,
        np.full(count, 0.9),
        np.arange(count),
        ("ä", "名前"),
        keypoints=np.repeat(boxes[:, :3, None], 3, axis=2),
        extremes=boxes.reshape(count, 2, 2).repeat(2, axis=1),
        skeleton=((0, 1), (1, 2)),
    )
    for theme in THEMES:
        picture = draw_detections(image, found, theme=theme)
        assert picture.shape == image.shape
        assert picture.dtype == np.uint8


def test_lines_grow_with_the_image() -> None:
    widths = [line_width(np.zeros((side, side, 3), np.uint8)) for side in (64, 512, 4000)]
    assert widths[0] == 1
    assert widths[0] < widths[1] < widths[2]


def test_keypoints_dots_and_limbs() -> None:
    joints = np.array([[[50, 50, 1], [150, 50, 1], [150, 150, 0]]], np.float32)
    dots = draw_keypoints(GREY, joints)
    assert tuple(dots[50, 50].tolist()) == colour(0)
    assert np.array_equal(dots[150, 150], GREY[150, 150])  # unseen
    limbs = draw_keypoints(GREY, joints, ((0, 1), (1, 2)))
    assert limbs[50, 100] == pytest.approx(colour(0), abs=25)  # smoothed with its outline
    assert np.array_equal(limbs[100, 150], GREY[100, 150])  # a limb needs both joints
    assert tuple(limbs[50, 50].tolist()) == WHITE


def test_extremes_are_marked() -> None:
    points = np.array([[[100, 20], [40, 80], [110, 150], [170, 90]]], np.float32)
    picture = draw_extremes(GREY, points, [colour(3)])
    for x, y in points[0].astype(int):
        assert tuple(picture[y, x].tolist()) == colour(3)


def test_masks_polygon_and_run_lengths() -> None:
    from pycocotools import mask as coco_mask

    inside = np.zeros((200, 300), np.uint8)
    inside[100:150, 200:250] = 1
    run_lengths = coco_mask.encode(np.asfortranarray(inside))
    picture = draw_masks(
        GREY, [[[10, 10, 60, 10, 60, 60, 10, 60]], run_lengths], [colour(0), colour(1)]
    )
    assert not np.array_equal(picture[30, 30], GREY[30, 30])
    assert changed(picture[:, 150:], GREY[:, 150:]).tolist() == [50, 100, 99, 149]


def test_heat_map_and_blend() -> None:
    maps = np.zeros((3, 8, 8), np.float32)
    maps[2, 4, 4] = 1.0
    white, black = (heat_map(maps, (8, 8), theme) for theme in THEMES)
    assert tuple(white[4, 4].tolist()) == tuple(black[4, 4].tolist()) == colour(2)
    assert tuple(white[0, 0].tolist()) == (255, 255, 255)
    assert tuple(black[0, 0].tolist()) == (0, 0, 0)
    assert heat_map(maps, (33, 50)).shape == (33, 50, 3)
    assert blend(GREY[:8, :8], white, 0.0).tolist() == GREY[:8, :8].tolist()
    assert blend(GREY[:8, :8], white, 1.0).tolist() == white.tolist()


def test_first_colours_are_far_apart() -> None:
    inks = np.array([colour(index) for index in range(8)], float)
    gaps = np.linalg.norm(inks[:, None] - inks[None], axis=2) + 1e3 * np.eye(8)
    assert gaps.min() > 60
    assert len({colour(index) for index in range(80)}) == 80


def test_text_can_be_read_on_its_background() -> None:
    assert text_on((255, 255, 255)) == BLACK
    assert text_on((0, 0, 0)) == WHITE
