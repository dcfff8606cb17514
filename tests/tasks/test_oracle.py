"""Perfect heads: with all of them any network is right, and the error budget says so."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest
import torch

from centernet.detectors.detector import Detector
from centernet.detectors.error_budget import budget_lines, error_budget
from centernet.geometry.view import View
from centernet.heads.head_map import Maps
from centernet.heads.losses import AtCentres, Dense, Focal, MeanSquare
from centernet.models.create import create_model
from centernet.runtime.errors import UserError
from centernet.structures.objects import Cuboids, Objects
from centernet.tasks import TASKS
from centernet.tasks.oracle import Oracle, oracles_for
from tests.parity_cases import cases
from tests.tasks.recorded import make_task

IMAGE = np.random.default_rng(7).integers(0, 256, (90, 120, 3), np.uint8)
NAN = float("nan")


def people() -> Objects:
    """Two objects of class 0 that have every kind of annotation."""
    rng = np.random.default_rng(8)
    boxes = np.array([[6, 10, 40, 70], [52, 20, 110, 82]], np.float32)
    joints = [rng.uniform(box[:2] + 1, box[2:] - 1, (17, 2)) for box in boxes]
    seen = np.full((2, 17, 1), 2)
    places = np.array([[-1, 1, 8], [2, 1, 12]], np.float32)
    sizes = np.array([[1.5, 1.6, 4], [1.8, 0.6, 0.8]], np.float32)
    angles = np.array([0.3, -2], np.float32)
    return Objects(
        boxes,
        np.zeros(2, np.int64),
        keypoints=np.concatenate([joints, seen], axis=2).astype(np.float32),
        extremes=np.stack([corners_to_extremes(box) for box in boxes]),
        cuboids=Cuboids(sizes, places, angles, angles, places[:, 2]),
    )


def corners_to_extremes(box: np.ndarray) -> np.ndarray:
    """Top, left, bottom, right of the box of an ellipse."""
    x, y = (box[0] + box[2]) / 2, (box[1] + box[3]) / 2
    return np.array([[x, box[1]], [box[0], y], [x, box[3]], [box[2], y]], np.float32)


def detector(task: str, flags: list[str], **settings: object) -> Detector:
    torch.manual_seed(0)
    made = make_task(task, {"ctdet": "coco", "multi_pose": "coco_hp"}[task], flags)
    model = create_model("mobilenetv3", made.heads)
    return Detector.of(made, model, input_size=(96, 128), device="cpu", **settings)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("task", "flags"),
    [
        ("ctdet", []),
        ("ctdet", ["--cat_spec_wh"]),
        ("ctdet", ["--dense_wh"]),
        ("ctdet", ["--mse_loss"]),
        ("multi_pose", []),
        ("multi_pose", ["--dense_hp"]),
        ("multi_pose", ["--not_hm_hp"]),
    ],
)
def test_with_all_heads_perfect_a_new_network_is_right(task: str, flags: list[str]) -> None:
    for mode in ({}, {"keep_res": True}, {"flip_test": True}):
        judge = detector(task, flags, **mode)
        objects = people()
        wrong = next(judge.predict([judge.prepare(IMAGE, objects=objects)]))[1]
        assert wrong.scores.max() < 0.9
        judge = judge.with_oracle(Oracle(judge.task, oracles_for(judge.task)))
        found = next(judge.predict([judge.prepare(IMAGE, objects=objects)]))[1].select(slice(2))
        order = np.argsort(found.boxes[:, 0])
        assert (found.scores == 1).all()
        np.testing.assert_allclose(found.boxes[order], objects.boxes, atol=0.01)
        if task == "multi_pose":
            joints = found.keypoints[order, :, :2]
            # Two joints of a person in one cell share an offset: hardly more than a cell off.
            error = np.abs(joints - objects.keypoints[:, :, :2]).max(axis=2)
            assert np.median(error) < 0.01
            assert error.max() < 5


def whole(maps: Maps) -> dict[str, torch.Tensor]:
    return {name: each.whole() for name, each in maps.items()}


def test_one_perfect_head_leaves_the_others_alone() -> None:
    judge = detector("ctdet", [])
    prepared = judge.prepare(IMAGE, objects=people()).scales
    before = whole(judge.maps(prepared))
    judge = judge.with_oracle(Oracle(judge.task, ["wh"]))
    after = whole(judge.maps(judge.prepare(IMAGE, objects=people()).scales))
    assert torch.equal(before["hm"], after["hm"])
    assert torch.equal(before["reg"], after["reg"])
    # The image is drawn 128 wide, so a map's pixel is 120 / 32 of its own.
    sizes = people().boxes[:, 2:] - people().boxes[:, :2]
    cells = torch.unique(after["wh"][0].flatten(1).T, dim=0)
    np.testing.assert_allclose(cells, sorted((sizes * 32 / 120).tolist()), atol=1e-3)


def test_an_image_without_objects_keeps_what_was_predicted() -> None:
    judge = detector("multi_pose", [])
    judge = judge.with_oracle(Oracle(judge.task, ["wh", "kps", "hp_offset"]))
    plain = whole(judge.maps(judge.prepare(IMAGE).scales))
    empty = whole(judge.maps(judge.prepare(IMAGE, objects=Objects.empty()).scales))
    assert all(torch.equal(plain[name], empty[name]) for name in plain)


def test_every_cell_has_the_values_of_the_nearest_centre() -> None:
    targets = {
        "value": torch.tensor([[1.0, 2.0], [3.0, 4.0], [9.0, 9.0]]),
        "ind": torch.tensor([0, 5, 3]),
        "reg_mask": torch.tensor([1, 1, 0]),
        "each_mask": torch.tensor([[1, 1], [0, 1], [0, 0]]),
    }
    first, second = AtCentres("value").truth(targets, (1, 6))[0]
    assert first.tolist() == [[1, 1, 1, 3, 3, 3]]
    assert second.tolist() == [[2, 2, 2, 4, 4, 4]]
    first, second = AtCentres("value", mask="each_mask").truth(targets, (1, 6))[0]
    np.testing.assert_array_equal(first, [[1, 1, 1, NAN, NAN, NAN]])
    assert second.tolist() == [[2, 2, 2, 4, 4, 4]]


def is_spreading(case: Any) -> bool:
    return case.name == "gen_oracle_map"


@pytest.mark.parametrize("case", cases("decode/blocks", where=is_spreading))
def test_values_spread_as_the_originals_do(case: Any) -> None:
    """The original knows an object by an index that is not 0."""
    size = case.params["h"], case.params["w"]
    values, index = (torch.from_numpy(case.inputs[name]) for name in ("feat", "ind"))
    for image, recorded in enumerate(case.outputs["map"]):
        rows = {"value": values[image], "ind": index[image], "reg_mask": index[image] > 0}
        np.testing.assert_array_equal(AtCentres("value").truth(rows, size)[0], recorded)


def test_of_objects_with_one_centre_the_last_is_seen() -> None:
    targets = {
        "value": torch.tensor([[1.0], [2.0], [3.0], [4.0]]),
        "ind": torch.tensor([2, 0, 2, 2]),
        "reg_mask": torch.tensor([1, 1, 1, 0]),
    }
    (row,) = AtCentres("value").truth(targets, (1, 3))[0]
    assert row.tolist() == [[2, 3, 3]]


@pytest.mark.parametrize("task", list(TASKS))
def test_perfect_heads_have_nothing_left_to_learn(task: str) -> None:
    """There is an oracle for every head, and of each loss hardly anything is left."""
    made = make_task(task, {"ddd": "kitti", "multi_pose": "coco_hp"}.get(task, "coco"), [], 1)
    torch.manual_seed(0)
    maps = {name: torch.randn(1, head.channels, 24, 32) for name, head in made.heads.items()}
    seen = people().warp(View((60, 45), 120.0), (32, 24))
    encoded = made.encode(seen, (24, 32))
    targets = {name: torch.from_numpy(value)[None] for name, value in encoded.items()}
    oracle = Oracle(made, oracles_for(made))
    assert set(oracle.heads) == set(made.heads)
    before, after = made.loss([maps], targets), oracle.loss([maps], targets)
    # Rows without an object count as undecided, 2 ln 2 each, whatever the network says.
    empty = 2 * math.log(2) * (1 - 2 / made.info.max_objects)
    least = {"rot_loss": empty, "loss": empty if "rot" in made.heads else 0.0}
    for stat in before:
        assert after[stat] - least.get(stat, 0.0) < 0.1 * before[stat] + 1e-3, stat


def test_maps_are_their_own_truth_where_they_are_taught() -> None:
    heat = torch.rand(2, 3, 4)
    (raw,) = Focal("hm").truth({"hm": heat}, (3, 4))
    torch.testing.assert_close(raw.sigmoid(), heat)
    weight = (heat > 0.5).float()
    (known,) = Dense("hm", "weight").truth({"hm": heat, "weight": weight}, (3, 4))
    assert torch.equal(known.isnan(), weight == 0)
    assert torch.equal(known[weight > 0], heat[weight > 0])


def test_the_truth_follows_the_view() -> None:
    task = make_task("ctdet", "coco", [])
    whole = Oracle(task, ["hm"]).truth(people(), View((60, 45), 120.0), (24, 32))["hm"]
    half = Oracle(task, ["hm"]).truth(people(), View((30, 45), 60.0), (24, 32))["hm"]
    assert (whole == 1).sum() == 2
    assert (half == 1).sum() == 2  # one is cut by the edge
    assert not torch.equal(whole, half)


def test_an_oracle_without_a_head_is_a_mistake() -> None:
    task = make_task("ctdet", "coco", ["--not_reg_offset"])
    assert oracles_for(task) == {"hm": ["hm"], "wh": ["wh"]}
    with pytest.raises(UserError, match=r"eval_oracle kps: ctdet has no .*; it has hm, wh$"):
        Oracle(task, ["kps"])


def test_the_budget_measures_the_network_itself_last() -> None:
    judge = detector("ctdet", [])
    seen: list[list[str]] = []

    def measure(tested: Detector) -> float:
        assert tested.engine is judge.engine
        seen.append([] if tested.oracle is None else tested.oracle.heads)
        return 0.25 + 0.125 * len(seen[-1])

    budget = error_budget(judge, measure)
    assert seen == [["hm", "wh", "reg"], ["hm"], ["wh"], ["reg"], []]
    assert list(budget.items()) == [
        ((), 0.25),
        *(((name,), 0.375) for name in ("hm", "wh", "offset")),
        (("hm", "wh", "offset"), 0.625),
    ]
    assert list(budget_lines(budget, "AP")) == [
        "perfect           AP    gain",
        "nothing        0.250",
        "hm             0.375  +0.125",
        "wh             0.375  +0.125",
        "offset         0.375  +0.125",
        "everything     0.625  +0.375",
    ]


@pytest.mark.parametrize("flags", [[], ["--rect_mask"]])
def test_regions_to_ignore_are_empty_in_a_perfect_heat_map(flags: list[str]) -> None:
    """What training draws there is higher than anything around it, so decoding would find it."""
    task = make_task("ddd", "kitti", flags)
    objects = people()
    objects.classes[:] = 1, -1
    heat = Oracle(task, ["hm"]).truth(objects, View((60, 45), 120.0), (24, 32))["hm"]
    alone = task.encode(objects.select([0]).warp(View((60, 45), 120.0), (32, 24)), (24, 32))["hm"]
    torch.testing.assert_close(heat, torch.from_numpy(alone))


@pytest.mark.parametrize("task", ["ctdet", "multi_pose", "ddd", "exdet"])
def test_a_heat_map_without_squared_error_is_read_as_its_target(task: str) -> None:
    """What the loss compares and what a detector reads must be one thing."""
    kind = {"ddd": "kitti", "multi_pose": "coco_hp"}.get(task, "coco")
    made = make_task(task, kind, ["--mse_loss"], 1)
    seen = people().warp(View((60, 45), 120.0), (32, 24))
    targets = {n: torch.from_numpy(v)[None] for n, v in made.encode(seen, (24, 32)).items()}
    maps = {name: torch.randn(1, head.channels, 24, 32) for name, head in made.heads.items()}
    squared = [term for term in made.terms if isinstance(term.loss, MeanSquare)]
    learned = Oracle(made, oracles_for(made)).correct_raw(maps, targets)
    read = made.activate(learned)
    assert squared
    for term in squared:
        (name,) = term.heads
        assert term.loss([learned[name]], targets) < 1e-6
        torch.testing.assert_close(read[name].whole(), targets[name], atol=1e-4, rtol=0)
