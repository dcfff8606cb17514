"""Objects move with the pixels they were drawn on."""

from __future__ import annotations

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from centernet.geometry.view import View
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
