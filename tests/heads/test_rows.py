"""Which cells learn from which object."""

from __future__ import annotations

import numpy as np
import pytest

from centernet.heads.rows import IGNORED, MIDDLES, PASSED, RECTANGLES, around, draw_objects, place

SIZE = (8, 10)  # height, width
BOXES = np.array(
    [[1, 1, 4, 6], [-9, -9, 3, 3], [20, 1, 30, 6], [2, 2, 2, 2], [np.nan] * 4, [7, 5, 99, 99]],
    np.float32,
)
CLASSES = np.array([2, 0, 0, 1, 1, -1])
PLACED = [True, True, False, False, False, True]


def test_boxes_are_clipped_and_those_outside_passed_over() -> None:
    rows = place(BOXES, CLASSES, SIZE, room=8)
    assert rows.there.astype(bool).tolist() == PLACED
    np.testing.assert_array_equal(rows.boxes[1], [0, 0, 3, 3])
    np.testing.assert_array_equal(rows.boxes[5], [7, 5, 9, 7])
    np.testing.assert_array_equal(rows.centres[:2], [[2.5, 3.5], [1.5, 1.5]])
    assert rows.mask.tolist() == [1, 1, 0, 0, 0, 0, 0, 0]  # a region to ignore learns nothing
    assert rows.index.tolist() == [32, 11, 0, 0, 0, 0, 0, 0]
    assert rows.drawn.tolist() == [0, 1]
    assert rows.spots()[:2, :3].tolist() == [[2, 2, 3], [0, 1, 1]]
    assert (rows.spots()[2:] == -1).all()


def test_values_and_vectors_stand_in_the_rows_of_their_objects() -> None:
    rows = place(BOXES, CLASSES, SIZE, room=8)
    values = np.arange(12.0).reshape(6, 2)
    np.testing.assert_array_equal(rows.filled(values)[:3], [[0, 1], [2, 3], [0, 0]])
    np.testing.assert_array_equal(rows.offsets(rows.centres)[:3], [[0.5, 0.5], [0.5, 0.5], [0, 0]])


def test_nothing_outside_is_kept_unless_asked_for() -> None:
    rows = place(BOXES, CLASSES, SIZE, room=6, outside=True)
    assert rows.there.tolist() == [1, 1, 1, 1, 0, 1]  # NaN never


def test_no_object_at_all() -> None:
    rows = place(np.zeros((0, 4)), np.zeros(0, np.int64), SIZE, room=3)
    assert rows.mask.tolist() == [0, 0, 0]
    assert rows.filled(np.zeros((0, 2))).shape == (3, 2)
    assert rows.offsets(np.zeros((0, 17, 2))).shape == (3, 17, 2)
    assert around(rows).mask.sum() == 0


def test_nine_cells_learn_the_same_box() -> None:
    """Each neighbour on the map has its own way to the centre, and the values of the object."""
    rows = place(BOXES, CLASSES, SIZE, room=8)
    more = around(rows)
    assert len(more.index) == 9 * 8
    assert (more.objects[:9] == 0).all()
    assert (more.objects[9:18] == 1).all()
    centre = rows.centres[0]
    y, x = np.divmod(more.index[:9], SIZE[1])
    np.testing.assert_array_equal(sorted(zip(y, x, strict=True)),
                                  [(a, b) for a in (2, 3, 4) for b in (1, 2, 3)])  # fmt: skip
    found = more.offsets(more.centres)[:9] + np.column_stack([x, y])
    np.testing.assert_allclose(found, np.tile(centre, (9, 1)))
    corner = place(np.array([[0, 0, 1, 1]]), np.array([0]), SIZE, room=1)
    assert around(corner).mask.sum() == 4  # the others are off the map
    assert around(corner, 2).mask.sum() == 9


@pytest.mark.parametrize("regions", [PASSED, MIDDLES, RECTANGLES])
def test_regions_to_ignore(regions: int) -> None:
    heat = np.zeros((3, *SIZE), np.float32)
    draw_objects(heat, place(BOXES, CLASSES, SIZE, room=8), regions)
    assert heat[2, 3, 2] == heat[0, 1, 1] == 1
    ignored = np.float32(IGNORED)
    expected = {PASSED: 0, MIDDLES: 3, RECTANGLES: 3 * 9}[regions]
    assert (heat == ignored).sum() == expected
