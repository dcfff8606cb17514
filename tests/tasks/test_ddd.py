"""3D detection: decoding and places as recorded, and what was put right; encoding and back."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from centernet.geometry.affine import affine, transform
from centernet.geometry.cuboids import corners, observation_angle, project, wrap
from centernet.geometry.view import View
from centernet.heads.head_map import dense
from centernet.heads.orientation import InBins, from_bins, mirror_bins, to_bins
from centernet.structures.objects import Cuboids, Objects
from tests.parity_cases import cases, recipe
from tests.tasks.recorded import cuboid_rows, make_task, without_turns

CAMERA = np.array([[180.0, 0, 160, 0], [0, 180.0, 48, 0], [0, 0, 1, 0]], np.float32)
MAP = (24, 80)  # of an image of 96 x 320
WHOLE = View((160.0, 48.0), (320.0, 96.0))


def ddd_task(case: Any) -> Any:
    args = [] if case.params["reg"] else ["--not_reg_offset"]
    args += [] if case.params["wh"] else ["--not_reg_bbox"]
    return make_task("ddd", "kitti", args)


def decoded(task: Any, case: Any) -> dict[str, np.ndarray]:
    maps = {name: torch.from_numpy(value) for name, value in case.inputs.items()}
    return {k: v.numpy() for k, v in task.decode(dense(maps), case.params["K"]).items()}


def recorded_alphas(rows: np.ndarray) -> np.ndarray:
    return from_bins(torch.from_numpy(rows[..., 3:11])).numpy()


@pytest.mark.parametrize("case", cases("decode/ddd"))
def test_decode(case: Any) -> None:
    found = decoded(ddd_task(case), case)
    columns = [found["centres"], found["scores"][..., None], found["alphas"][..., None]]
    columns += [found["depths"][..., None], found["dimensions"]]
    recorded = case.outputs["detections"]
    theirs = [recorded[..., :3], recorded_alphas(recorded)[..., None], recorded[..., 11:15]]
    if case.params["wh"]:
        columns.append(found["boxes"][..., 2:] - found["boxes"][..., :2])
        theirs.append(recorded[..., 15:17])
    columns.append(found["classes"][..., None])
    theirs.append(recorded[..., -1:])
    for a, b in zip(np.concatenate(theirs, 2), np.concatenate(columns, 2), strict=True):
        same, message = recipe().match_ranked(a, b, score_col=2, atol=1e-3, rtol=1e-5)
        assert same, message


def with_repaired_boxes(rows: np.ndarray, view: View, size: tuple[int, int]) -> np.ndarray:
    """Recorded rows with x1 y1 x2 y2 from column 3, their sizes put right.

    The published detector mapped a box's size by the whole affine, its translation included.
    """
    shift = view.back((size[1], size[0]))[:, 2]
    rows = rows.copy()
    rows[:, 3:5] += shift / 2
    rows[:, 5:7] -= shift / 2
    return rows


@pytest.mark.parametrize("case", cases("decode/ddd", where=lambda c: c.params["wh"]))
def test_places_in_space(case: Any) -> None:
    task = ddd_task(case)
    found = decoded(task, case)
    size = case.inputs["hm"].shape[2:]
    for i, post in enumerate(case.params["post"]):
        view = View(tuple(post["c"]), tuple(post["s"]))
        recorded = with_repaired_boxes(case.outputs[f"post.{i}"], view, size)
        many = len(found["scores"])
        # The published code took the first image's camera for the whole batch.
        batch = task.postprocess(found, [view] * many, size, [np.array(post["calib"])] * many)
        for image, got in enumerate(batch):
            mine = recorded[recorded[:, 0] == image, 1:]
            same, message = recipe().match_ranked(
                without_turns(mine),
                without_turns(cuboid_rows(got)),
                score_col=13,
                atol=2e-3,
                rtol=1e-4,
            )
            assert same, message
            np.testing.assert_array_equal(got.cuboids.depths, got.cuboids.locations[:, 2])


@pytest.mark.parametrize("case", cases("ddd_utils/ddd_utils"))
def test_place_and_angles_of_a_detection(case: Any) -> None:
    given_, expected = case.inputs, case.outputs
    task = make_task("ddd", "kitti", [])
    view = View((160.0, 48.0), (320.0, 96.0))  # a map of the same size: pixels stay as they are
    arrays = {
        "boxes": np.repeat(given_["center"], 2, axis=0).reshape(-1, 4),
        "scores": np.ones(40),
        "classes": np.zeros(40),
        "centres": given_["center"],
        "depths": given_["depth"],
        "dimensions": given_["dim"],
        "alphas": given_["alpha"],
    }
    arrays = {name: value[None] for name, value in arrays.items()}
    found = task.postprocess(arrays, [view], (96, 320), [given_["P"]])[0].cuboids
    np.testing.assert_allclose(
        found.locations, expected["ddd2locrot_location"], atol=1e-4, rtol=1e-5
    )
    turned = wrap(found.rotations - expected["ddd2locrot_rotation_y"])
    np.testing.assert_allclose(turned, 0, atol=1e-4)


@pytest.mark.parametrize(
    "case", cases("losses/atoms", where=lambda c: c.name.startswith("BinRotLoss"))
)
def test_bin_loss(case: Any) -> None:
    targets = {k: torch.from_numpy(np.array(v)) for k, v in case.inputs.items()}
    raw = targets.pop("output").requires_grad_()
    value = InBins(mask="mask")([raw], targets)
    value.backward()
    assert value.item() == pytest.approx(float(case.outputs["loss"]), rel=1e-4)
    np.testing.assert_allclose(raw.grad, case.outputs["grad.output"], atol=1e-5, rtol=1e-4)


@given(st.lists(st.floats(-3.14159, 3.14159), min_size=1, max_size=30))
def test_bins_hold_every_angle(angles: list[float]) -> None:
    bins, residuals = to_bins(np.array(angles))
    assert (bins.sum(axis=1) >= 1).all()
    logits = np.stack([-bins, bins], axis=2) * 5.0
    values = np.concatenate([logits, np.sin(residuals)[..., None], np.cos(residuals)[..., None]], 2)
    back = from_bins(torch.from_numpy(values.reshape(-1, 8))).numpy()
    np.testing.assert_allclose(wrap(back - angles), 0, atol=1e-5)
    assert (np.abs(back) <= np.pi + 1e-6).all()
    mirrored = mirror_bins(torch.from_numpy(values.reshape(1, -1, 1, 8)).transpose(1, 3))
    turned = from_bins(mirrored[0, :, 0].T.flip(0)).numpy()
    np.testing.assert_allclose(wrap(turned - (np.pi - np.array(angles))), 0, atol=1e-5)


@st.composite
def streets(draw: Any) -> Objects:
    """Cuboids whose middles are seen in cells at least two apart, off the grid."""
    cells = draw(st.lists(st.tuples(st.integers(2, 25), st.integers(2, 6)), min_size=1, max_size=6,
                          unique=True))  # fmt: skip
    part = st.integers(1, 99).map(lambda n: n / 100)
    seen = 4 * np.array([[3 * x + draw(part), 3 * y + draw(part)] for x, y in cells])
    count = len(seen)
    depths = np.array([draw(st.integers(4, 60)) + draw(part) for _ in cells])
    sizes = np.array([[1 + draw(part), 0.5 + draw(part), 1 + 3 * draw(part)] for _ in cells])
    x, y = ((seen[:, a] - CAMERA[a, 2]) * depths / CAMERA[a, a] for a in (0, 1))
    places = np.column_stack([x, y + sizes[:, 0] / 2, depths])
    rotations = np.array([draw(st.integers(-314, 314)) / 100 for _ in cells])
    # The middle of the image box stands for the cuboid's: boxes are laid around it.
    half = np.array([[2 + 3 * draw(part), 2 + 3 * draw(part)] for _ in cells])
    solid = Cuboids(*(a.astype(np.float32) for a in (
        sizes, places, rotations, observation_angle(rotations, places), depths)))  # fmt: skip
    boxes = np.concatenate([seen - half, seen + half], axis=1).astype(np.float32)
    classes = np.array([draw(st.integers(0, 2)) for _ in range(count)])
    return Objects(boxes, classes, cuboids=solid, calibration=CAMERA)


def perfect_maps(task: Any, targets: dict[str, np.ndarray]) -> dict[str, torch.Tensor]:
    """Activated maps that say what `targets` say."""
    maps = {"hm": torch.from_numpy(targets["hm"])[None]}
    used = np.flatnonzero(targets["rot_mask"])
    bins, residuals = targets["rotbin"][used], targets["rotres"][used]
    sides = np.stack([1 - bins, bins, np.sin(residuals), np.cos(residuals)], axis=2)
    rows = {name: targets[name][used] for name in {"dep", "dim", "wh", "reg"} & set(task.heads)}
    rows["rot"] = sides.reshape(len(used), 8)
    for name, values in rows.items():
        plane = np.zeros((values.shape[1], MAP[0] * MAP[1]), np.float32)
        plane[:, targets["ind"][used]] = values.T
        maps[name] = torch.from_numpy(plane.reshape(1, -1, *MAP))
    return maps


@settings(max_examples=40, deadline=None)
@given(streets())
def test_decodes_what_it_encoded(objects: Objects) -> None:
    task = make_task("ddd", "kitti", [])
    targets = task.encode(objects.warp(WHOLE, (MAP[1], MAP[0])), MAP)
    arrays = {k: v.numpy() for k, v in task.decode(dense(perfect_maps(task, targets)), 50).items()}
    [found] = task.postprocess(arrays, [WHOLE], MAP, [CAMERA])
    found = found.select(found.scores == 1)
    assert len(found) == len(objects)
    ours = np.lexsort(found.cuboids.locations.T)
    wanted = np.lexsort(objects.cuboids.locations.T)
    assert (found.classes[ours] == objects.classes[wanted]).all()
    np.testing.assert_allclose(found.boxes[ours], objects.boxes[wanted], atol=1e-3)
    solid, true = found.cuboids.select(ours), objects.cuboids.select(wanted)
    np.testing.assert_allclose(solid.locations, true.locations, atol=5e-3)
    np.testing.assert_allclose(solid.dimensions, true.dimensions, atol=1e-5)
    np.testing.assert_allclose(wrap(solid.alphas - true.alphas), 0, atol=1e-4)
    np.testing.assert_allclose(wrap(solid.rotations - true.rotations), 0, atol=1e-3)


def one_object() -> Objects:
    box = np.array([[100, 30, 130, 60]], np.float32)
    solid = Cuboids(*(np.array(v, np.float32) for v in (
        [[1.5, 1.6, 4]], [[-3, 1, 12]], [0.5], [0.7], [12])))  # fmt: skip
    return Objects(box, np.array([1]), cuboids=solid, calibration=CAMERA)


def test_a_strayed_view_teaches_no_depth() -> None:
    task = make_task("ddd", "kitti", [])
    for strayed in (False, True):
        view = View((160.0, 48.0), (320.0, 96.0), strayed=strayed)
        targets = task.encode(one_object().warp(view, (MAP[1], MAP[0])), MAP)
        assert targets["rot_mask"].sum() == 1
        assert targets["reg_mask"].sum() == (0 if strayed else 1)


def test_what_looks_nearer_is_taught_nearer() -> None:
    """At a test scale, for the oracle of depth: `finish` puts it right again."""
    task = make_task("ddd", "kitti", [])
    view = View((160.0, 48.0), (160.0, 48.0), zoom=2.0)
    targets = task.encode(one_object().warp(view, (MAP[1], MAP[0])), MAP)
    assert targets["dep"][0, 0] == 6.0


def test_without_box_heads_a_box_is_where_the_corners_are_seen() -> None:
    task = make_task("ddd", "kitti", ["--not_reg_bbox"])
    objects = one_object()
    targets = task.encode(objects.warp(WHOLE, (MAP[1], MAP[0])), MAP)
    assert "wh" not in targets
    arrays = {k: v.numpy() for k, v in task.decode(dense(perfect_maps(task, targets)), 50).items()}
    [found] = task.postprocess(arrays, [WHOLE], MAP, [CAMERA])
    best, solid = found.select([0]), found.cuboids.select([0])
    seen = project(corners(solid.dimensions, solid.locations, solid.rotations), CAMERA)[0]
    np.testing.assert_allclose(best.boxes[0], [*seen.min(0), *seen.max(0)], atol=1e-3)
    assert best.boxes[0, 0] < 115 < best.boxes[0, 2]


def test_a_test_scale_does_not_move_things_in_space() -> None:
    """Seen at twice the size, a thing looks half as far away; what is reported stays."""
    task = make_task("ddd", "kitti", [])
    objects = one_object()
    found = []
    for zoom in (1.0, 2.0):
        view = View((115.0, 45.0), (320.0 / zoom, 96.0 / zoom), zoom=zoom)
        centre = transform(
            objects.boxes.reshape(2, 2).mean(0)[None], affine(view.center, view.scale, 0, (80, 24))
        )
        arrays = {
            "boxes": np.concatenate([centre, centre], axis=1),
            "scores": np.ones(1),
            "classes": np.ones(1),
            "centres": centre,
            "depths": np.array([12.0 / zoom]),
            "dimensions": objects.cuboids.dimensions,
            "alphas": objects.cuboids.alphas,
        }
        arrays = {name: value[None] for name, value in arrays.items()}
        found.append(task.postprocess(arrays, [view], MAP, [CAMERA])[0].cuboids)
    np.testing.assert_allclose(found[0].locations, found[1].locations, atol=1e-3)


def test_regions_to_ignore_touch_their_classes_only() -> None:
    task = make_task("ddd", "kitti", [])
    box = np.array([[100, 30, 130, 60]], np.float32) / 4
    for kind, touched in ((-1, [0, 1, 2]), (-2, [0]), (-3, [1]), (-99, [])):
        heat = task.encode(Objects(box, np.array([kind])), MAP)["hm"]
        assert [c for c in range(3) if heat[c].any()] == touched
        assert heat.max() == pytest.approx(0.9999 if touched else 0)


def test_the_camera_is_assumed_aloud_and_once(capsys: pytest.CaptureFixture) -> None:
    task = make_task("ddd", "kitti", [])
    matrix = task.camera((370, 1242))
    assert task.camera((370, 1242)) is not None
    said = capsys.readouterr().err
    assert said.count("CAMERA UNKNOWN") == 1
    assert "721.538,721.538,621,185" in said
    assert matrix[0, 2] == 621
    told = make_task("ddd", "kitti", ["--calib", "700,710,320,240"])
    assert told.camera((480, 640))[1].tolist() == [0, 710, 240, 0]
    assert capsys.readouterr().err == ""
