"""Objects move with the pixels they were drawn on."""

from __future__ import annotations

from dataclasses import replace

import cv2
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pycocotools import mask as coco_mask

from centernet.geometry.view import View
from centernet.structures.masks import rasterise
from centernet.structures.objects import Cuboids, Objects

PAIRS = ((0, 1),)


def some(n: int = 4) -> Objects:
    rng = np.random.default_rng(n)
    corner, side = rng.uniform(0, 40, (n, 2)), rng.uniform(2, 20, (n, 2))
    boxes = np.hstack([corner, corner + side]).astype(np.float32)
    middle = corner + side / 2
    extremes = np.stack(
        [
            np.column_stack([middle[:, 0] + 0.1, boxes[:, 1]]),
            np.column_stack([boxes[:, 0], middle[:, 1] + 0.2]),
            np.column_stack([middle[:, 0] - 0.3, boxes[:, 3]]),
            np.column_stack([boxes[:, 2], middle[:, 1] - 0.4]),
        ],
        axis=1,
    ).astype(np.float32)
    flat = np.zeros(n, np.float32)
    cuboids = Cuboids(np.ones((n, 3), np.float32), np.ones((n, 3), np.float32), flat, flat, flat)
    return Objects(
        boxes,
        rng.integers(0, 3, n),
        ids=np.arange(n),
        keypoints=rng.uniform(0, 60, (n, 3, 3)).astype(np.float32),
        extremes=extremes,
        cuboids=cuboids,
        masks=[[[0.0, 0.0, 1.0, 0.0, 1.0, float(i)]] for i in range(n)],
        calibration=np.eye(3, 4, dtype=np.float32),
    )


def assert_same(a: Objects, b: Objects, atol: float = 1e-4) -> None:
    for name in ("boxes", "keypoints", "extremes"):
        np.testing.assert_allclose(getattr(a, name), getattr(b, name), atol=atol, err_msg=name)


def test_mirroring_twice_changes_nothing():
    objects = some()
    assert_same(objects.flip(64, PAIRS).flip(64, PAIRS), objects)


def test_mirrored_extremes_keep_their_meaning():
    extremes = some().flip(64).extremes
    assert (extremes[:, 1, 0] < extremes[:, 3, 0]).all()  # left stays left of right


def test_joints_of_a_pair_change_places():
    objects = some()
    mirrored = objects.flip(64, PAIRS)
    np.testing.assert_allclose(mirrored.keypoints[:, 0, 0], 63 - objects.keypoints[:, 1, 0])
    np.testing.assert_allclose(mirrored.keypoints[:, 2, 0], 63 - objects.keypoints[:, 2, 0])


def test_selection_takes_every_row_and_leaves_the_image_alone():
    objects = some(4)
    chosen = objects.select(np.array([True, False, True, False]))
    assert chosen.ids.tolist() == [0, 2]
    assert [m[0][-1] for m in chosen.masks] == [0.0, 2.0]
    assert len(chosen.cuboids) == len(chosen) == 2
    assert chosen.calibration.shape == (3, 4)
    assert len(objects.select(slice(3))) == 3


@settings(max_examples=50, deadline=None)
@given(
    st.floats(5, 60), st.floats(5, 60), st.floats(20, 100), st.sampled_from([None, 64]), st.data()
)
def test_boxes_follow_the_pixels_of_the_view(x, y, scale, mirror, data):
    """A bright square drawn in the image appears inside its warped box."""
    left, top = data.draw(st.integers(8, 40)), data.draw(st.integers(8, 40))
    image = np.zeros((64, 64, 3), np.uint8)
    image[top : top + 12, left : left + 12] = 255
    objects = Objects(
        np.array([[left, top, left + 11, top + 11]], np.float32), np.zeros(1, np.int64)
    )
    view = View((x, y), scale, 0.0, mirror)
    drawn = view.warp(image, (128, 128))[..., 0] > 200
    box = objects.warp(view, (128, 128)).boxes[0]
    rows, columns = np.nonzero(drawn)
    if len(rows) == 0:
        return
    slack = 128 / scale + 1
    assert columns.min() >= box[0] - slack
    assert columns.max() <= box[2] + slack
    assert rows.min() >= box[1] - slack
    assert rows.max() <= box[3] + slack


def test_rotation_turns_points_and_not_boxes():
    objects, size = some(), (64, 64)
    upright = objects.warp(View((32.0, 32.0), 64.0), size)
    turned = objects.warp(View((32.0, 32.0), 64.0, rotation=90.0), size)
    np.testing.assert_allclose(turned.boxes, upright.boxes)
    assert turned.rotated
    assert not upright.rotated
    from_middle = upright.keypoints[..., :2] - 32
    expected = np.stack([from_middle[..., 1], -from_middle[..., 0]], axis=-1) + 32
    np.testing.assert_allclose(turned.keypoints[..., :2], expected, atol=1e-3)


def test_columns_are_selected_and_joined_row_by_row():
    objects = some(4)
    objects.columns = {"age": np.arange(4)}
    objects.points = {"nose": np.arange(8, dtype=np.float32).reshape(4, 2)}
    halves = [objects.select([2, 3]), objects.select(np.arange(4) < 2)]
    joined = Objects.concatenate(halves)
    assert joined.columns["age"].tolist() == joined.ids.tolist() == [2, 3, 0, 1]
    assert joined.points["nose"][:, 0].tolist() == [4, 6, 0, 2]
    assert joined.masks == [objects.masks[i] for i in (2, 3, 0, 1)]
    assert len(joined.cuboids) == 4
    assert joined.calibration.shape == (3, 4)


def test_what_cannot_be_joined_is_named():
    objects = some(2)
    with pytest.raises(ValueError, match="masks is present in some parts only"):
        Objects.concatenate([objects, replace(objects, masks=None)])
    with pytest.raises(ValueError, match="same columns"):
        Objects.concatenate([objects, replace(objects, columns={"age": np.arange(2)})])
    with pytest.raises(ValueError, match="different pixels"):
        Objects.concatenate([objects, objects.flip(64)])
    with pytest.raises(ValueError, match="nothing"):
        Objects.concatenate([])
    with pytest.raises(ValueError, match="age has 3 rows, boxes has 2"):
        replace(objects, columns={"age": np.arange(3)})


def test_points_are_seen_as_joints_are():
    objects = some(3)
    objects.points = {"joints": objects.keypoints[..., :2].copy()}
    seen = objects.warp(View((30.0, 20.0), 50.0, 30.0, mirror=64), (96, 80))
    np.testing.assert_array_equal(seen.points["joints"], seen.keypoints[..., :2])


@pytest.mark.parametrize("run_lengths", [False, True])
@settings(max_examples=25, deadline=None)
@given(
    st.floats(20, 44),
    st.floats(20, 44),
    st.floats(30, 90),
    st.floats(-180, 180),
    st.sampled_from([None, 64]),
    st.booleans(),
)
def test_masks_follow_the_pixels_of_the_view(run_lengths, x, y, scale, rotation, mirror, again):
    """The map of a mask is what the view draws of the mask as an image, but for the outline."""
    corners = np.array([[12, 9, 41, 15, 50, 44, 22, 52]], np.float32)  # no symmetry
    [whole] = rasterise([list(corners)], np.eye(2, 3), (64, 64))
    mask = coco_mask.encode(np.asfortranarray(whole)) if run_lengths else list(corners)
    objects = Objects(np.array([[12, 9, 50, 52]], np.float32), np.zeros(1, np.int64), masks=[mask])
    view = View((x, y), scale, rotation, mirror)
    seen, drawn = objects.warp(view, (96, 96)), view.warp(whole * 255, (96, 96))
    if again:
        seen, drawn = seen.flip(96), drawn[:, ::-1]
    [found] = seen.mask_maps((96, 96))
    # Off the outline, where the drawn one is neither 0 nor 255 or has its edge, all is equal.
    sure = cv2.dilate(drawn, np.ones((5, 5))) == cv2.erode(drawn, np.ones((5, 5)))
    np.testing.assert_array_equal(found[sure], drawn[sure] > 127)
    assert abs(int(found.sum()) - drawn.sum() / 255) < 0.5 * (~sure).sum() + 1


def test_masks_of_a_view_of_the_whole_are_coco_s():
    ring = [3.2, 4.1, 40.7, 8.0, 33.3, 39.5]
    runs = coco_mask.merge(coco_mask.frPyObjects([ring], 48, 64))
    objects = Objects(
        np.zeros((3, 4), np.float32), np.zeros(3, np.int64), masks=[[ring], runs, None]
    )
    maps = objects.warp(View((32.0, 24.0), 64.0), (64, 48)).mask_maps((48, 64))
    for found, expected in zip(maps, [coco_mask.decode(runs)] * 2 + [0], strict=True):
        np.testing.assert_array_equal(found, np.broadcast_to(expected, (48, 64)))
    assert maps[0].any()


def test_objects_without_masks_have_empty_maps():
    assert not replace(some(2), masks=None).mask_maps((5, 7)).any()
    assert replace(some(2), masks=None).mask_maps((5, 7)).shape == (2, 5, 7)
    assert Objects.empty().mask_maps((5, 7)).shape == (0, 5, 7)
