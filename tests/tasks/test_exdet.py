"""Extreme points: grouping as recorded and as tried one by one, mirrored halves, round trips."""

from __future__ import annotations

import itertools
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from centernet.geometry.view import View
from centernet.heads import grouping
from centernet.heads.grouping import Groups, aggregate_edges, group
from centernet.heads.head_map import dense
from centernet.heads.peaks import Peaks
from centernet.models.create import create_model
from centernet.structures.detections import Detections
from centernet.structures.objects import Objects
from centernet.tasks import exdet
from centernet.tasks.exdet import Exdet, mirror_groups
from tests.detectors.recorded import image_of
from tests.detectors.test_parity import detector_of
from tests.parity_cases import cases, recipe
from tests.tasks.recorded import make_task

SIZE = (40, 48)


def recorded_task(case: Any) -> Exdet:
    params = case.params
    args = [
        word
        for name in ("scores_thresh", "center_thresh", "aggr_weight")
        for word in (f"--{name}", str(params[name]))
    ]
    args += ["--agnostic_ex"] if params["agnostic"] else []
    args += [] if params["reg"] else ["--not_reg_offset"]
    task = make_task("exdet", "coco", args, case.inputs["hm_c"].shape[1])
    assert isinstance(task, Exdet)
    return task


def decoded(task: Exdet, maps: dict[str, Any], k: int) -> dict[str, np.ndarray]:
    tensors = {name: torch.as_tensor(value) for name, value in maps.items()}
    return {name: value.numpy() for name, value in task.decode(dense(tensors), k).items()}


@pytest.mark.parametrize("case", cases("decode/exdet"))
def test_decoding_as_recorded(case: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(exdet, "GROUPS", case.params["num_dets"])
    found = decoded(recorded_task(case), case.inputs, case.params["K"])
    points = found["extremes"].reshape(*found["scores"].shape, -1)
    columns = (found["boxes"], found["scores"][..., None], points, found["classes"][..., None])
    assert (found["scores"] > 0).sum() == case.params["num_positive"]
    for ours, recorded in zip(np.concatenate(columns, 2), case.outputs["detections"], strict=True):
        same, message = recipe().match_ranked(recorded, ours, atol=1e-4, rtol=1e-4, min_score=0)
        assert same, message


def is_aggregation(case: Any) -> bool:
    return case.name.startswith("aggregate")


@pytest.mark.parametrize("case", cases("decode/blocks", where=is_aggregation))
def test_aggregation_as_recorded(case: Any) -> None:
    heat, weight = torch.from_numpy(case.inputs["heat"]), case.params["aggr_weight"]
    for dim, name in ((-1, "h_aggregate"), (-2, "v_aggregate")):
        ours = aggregate_edges(heat, dim, weight)
        np.testing.assert_allclose(ours, case.outputs[name], atol=1e-6, rtol=1e-5)


def test_aggregation_stops_where_the_edge_rises_again() -> None:
    heat = torch.tensor([[0.2, 0.1, 0.3, 0.5, 0.4, 0.6]])
    wanted = heat.clone()
    wanted[0, 0] += 0.1  # from its right
    wanted[0, 2] += 0.1
    wanted[0, 3] += 0.3 + 0.1 + 0.4
    wanted[0, 5] += 0.4
    torch.testing.assert_close(aggregate_edges(heat, -1, 1.0), wanted)


def test_aggregation_exported_at_one_size_is_right_at_others() -> None:
    class Edges(torch.nn.Module):
        def forward(self, heat: torch.Tensor) -> torch.Tensor:
            return aggregate_edges(aggregate_edges(heat, -1, 0.1), -2, 0.1)

    sides = {2: torch.export.Dim("h", min=4), 3: torch.export.Dim("w", min=4)}
    program = torch.export.export(Edges(), (torch.rand(1, 2, 33, 64),), dynamic_shapes=(sides,))
    for size in ((5, 20), (65, 128), (300, 31)):
        heat = torch.rand(1, 2, *size).sort(2).values  # edges that rise all the way
        torch.testing.assert_close(program.module()(heat), Edges()(heat), rtol=0, atol=0)


def random_peaks(rng: np.random.Generator, k: int, agnostic: bool) -> tuple[Peaks, torch.Tensor]:
    """Peaks of four sides and centres on a map of 6 x 7: many fit, many coincide."""
    low, high = (
        np.array([[0, 0], [1, 0], [3, 1], [1, 4]]),
        np.array([[3, 7], [5, 3], [6, 6], [5, 7]]),
    )
    y, x = (rng.integers(low[:, [axis]], high[:, [axis]], (4, k)) for axis in (0, 1))
    peaks = Peaks(
        torch.from_numpy(rng.random((4, k), np.float32)),
        torch.from_numpy(y * 7 + x),
        torch.from_numpy(rng.integers(0, 1 if agnostic else 2, (4, k))),
        torch.from_numpy(y.astype(np.float32)),
        torch.from_numpy(x.astype(np.float32)),
    )
    return peaks, torch.from_numpy(rng.random((2, 6, 7), np.float32))


def one_by_one(
    peaks: Peaks, centre: torch.Tensor, agnostic: bool
) -> list[tuple[float, int, tuple]]:
    """Every one of the K^4 groups, by the text of the paper; thresholds 0.3 and 0.2."""
    found = []
    for members in itertools.product(range(peaks.scores.shape[1]), repeat=4):
        score, kind, y, x = (
            [field[side][m].item() for side, m in enumerate(members)]
            for field in (peaks.scores, peaks.classes, peaks.y, peaks.x)
        )
        if min(score) < 0.3 or (not agnostic and len(set(kind)) > 1):
            continue
        if y[0] > min(y) or x[1] > min(x) or y[2] < max(y) or x[3] < max(x):
            continue
        row, column = int((y[0] + y[2] + 0.5) / 2), int((x[1] + x[3] + 0.5) / 2)
        index = int(centre[:, row, column].argmax()) if agnostic else kind[0]
        middle = centre[index, row, column].item()
        if middle >= 0.2:
            found.append(((sum(score) + 2 * middle) / 6, index, members))
    return sorted(found, reverse=True)


def group_of(peaks: Peaks, centre: torch.Tensor, **settings: Any) -> Groups:
    """The groups of one image."""
    one = Peaks(*(field[None] for field in peaks))
    return Groups(*(field[0] for field in group(one, centre[None], **settings)))


@pytest.mark.parametrize("agnostic", [False, True])
@pytest.mark.parametrize("seed", range(3))
def test_grouping_equals_trying_all(
    agnostic: bool, seed: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    peaks, centre = random_peaks(np.random.default_rng(seed), 7, agnostic)
    wanted = one_by_one(peaks, centre, agnostic)
    assert len(wanted) > 10
    settings = {"agnostic": agnostic, "scores_thresh": 0.3, "center_thresh": 0.2}
    for cells in (7, 1 << 20):  # one triple at a time, all at once
        monkeypatch.setattr(grouping, "CELLS", cells)
        found = group_of(peaks, centre, limit=len(wanted) + 5, **settings)
        rows = zip(found.members, found.classes.tolist(), found.scores.tolist(), strict=True)
        ours = {tuple(m.tolist()): (index, score) for m, index, score in rows if score > 0}
        assert {m: index for m, (index, _) in ours.items()} == {m: i for _, i, m in wanted}
        for score, _, m in wanted:  # nearly equal scores may change places by a rounding
            assert ours[m][1] == pytest.approx(score, abs=1e-6)
        assert (found.scores.diff() <= 0).all()
        few = group_of(peaks, centre, limit=10, **settings)
        torch.testing.assert_close(few.scores, found.scores[:10])


def test_memory_does_not_follow_the_fourth_power_of_k() -> None:
    """50 peaks on each side that all fit: 6 million groups, never all of them in one tensor."""
    k = 50
    y = torch.tensor([0.0, 20.0, 39.0, 20.0]).view(4, 1).expand(4, k)
    x = torch.tensor([20.0, 0.0, 20.0, 39.0]).view(4, 1).expand(4, k)
    scores = torch.linspace(0.2, 0.9, k).expand(4, k)
    peaks = Peaks(scores, (y * 40 + x).long(), torch.zeros(4, k, dtype=torch.int64), y, x)
    largest = 0

    class Watch(torch.utils._python_dispatch.TorchDispatchMode):
        def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None):
            nonlocal largest
            out = func(*args, **(kwargs or {}))
            for tensor in out if isinstance(out, (tuple, list)) else (out,):
                if isinstance(tensor, torch.Tensor):
                    largest = max(largest, tensor.untyped_storage().nbytes() // tensor.itemsize)
            return out

    with Watch():
        found = group_of(
            peaks,
            torch.ones(1, 40, 40),
            agnostic=False,
            scores_thresh=0.1,
            center_thresh=0.1,
            limit=1,
        )
    assert found.members.tolist() == [[k - 1] * 4]
    assert largest <= 4 * (grouping.CELLS + k)  # four numbers a group
    assert largest < k**4


def perfect_maps(task: Exdet, targets: dict[str, np.ndarray]) -> dict[str, torch.Tensor]:
    """What a network without any error would answer."""
    maps = {}
    used = targets["reg_mask"].astype(bool)
    for name in task.heads:
        if name.startswith("hm"):
            maps[name] = torch.from_numpy(targets[name])[None]
            continue
        plane = np.zeros((2, SIZE[0] * SIZE[1]), np.float32)
        plane[:, targets[f"ind_{name[-1]}"][used]] = targets[name][used].T
        maps[name] = torch.from_numpy(plane.reshape(1, 2, *SIZE))
    return maps


@st.composite
def outlines(draw: Any) -> Objects:
    """One object of each class, so that points of different objects never go together.

    Sides of 8 cells or more: the peak of a smaller centre is narrower than its rounding.
    """
    rng = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))
    count = draw(st.integers(1, 5))
    points = np.zeros((count, 4, 2))
    for n in range(count):
        w, h = rng.uniform(8, SIZE[1] - 2), rng.uniform(8, SIZE[0] - 2)
        x, y = rng.uniform(0, SIZE[1] - 1 - w), rng.uniform(0, SIZE[0] - 1 - h)
        across, down = rng.uniform(x, x + w, 2), rng.uniform(y, y + h, 2)
        points[n] = [[across[0], y], [x, down[0]], [across[1], y + h], [x + w, down[1]]]
    points = points.astype(np.float32)
    # Offsets are shared by the classes: no two points of one side may lie in one cell.
    cells = points.astype(int)
    free = [not (cells[n] == cells[:n]).all(2).any() for n in range(count)]
    points = points[free]
    boxes = np.concatenate([points.min(1), points.max(1)], axis=1)
    return Objects(boxes, rng.permutation(5)[: len(points)].astype(np.int64), extremes=points)


@settings(max_examples=30, deadline=None)
@given(outlines())
def test_decodes_what_it_encoded(objects: Objects) -> None:
    task = make_task("exdet", "coco", [], 5)
    found = task.decode(dense(perfect_maps(task, task.encode(objects, SIZE))), 30)  # type: ignore[arg-type]
    for name in ("boxes", "extremes"):
        for index, wanted in zip(objects.classes, getattr(objects, name), strict=True):
            best = np.flatnonzero(found["classes"][0].numpy() == index)[0]  # best first
            assert found["scores"][0, best] > 0.7
            np.testing.assert_allclose(found[name][0, best], wanted, atol=1e-3)
    assert set(found["classes"][0][found["scores"][0] > 0.7].tolist()) == set(objects.classes)


def test_objects_that_lie_outside_or_nowhere_teach_nothing() -> None:
    task = make_task("exdet", "coco", [], 2)
    points = np.full((3, 4, 2), np.nan, np.float32)
    points[1] = [[-9, 3], [-12, 5], [-9, 8], [-6, 5]]
    points[2] = [[9, 3], [6, 5], [9, 8], [12, 5]]
    objects = Objects(np.zeros((3, 4), np.float32), np.array([0, 0, -1]), extremes=points)
    targets = task.encode(objects, SIZE)
    assert not any(value.any() for value in targets.values())


def test_squared_error_draws_wider_gaussians_and_one_pixel_for_the_smallest() -> None:
    task = make_task("exdet", "coco", ["--mse_loss"], 1)
    points = np.array([[[9, 3], [8.8, 3.1], [9, 3.3], [9.1, 3.1]]], np.float32)
    targets = task.encode(
        Objects(np.zeros((1, 4), np.float32), np.zeros(1, int), extremes=points), SIZE
    )
    for name in ("hm_t", "hm_l", "hm_b", "hm_r", "hm_c"):
        assert np.isfinite(targets[name]).all()
        assert targets[name].max() == 1
    large = np.array([[[20, 3], [5, 20], [20, 35], [40, 20]]], np.float32)
    objects = Objects(np.zeros((1, 4), np.float32), np.zeros(1, int), extremes=large)
    focal = make_task("exdet", "coco", [], 1).encode(objects, SIZE)
    assert (task.encode(objects, SIZE)["hm_c"] > 0).sum() > 2 * (focal["hm_c"] > 0).sum()


def test_flip_test_joins_what_the_mirrored_image_shows() -> None:
    """The maps of the mirrored image give the same object, mirrored back, in rows of their own."""
    task = make_task("exdet", "coco", [], 1)
    points = np.array([[[20.5, 3.2], [5.1, 20.5], [24.5, 35.2], [40.1, 22.5]]], np.float32)
    mirrored = points[:, [0, 3, 2, 1]].copy()
    mirrored[..., 0] = SIZE[1] - mirrored[..., 0]
    maps = [
        perfect_maps(
            task, task.encode(Objects(np.zeros((1, 4)), np.zeros(1, int), extremes=p), SIZE)
        )
        for p in (points, mirrored.astype(np.float32))
    ]
    both = task.merge_flip(dense({name: torch.cat([m[name] for m in maps]) for name in task.heads}))
    found = task.decode(both, 10)
    assert found["boxes"].shape == (1, 2 * exdet.GROUPS, 4)
    for row in (0, exdet.GROUPS):
        assert found["scores"][0, row] > 0.7
        np.testing.assert_allclose(found["extremes"][0, row], points[0], atol=1e-3)


def random_maps(task: Exdet, seed: int) -> dict[str, torch.Tensor]:
    torch.manual_seed(seed)
    return {n: torch.rand(1, h.channels, 24, 16) for n, h in task.heads.items()}


def test_the_fault_of_the_published_detector_can_be_repeated() -> None:
    """Without the flip test it mirrored the lower half of its ranking."""
    task = make_task("exdet", "coco", ["--agnostic_ex"], 2)
    faulty = Exdet(task.info, task.options, half_mirrored=True)
    maps = random_maps(task, 0)
    right, wrong = (each.decode(dense(maps), 20) for each in (task, faulty))
    half = exdet.GROUPS // 2
    assert (right["scores"][0] > 0).sum() > half
    for name in right:
        torch.testing.assert_close(wrong[name][:, :half], right[name][:, :half])
    below = mirror_groups({name: value[:, half:] for name, value in right.items()}, 16)
    for name in right:
        torch.testing.assert_close(wrong[name][:, half:], below[name])
    assert not torch.equal(wrong["boxes"], right["boxes"])


def has_groups_without_flip(case: Any) -> bool:
    return "pre_nms_unmirrored" in case.outputs


@pytest.mark.slow
@pytest.mark.parametrize("case", cases("detectors/exdet", where=has_groups_without_flip))
def test_groups_of_a_whole_run_without_flip(case: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    kept: list[Detections] = []

    def keep(self: Exdet, parts: list[Detections], **settings: Any) -> Detections:
        kept.extend(parts)
        return parts[0]

    monkeypatch.setattr(Exdet, "merge", keep)
    detector_of(case).detect(image_of(case.params["image"]))
    found = kept[0]
    rows = np.column_stack([found.classes + 1, found.boxes, found.scores, found.extremes[:, 0]])
    # Recorded columns 6 and 7 are in pixels of the map; only the first six are ours to compare.
    recorded = case.outputs["pre_nms_unmirrored"][:, :6]
    same, message = recipe().match_ranked(
        recorded, rows[:, :6], score_col=5, atol=0.05, rtol=0, score_atol=1e-4
    )
    assert same, message


def test_soft_nms_always_runs() -> None:
    task = make_task("exdet", "coco", [], 1)
    boxes = np.array([[0, 0, 20, 20], [0, 0, 20, 21]], np.float32)
    found = task.merge([Detections(boxes, np.array([0.9, 0.8]), np.zeros(2))], nms=False)
    assert found.scores[0] == pytest.approx(0.9)
    assert found.scores[1] < 0.3


def test_rows_that_are_none_do_not_reach_the_image() -> None:
    task = make_task("exdet", "coco", [], 1)
    maps = {n: torch.zeros(1, h.channels, 8, 8) for n, h in task.heads.items()}
    arrays = decoded(task, maps, 5)
    [found] = task.postprocess(arrays, [View((16.0, 16.0), 32.0)], (8, 8))
    assert len(found) == 0
    assert found.extremes is not None
    assert found.extremes.shape == (0, 4, 2)


def test_decoding_exports() -> None:
    """For any number of images of any size, without operators whose results depend on the maps."""
    task = make_task("exdet", "coco", ["--aggr_weight", "0.1"], 2)

    class Decoder(torch.nn.Module):
        def forward(self, maps: dict[str, torch.Tensor]) -> dict[str, torch.Tensor]:
            return task.decode(dense(maps), 9)

    h, w = (torch.export.Dim(name, min=4) for name in "hw")
    sides = {0: torch.export.Dim("b"), 2: h, 3: w}
    example = {name: value.expand(2, -1, -1, -1) for name, value in random_maps(task, 1).items()}
    program = torch.export.export(
        Decoder(), (example,), dynamic_shapes=({n: sides for n in example},)
    )
    assert not [n for n in program.graph.nodes if "nonzero" in str(n.target)]
    for images, size in ((1, (24, 16)), (3, (20, 40))):
        torch.manual_seed(images)
        other = {n: torch.rand(images, h.channels, *size) for n, h in task.heads.items()}
        found = task.decode(dense(other), 9)
        assert (found["scores"] > 0).sum() > 100
        for name, value in program.module()(other).items():
            torch.testing.assert_close(value, found[name], msg=name)


def test_an_image_of_a_batch_is_grouped_as_alone() -> None:
    task = make_task("exdet", "coco", [], 2)
    maps = [random_maps(task, seed) for seed in range(3)]
    both = task.decode(dense({n: torch.cat([m[n] for m in maps]) for n in task.heads}), 12)
    for image, own in enumerate(maps):
        alone = task.decode(dense(own), 12)
        torch.testing.assert_close(both["scores"][image], alone["scores"][0], rtol=0, atol=0)
        count = int((alone["scores"] > 0).sum())
        assert count > 20
        ours, wanted = both["boxes"][image, :count], alone["boxes"][0, :count]
        torch.testing.assert_close(ours.sort(0).values, wanted.sort(0).values)


def test_weights_of_extremenet_fit() -> None:
    """Its own names of the heads lead to ours."""
    from centernet.models.published import our_names

    task = make_task("exdet", "coco", [])
    with torch.device("meta"):
        keys = list(create_model("hourglass", task.heads).state_dict())
    names = {"t_heats.0.1.weight": "heads.hm_t.0.1.weight", "ct_heats.1.0.conv.bias": ""}
    names["ct_heats.1.0.conv.bias"] = "heads.hm_c.1.0.conv.bias"
    weights = {f"module.{name}": torch.zeros(1) for name in names}
    assert set(our_names(weights, keys)) == set(names.values())
    assert set(names.values()) <= set(keys)
