"""Poses: decoding as recorded, joints that snap, skeletons of any kind, turned views."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from centernet.datasets.source import Info
from centernet.external.nms import GAUSSIAN, soft_nms
from centernet.geometry.view import View
from centernet.heads.head_map import dense
from centernet.runtime.errors import UserError
from centernet.structures.detections import Detections
from centernet.structures.merge import merge_scales
from centernet.structures.objects import Objects
from centernet.tasks.multi_pose import MultiPose, MultiPoseOptions
from tests.parity_cases import cases, recipe
from tests.tasks.recorded import make_task

SIZE = (40, 48)


def skeleton_info(joints: int, pairs: tuple[tuple[int, int], ...] = (), classes: int = 1) -> Info:
    """Facts of a data set whose objects have `joints` joints."""
    return Info(
        name="figures",
        class_names=tuple(f"kind{c}" for c in range(classes)),
        category_ids=tuple(range(1, classes + 1)),
        provides=frozenset({"boxes", "keypoints"}),
        joints=tuple(f"joint{j}" for j in range(joints)),
        flip_pairs=pairs,
        max_objects=8,
    )


def recorded_task(case: Any) -> MultiPose:
    switches = {"reg": "--not_reg_offset", "hm_hp": "--not_hm_hp"}
    args = [flag for name, flag in switches.items() if not case.params[name]]
    args += [] if case.params["hp_offset"] else ["--not_reg_hp_offset"]
    return make_task("multi_pose", "coco_hp", args)  # type: ignore[return-value]


def decoded(task: MultiPose, maps: dict[str, Any], k: int) -> dict[str, np.ndarray]:
    tensors = {name: torch.as_tensor(value) for name, value in maps.items()}
    return {name: value.numpy() for name, value in task.decode(dense(tensors), k).items()}


def assert_ranked(recorded: np.ndarray, ours: np.ndarray) -> None:
    same, message = recipe().match_ranked(recorded, ours, atol=1e-3, rtol=1e-5)
    assert same, message


@pytest.mark.parametrize("case", cases("decode/multi_pose"))
def test_decoding_as_recorded(case: Any) -> None:
    found = decoded(recorded_task(case), case.inputs, case.params["K"])
    joints = found["keypoints"].reshape(*found["scores"].shape, -1)
    columns = (found["boxes"], found["scores"][..., None], joints, found["classes"][..., None])
    for ours, recorded in zip(np.concatenate(columns, 2), case.outputs["detections"], strict=True):
        assert_ranked(recorded, ours)


@pytest.mark.parametrize("case", cases("decode/multi_pose", where=lambda c: c.params["post"]))
def test_image_pixels_as_recorded(case: Any) -> None:
    task = recorded_task(case)
    found = decoded(task, case.inputs, case.params["K"])
    map_size = case.inputs["hm"].shape[2:]
    for number, post in enumerate(case.params["post"]):
        scale = post["s"] if np.isscalar(post["s"]) else tuple(post["s"])
        recorded = case.outputs[f"post.{number}"]
        view = View(tuple(post["c"]), scale)
        batch = task.postprocess(found, [view] * len(found["scores"]), map_size)
        for image, got in enumerate(batch):
            joints = got.keypoints[:, :, :2].reshape(len(got), -1)
            rows = np.column_stack([got.boxes, got.scores, joints, got.classes + 1])
            mine = recorded[recorded[:, 0] == image]
            assert_ranked(mine[:, [*range(2, mine.shape[1]), 1]], rows)


def perfect_maps(task: MultiPose, targets: dict[str, np.ndarray]) -> dict[str, torch.Tensor]:
    """What a network without any error would answer: heat maps, and values at their places."""
    maps = {}
    for name, head in task.heads.items():
        if name in ("hm", "hm_hp"):
            maps[name] = torch.from_numpy(targets[name])[None]
            continue
        index, mask = ("hp_ind", "hp_mask") if name == "hp_offset" else ("ind", "reg_mask")
        plane = np.zeros((head.channels, SIZE[0] * SIZE[1]), np.float32)
        used = targets[mask].astype(bool)
        plane[:, targets[index][used]] = targets[name][used].T
        maps[name] = torch.from_numpy(plane.reshape(1, -1, *SIZE))
    return maps


@st.composite
def people(draw: Any) -> tuple[Info, MultiPoseOptions, Objects]:
    """A skeleton, flags, and objects of it whose centres, and whose joints, are cells apart."""
    joints = draw(st.sampled_from([1, 4, 13, 17]))
    classes = draw(st.integers(1, 2))
    options = MultiPoseOptions(not_hm_hp=draw(st.booleans()), not_reg_hp_offset=draw(st.booleans()))
    rng = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))
    spots = draw(st.lists(st.sampled_from(range(12)), min_size=1, max_size=6, unique=True))
    boxes, points = [], []
    for spot in spots:  # each within a tile of its own, 12 x 13 cells
        corner = np.array([spot % 4 * 12.0, spot // 4 * 13.0])
        low, high = corner + rng.uniform(0.1, 2, 2), corner + rng.uniform(8, 11, 2)
        boxes.append([*low, *high])
        points.append(rng.uniform(low, high, (joints, 2)))
    visible = rng.integers(1, 3, (len(spots), joints, 1))
    found = Objects(
        np.array(boxes, np.float32),
        rng.integers(0, classes, len(spots)),
        keypoints=np.concatenate([points, visible], axis=2).astype(np.float32),
    )
    return skeleton_info(joints, classes=classes), options, found


@settings(max_examples=60, deadline=None)
@given(people())
def test_decodes_what_it_encoded(drawn: tuple[Info, MultiPoseOptions, Objects]) -> None:
    info, options, objects = drawn
    task = MultiPose(info, options)
    targets = task.encode(objects, SIZE)
    maps = perfect_maps(task, targets)
    found = task.decode(dense(maps), 50)
    real = found["scores"][0] == 1
    order = np.argsort(targets["ind"][: len(objects)])
    centres = found["boxes"][0][real].view(-1, 2, 2).mean(1).int()
    ours = np.argsort((centres[:, 1] * SIZE[1] + centres[:, 0]).numpy())
    assert real.sum() == len(objects)
    for name, wanted in (("boxes", objects.boxes), ("classes", objects.classes)):
        np.testing.assert_allclose(found[name][0][real][ours], wanted[order], atol=1e-3)
    wanted = objects.keypoints[order, :, :2]
    error = np.abs(found["keypoints"][0][real][ours].numpy() - wanted).max(axis=2)
    # Joints that share a cell share its offset; without offsets a peak is known to half a cell.
    _, cell, shared = np.unique(
        wanted.reshape(-1, 2).astype(int), axis=0, return_inverse=True, return_counts=True
    )
    alone = (shared[cell.ravel()] == 1).reshape(error.shape)
    coarse = not options.not_hm_hp and options.not_reg_hp_offset
    assert error[alone].max(initial=0) < (0.51 if coarse else 1e-3)
    assert error.max() < 1
    assert (found["joint_scores"][0][real] == 1).all()


def one_person(joints: list[list[float]], **more: Any) -> Objects:
    return Objects(
        np.array([[8, 8, 24, 28]], np.float32),
        np.zeros(1, np.int64),
        keypoints=np.array([joints], np.float32),
        **more,
    )


def snapped(heat: list[tuple[int, int, float]], **flags: bool) -> tuple[np.ndarray, np.ndarray]:
    """Joint and its score of a person whose vector says (12, 12), with peaks x, y, value."""
    task = MultiPose(skeleton_info(1), MultiPoseOptions(not_reg_hp_offset=True, **flags))
    targets = task.encode(one_person([[12, 12, 2]]), SIZE)
    maps = perfect_maps(task, targets)
    maps["hm_hp"] = torch.zeros(1, 1, *SIZE)
    for x, y, value in heat:
        maps["hm_hp"][0, 0, y, x] = value
    found = task.decode(dense(maps), 4)
    return found["keypoints"][0, 0, 0].numpy(), found["joint_scores"][0, 0].numpy()


@pytest.mark.parametrize(
    ("heat", "place", "score"),
    [
        ([(14, 12, 0.5)], (14.5, 12.5), 0.5),
        ([(14, 12, 0.3), (16, 12, 0.9)], (14.5, 12.5), 0.3),  # the nearest, not the strongest
        ([(14, 12, 0.1)], (12, 12), 0.0),  # too weak
        ([(12, 12, 0.05)], (12, 12), 0.05),  # too weak to move it, but its heat all the same
        ([(7, 12, 0.9)], (12, 12), 0.0),  # outside the box: x from 8
        ([(12, 17, 0.9)], (12.5, 17.5), 0.9),  # 5.52 away; the reach is 0.3 * 20 = 6
        ([(12, 18, 0.9)], (12, 12), 0.0),  # 6.52 away
        ([(7, 12, 0.9), (17, 12, 0.2)], (12, 12), 0.0),  # the nearest is outside: no second try
        ([], (12, 12), 0.0),
    ],
)
def test_joints_snap_to_peaks(
    heat: list[tuple[int, int, float]], place: tuple[float, float], score: float
) -> None:
    joint, found = snapped(heat)
    np.testing.assert_allclose(joint, place, atol=1e-5)
    assert found == pytest.approx(score)


def test_joint_scores_without_heat_maps_are_the_persons() -> None:
    task = MultiPose(skeleton_info(2), MultiPoseOptions(not_hm_hp=True))
    maps = perfect_maps(task, task.encode(one_person([[12, 12, 2], [20, 20, 1]]), SIZE))
    maps["hm"] *= 0.7
    found = task.decode(dense(maps), 1)
    np.testing.assert_allclose(found["joint_scores"][0, 0], 0.7)


def test_without_box_sizes_the_joints_span_the_box() -> None:
    task = MultiPose(skeleton_info(3), MultiPoseOptions(not_reg_bbox=True))
    assert "wh" not in task.heads
    targets = task.encode(one_person([[10.25, 12.5, 2], [20.5, 26.75, 2], [15, 13, 1]]), SIZE)
    assert "wh" not in targets
    maps = perfect_maps(task, targets)
    np.testing.assert_allclose(
        task.decode(dense(maps), 1)["boxes"][0, 0], [10.25, 12.5, 20.5, 26.75]
    )
    maps["hps"] *= 0.9  # peaks beyond what the vectors span still draw the joints
    np.testing.assert_allclose(
        task.decode(dense(maps), 1)["boxes"][0, 0], [10.25, 12.5, 20.5, 26.75]
    )


def test_nobody_without_labelled_joints_teaches_a_size() -> None:
    task = MultiPose(skeleton_info(2))
    targets = task.encode(one_person([[12, 12, 0], [20, 20, 0]]), SIZE)
    assert targets["hm"].max() == 1
    for name in ("reg_mask", "hps_mask", "hp_mask", "hm_hp"):
        assert not targets[name].any()


def test_joints_outside_the_map_have_no_target_but_count_as_labelled() -> None:
    task = MultiPose(skeleton_info(2))
    targets = task.encode(one_person([[-0.5, 12, 2], [48.0, 20, 2]]), SIZE)
    assert targets["reg_mask"].tolist() == [1] + [0] * 7
    assert not targets["hps_mask"].any()
    assert not targets["hm_hp"].any()


@pytest.mark.parametrize("dense", [False, True])
def test_a_turned_view_teaches_joints_alone(dense: bool) -> None:
    """The upright box is not tight there, so no centre, size or vector is learned from it."""
    task = MultiPose(skeleton_info(2), MultiPoseOptions(dense_hp=dense))
    joints = [[12.0, 12.0, 2.0], [20.0, 20.0, 2.0]]
    targets = task.encode(one_person(joints, rotated=True), SIZE)
    assert (targets["hm"] == np.float32(0.9999)).all()
    assert targets["hp_mask"].sum() == 2
    assert targets["hm_hp"].max(axis=(1, 2)).tolist() == [1, 1]
    batch = {name: torch.from_numpy(value)[None] for name, value in targets.items()}
    maps = {n: torch.zeros(1, h.channels, *SIZE, requires_grad=True) for n, h in task.heads.items()}
    stats = task.loss([maps], batch)
    assert all(stats[name] == 0 for name in ("wh_loss", "hp_loss", "off_loss"))
    assert stats["hm_loss"] < 1e-6
    assert stats["hm_hp_loss"] > 0
    assert stats["hp_offset_loss"] == 0  # both joints lie on whole cells


def test_a_box_turned_out_of_view_keeps_its_joints() -> None:
    task = MultiPose(skeleton_info(1))
    beside = Objects(
        np.array([[50, 5, 60, 20]], np.float32),
        np.zeros(1, np.int64),
        keypoints=np.array([[[40, 12, 2]]], np.float32),
    )
    assert not task.encode(beside, SIZE)["hp_mask"].any()
    beside.rotated = True
    assert task.encode(beside, SIZE)["hp_ind"][0] == 12 * SIZE[1] + 40


@pytest.mark.parametrize("joints", [4, 13, 17])
def test_flip_test_follows_the_pairs_of_the_data(joints: int) -> None:
    """Averaging with the maps of the mirrored picture changes nothing when both are right."""
    pairs = tuple((a, a + 1) for a in range(1, joints - 1, 2))
    task = MultiPose(skeleton_info(joints, pairs))
    rng = np.random.default_rng(joints)
    points = np.concatenate([rng.uniform(9, 23, (1, joints, 2)), np.ones((1, joints, 1))], axis=2)
    upright = one_person(points[0].tolist())
    width = SIZE[1]
    mirrored = upright.flip(width, pairs)
    both = [perfect_maps(task, task.encode(o, SIZE)) for o in (upright, mirrored)]
    merged = task.merge_flip(dense({n: torch.cat([m[n] for m in both]) for n in task.heads}))
    # Boxes and joints are mirrored to width - 1 - x, cells likewise: only the fractions differ.
    found = task.decode(merged, 1)
    np.testing.assert_allclose(found["keypoints"][0, 0], points[0, :, :2], atol=1.01)
    swapped = task.merge_flip(dense({n: torch.cat([both[0][n]] * 2) for n in task.heads}))
    assert not torch.allclose(swapped["hps"].whole(), merged["hps"].whole())


@pytest.mark.parametrize("joints", [1, 4, 17])
def test_scales_are_merged_with_their_joints(joints: int) -> None:
    """Soft-NMS over rows of 5 + 2 J numbers, and over Detections, is one and the same."""
    rng = np.random.default_rng(joints)
    corners = rng.uniform(0, 60, (40, 2))
    boxes = np.hstack([corners, corners + rng.uniform(5, 40, (40, 2))]).astype(np.float32)
    scores, points = rng.random(40).astype(np.float32), rng.random((40, joints, 3))
    found = Detections(boxes, scores, np.zeros(40), keypoints=points.astype(np.float32))
    merged = merge_scales([found.select(slice(15)), found.select(slice(15, None))], nms=True)
    rows = np.hstack([boxes, scores[:, None], found.keypoints[:, :, :2].reshape(40, -1)])
    rows = np.ascontiguousarray(rows, np.float32)
    rows = rows[soft_nms(rows, Nt=0.5, method=GAUSSIAN)]
    rows = rows[np.argsort(-rows[:, 4], kind="stable")]
    np.testing.assert_array_equal(merged.boxes, rows[:, :4])
    np.testing.assert_array_equal(merged.scores, rows[:, 4])
    np.testing.assert_array_equal(merged.keypoints[:, :, :2].reshape(len(rows), -1), rows[:, 5:])


def test_squared_error_reads_the_joints_heat_as_it_is() -> None:
    task = MultiPose(skeleton_info(2), MultiPoseOptions(mse_loss=True))
    raw = {name: torch.full((1, head.channels, 4, 4), 0.5) for name, head in task.heads.items()}
    maps = task.activate(raw)
    assert (maps["hm_hp"].whole() == 0.5).all()
    assert maps["hm"].whole()[0, 0, 0, 0] == pytest.approx(1 / (1 + np.exp(-0.5)))
    heat = torch.zeros(1, 2, 4, 4)
    [loss] = [term.loss for term in task.terms if term.heads == ("hm_hp",)]
    assert loss([raw["hm_hp"]], {"hm_hp": heat}) == pytest.approx(0.25)
    raw["hm_hp"][:] = 3.0
    arrays = {n: v.numpy() for n, v in task.decode(maps, 2).items()}
    [found] = task.postprocess(arrays, [View((8, 8), 16.0)], (4, 4))
    assert found.keypoints[:, :, 2].max() <= 1  # a score, whatever was predicted


def test_a_skeleton_is_needed() -> None:
    with pytest.raises(UserError, match="data set boxes names no joints: list them under"):
        MultiPose(Info("boxes", ("a",), (1,)))


def test_joints_that_the_data_does_not_have_are_refused() -> None:
    """The loops that draw them look at no bounds."""
    task = MultiPose(skeleton_info(4))
    keypoints = np.full((1, 13, 3), 5, np.float32)
    box = np.array([[2, 2, 20, 20]], np.float32)
    with pytest.raises(ValueError, match="4 joints"):
        task.encode(Objects(box, np.zeros(1, np.int64), keypoints=keypoints), SIZE)
