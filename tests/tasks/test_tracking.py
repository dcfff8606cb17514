"""CenterTrack's task against its recorded samples, decodings, losses and networks."""

from __future__ import annotations

import importlib.util
import json
from functools import cache
from types import ModuleType
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor

from centernet.datasets.source import Info
from centernet.geometry.view import View
from centernet.heads.head_map import Dense
from centernet.heads.recollection import Noise, disturbed, heat_of
from centernet.models.create import create_model
from centernet.models.published import published_key
from centernet.structures.detections import Detections
from centernet.structures.known import Known
from centernet.structures.objects import Objects
from centernet.tasks.options import TrackingOptions
from centernet.tasks.tracking import Tracking
from tests.parity_cases import cases, folder

ROOT = "tracking/centertrack"
SWITCHES = ("pre_hm", "no_pre_img", "zero_pre_hm", "ltrb", "ltrb_amodal", "same_aug_pre")
NUMBERS = ("hm_disturb", "lost_disturb", "fp_disturb")


@cache
def own_recipe() -> ModuleType:
    """The recipe of the topic's folder, which knows the heads of its networks."""
    spec = importlib.util.spec_from_file_location(
        "tracking_recipe", folder() / ROOT / "../recipe.py"
    )
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def task_for(classes: int, rows: int = 128, **options: Any) -> Tracking:
    names = tuple(map(str, range(classes)))
    info = Info("recorded", names, tuple(range(1, classes + 1)), max_objects=rows)
    return Tracking(info, TrackingOptions(**options))


def options_of(words: str) -> dict[str, Any]:
    """The task's own flags of a recorded command."""
    split = words.split()
    found: dict[str, Any] = {name: True for name in SWITCHES if f"--{name}" in split}
    for name in NUMBERS:
        if f"--{name}" in split:
            found[name] = float(split[split.index(f"--{name}") + 1])
    return found


def plain(case: Any) -> bool:
    """Whether a case is of boxes alone."""
    return str(case.params["arguments"]).split()[0] == "tracking"


class Draws:
    """Recorded numbers in their order."""

    def __init__(self, draws: list[list[Any]]) -> None:
        self.left = list(draws)

    def _next(self, kind: str) -> float:
        function, value = self.left.pop(0)
        assert function == kind
        return value

    def standard_normal(self) -> float:
        return self._next("randn")

    def random(self) -> float:
        return self._next("random")


def annotations(kind: str) -> dict[str, Any]:
    text = (folder() / ROOT / "targets_annotations.json").read_text()
    return json.loads(text)[kind]["annotations"]


def objects_of(document: dict[str, Any], image: int, table: dict[int, int]) -> Objects:
    """The objects of an image; `table` gives classes from 1, below 1 of regions to ignore."""
    rows = [a for a in document["annotations"] if a["image_id"] == image]
    corners = np.array([a["bbox"] for a in rows], np.float32).reshape(-1, 4)
    corners[:, 2:] += corners[:, :2]
    kinds = [table.get(a["category_id"], a["category_id"]) for a in rows]
    return Objects(
        corners,
        np.array([c - 1 if c > -99 else c for c in kinds], np.int64),
        crowd=np.array([a.get("iscrowd", 0) > 0 for a in rows], bool),
        identities=np.array([a.get("track_id", -1) for a in rows], np.int64),
    )


def view_of(row: list[float], mirror: int | None) -> View:
    """The view of a recorded affine: centre x, y, scale, rotation."""
    x, y, scale, turn, *_ = row
    return View((x, y), scale, turn, mirror)


def recorded_pair(case: Any) -> tuple[Objects, Objects, View, View, Draws]:
    """Objects of this frame and of the one before, both views, and the draws that are left."""
    p = case.params
    document = annotations(p["kind"])
    facts = json.loads((folder() / ROOT / "options.json").read_text())["datasets"][p["kind"]]
    table = {int(key): value for key, value in facts["cat_ids"].items()}
    width = next(i["width"] for i in document["images"] if i["id"] == p["image_id"])
    words = p["arguments"].split()
    chance = float(words[words.index("--flip") + 1]) if "--flip" in words else 0.5
    chosen = max(n for n, (kind, _) in enumerate(p["draws"]) if kind == "choice")
    mirror = width if p["draws"][chosen - 1][1] < chance else None
    here = next(i for i in document["images"] if i["id"] == p["image_id"])
    within = int(words[words.index("--max_frame_dist") + 1]) if "--max_frame_dist" in words else 3
    frames = [
        i
        for i in document["images"]
        if i["video_id"] == here["video_id"] and abs(i["frame_id"] - here["frame_id"]) < within
    ]
    before = frames[int(p["draws"][chosen][1])]
    again = len(p["affine"]) == 4
    views = [view_of(p["affine"][0], mirror), view_of(p["affine"][2 if again else 0], mirror)]
    draws = Draws(p["draws"][chosen + (5 if again else 1) :])
    now, then = (objects_of(document, i["id"], table) for i in (here, before))
    return now, then, views[0], views[1], draws


@pytest.mark.parametrize("case", cases(f"{ROOT}/targets", where=plain))
def test_samples_as_recorded(case: Any) -> None:
    p, wanted = case.params, case.outputs
    task = task_for(p["num_classes"], p["max_objs"], **options_of(p["arguments"]))
    now, then, view, earlier, draws = recorded_pair(case)
    size = int(p["affine"][0][5]), int(p["affine"][0][4])
    map_size = int(p["affine"][1][5]), int(p["affine"][1][4])
    known = task.remember(then, earlier, size, draws)
    assert not draws.left
    if "pre_hm" in wanted:
        np.testing.assert_allclose(task.recall(known)["heat"], wanted["pre_hm"], atol=1e-5)
    seen = now.warp(view, map_size[::-1])
    seen.before = known.places_of(now.identities, map_size)
    targets = task.encode(seen, map_size)
    for name in ("ind", "cat", "mask"):
        np.testing.assert_array_equal(targets[name], wanted[name], err_msg=name)
    np.testing.assert_array_equal(targets["tracking_mask"], wanted["tracking_mask"])
    np.testing.assert_allclose(targets["hm"], wanted["hm"], atol=1e-5)
    for name in set(task.heads) - {"hm"}:
        np.testing.assert_allclose(targets[name], wanted[name], atol=2e-4, err_msg=name)
        mask = wanted[f"{name}_mask"]
        own = targets["tracking_mask"] if name == "tracking" else targets["mask"][:, None]
        np.testing.assert_array_equal(np.broadcast_to(own, mask.shape), mask)


def boxes_alone(case: Any) -> bool:
    return set(case.params["heads"]) <= {"hm", "reg", "wh", "tracking", "ltrb", "ltrb_amodal"} and (
        "tracking" in case.params["heads"] and "reg" in case.params["heads"]
    )


@pytest.mark.parametrize("case", cases(f"{ROOT}/decode", where=boxes_alone))
def test_decoding_as_recorded(case: Any) -> None:
    p = case.params
    maps = {n: torch.from_numpy(v) for n, v in case.inputs.items() if n in p["heads"]}
    classes = maps["hm"].shape[1]
    extra = {name: name in maps for name in ("ltrb", "ltrb_amodal")}
    task = task_for(classes, zero_tracking=bool(p.get("zero_tracking")), **extra)
    found = task.decode({n: Dense(v) for n, v in maps.items()}, p["K"])
    ours = {
        "scores": found["scores"],
        "clses": found["classes"],
        "bboxes": found["boxes"],
        "cts": found["centers"],
        "tracking": found["displacements"],
    }
    wanted = {name: case.outputs[f"dec.{name}"] for name in ours}
    if "dec.bboxes_amodal" in case.outputs:
        wanted["bboxes"] = case.outputs["dec.bboxes_amodal"]
    for image in range(len(found["scores"])):
        mine, theirs = (
            np.hstack([np.asarray(v[image], np.float64).reshape(len(v[image]), -1)
                       for v in each.values()])
            for each in (ours, wanted)
        )  # fmt: skip
        same, message = own_recipe().match_ranked(theirs, mine, score_col=0)
        assert same, message


@pytest.mark.parametrize("case", cases(f"{ROOT}/losses"))
def test_losses_as_recorded(case: Any) -> None:
    heads = case.params.get("heads") or ()
    if not set(heads) or not set(heads) <= {"hm", "reg", "wh", "tracking", "ltrb", "ltrb_amodal"}:
        pytest.skip("of heads that the task does not have")
    raw = {n[5:]: torch.from_numpy(v).requires_grad_() for n, v in case.inputs.items()
           if n.startswith("head.")}  # fmt: skip
    targets = {n[3:]: torch.from_numpy(v) for n, v in case.inputs.items() if n.startswith("gt.")}
    given = {f"{'off' if n == 'reg' else n}_weight": w for n, w in case.params["weights"].items()}
    extra = {name: name in raw for name in ("ltrb", "ltrb_amodal")}
    task = task_for(raw["hm"].shape[1], **extra, **given)
    stats = task.loss([raw], targets)
    for name in raw:
        np.testing.assert_allclose(stats[f"{name}_loss"].detach(), case.outputs[f"loss.{name}"],
                                   rtol=1e-4, atol=1e-5)  # fmt: skip
    np.testing.assert_allclose(stats["loss"].detach(), case.outputs["loss.tot"], rtol=1e-4)
    stats["loss"].backward()
    for name, value in raw.items():
        np.testing.assert_allclose(value.grad, case.outputs[f"grad.{name}"], rtol=1e-4, atol=1e-5)


def published_network(case: Any) -> bool:
    words = case.params["arguments"].split()
    return words[0] == "tracking" and case.name.startswith(("dla_34.tracking", "dlav0"))


@pytest.mark.parametrize("case", cases(f"{ROOT}/forward", where=published_network))
def test_networks_as_recorded(case: Any) -> None:
    p = case.params
    task = task_for(p["heads"]["hm"], **options_of(p["arguments"]))
    assert {n: h.channels for n, h in task.heads.items()} == p["heads"]
    arch = "dlav0_34" if case.name.startswith("dlav0") else "dla_34"
    model = create_model(arch, task.heads, inputs=task.inputs).eval()
    state = model.state_dict()
    named = {published_key(key): value for key, value in state.items()}
    filled = own_recipe().fill_state_dict(named, p["seed"], p["feature_scale"])
    for key, value in case.inputs.items():
        if key.startswith("override."):
            filled[key[9:]] = torch.from_numpy(value)
    model.load_state_dict({key: filled[published_key(key)] for key in state})
    images = [own_recipe().make_input(p["seed"] + n, p["input_shape"]) for n in (0, 1)]
    every: dict[str, Tensor] = dict(
        zip(("image", "previous"), map(torch.from_numpy, images), strict=True)
    )
    if "pre_hm" in case.inputs:
        every["heat"] = torch.from_numpy(case.inputs["pre_hm"])
    with torch.no_grad():
        (maps,) = model({name: every[name] for name in task.inputs})
    step = p["spatial_stride_stored"]
    for name, value in maps.items():
        np.testing.assert_allclose(
            value[..., ::step, ::step], case.outputs[name], rtol=1e-3, atol=1e-4, err_msg=name
        )


@pytest.mark.parametrize("case", cases(f"{ROOT}/pre_process"))
def test_the_heat_map_of_tracks_as_recorded(case: Any) -> None:
    if "zero_pre_hm" in case.name:
        pytest.skip("repaired in the original")
    p, tracks = case.params, case.inputs["tracks"]
    height, width = p["inp_hw"]
    task = task_for(1, pre_thresh=p["pre_thresh"])
    tracks = tracks[tracks[:, 1] > 0]
    known = Detections(tracks[:, 2:], tracks[:, 0], np.zeros(len(tracks)))
    scale = case.outputs["s"]
    side = float(scale) if scale.ndim == 0 else tuple(map(float, scale))
    centre = tuple(map(float, case.outputs["c"]))
    heat = task.recall(task.remember(known, View(centre, side), (height, width)))["heat"]
    wanted = case.outputs["pre_hm"]
    np.testing.assert_allclose(heat, wanted[0], atol=1e-5)


def test_a_round_trip() -> None:
    task = task_for(2, ltrb_amodal=True)
    boxes = np.array([[10.2, 8.1, 30.4, 20.9], [-4.0, 15.0, 12.0, 25.0]], np.float32)
    before = np.array([[18.0, 12.5], [np.nan, np.nan]], np.float32)
    objects = Objects(boxes, np.array([1, 0]), identities=np.array([3, 4]), before=before)
    targets = {n: torch.from_numpy(v)[None] for n, v in task.encode(objects, (32, 48)).items()}
    maps = {"hm": targets["hm"]}
    for name in set(task.heads) - {"hm"}:
        values = torch.zeros(1, task.heads[name].channels, 32 * 48)
        values[0, :, targets["ind"][0, :2]] = targets[name][0, :2].T
        maps[name] = values.unflatten(2, (32, 48))
    found = task.decode({n: Dense(v) for n, v in maps.items()}, 2)
    order = found["classes"][0].argsort(descending=True)
    np.testing.assert_allclose(found["boxes"][0][order], boxes, atol=1e-4)
    places = found["centers"] + found["displacements"]
    np.testing.assert_allclose(places[0][order][0], before[0], atol=1e-4)
    view = View((24.0, 16.0), (48.0, 32.0))
    arrays = {name: value.numpy() for name, value in found.items()}
    (detections,) = task.postprocess(arrays, [view], (32, 48))
    shown = detections.columns
    assert shown["displacements"].shape == (2, 2)
    np.testing.assert_allclose(shown["centers"] + shown["displacements"], places[0], atol=1e-3)


def test_zero_tracking_and_heat() -> None:
    task = task_for(1, pre_hm=True, zero_pre_hm=True)
    view = View((24.0, 16.0), 48.0)
    boxes = np.array([[4.0, 4.0, 20.0, 20.0]], np.float32)
    known = Known.of(boxes, None, view, (32, 48))
    assert not task.recall(known)["heat"].any()
    assert heat_of(known).any()
    assert not heat_of(disturbed(known, Noise(lost=1.0), np.random.default_rng(0))).any()
