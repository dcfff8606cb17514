"""Training targets against the recorded ones, and decode(encode(objects)) == objects."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from centernet.datasets.colour import normalise
from centernet.datasets.published import PUBLISHED
from centernet.geometry.view import View
from centernet.heads.head_map import dense
from centernet.structures.objects import Objects
from centernet.tasks import TASKS
from tests.parity_cases import cases, recipe
from tests.tasks.recorded import info, make_task, objects


def recorded_view(case) -> tuple[View, tuple[int, int]]:
    """The view of a recorded sample and the size of its input (height, width)."""
    augment, image = case.params.get("augment", {}), case.params["image"]
    mirror = image["width"] if augment.get("flipped") else None
    # Samples of exdet do not tell their view; those recorded see the whole image.
    center = case.outputs.get("meta.c", (image["width"] / 2, image["height"] / 2))
    scale = case.outputs.get("meta.s", np.float64(max(image["width"], image["height"])))
    view = View(
        (float(center[0]), float(center[1])),
        float(scale) if scale.ndim == 0 else (float(scale[0]), float(scale[1])),
        float(augment.get("rot", 0.0)),
        mirror,
        strayed="augment" in case.params,
    )
    sub = case.params["input_sub"]
    _, height, width = case.outputs[f"input_sub{sub}"].shape
    return view, (height * sub, width * sub)


# Those of triplet are recorded in another form (test_triplet.py).
TOPICS = [c for name in TASKS if name != "triplet" for c in cases(f"targets/{name}")]


@pytest.mark.parametrize("case", TOPICS)
def test_targets(case):
    """Heat maps, indices, masks and values of a whole sample; rows keep the file's order."""
    view, size = recorded_view(case)
    task = make_task(case.params["task"], case.params["dataset"], case.params["args"])
    map_wh = size[1] // 4, size[0] // 4
    key = case.params["annotations"].rsplit(" ", 1)[1]
    found = objects(key, case.params["image"]["id"])
    ours = task.encode(found.warp(view, map_wh, task.info.flip_pairs), (map_wh[1], map_wh[0]))
    compared = [name for name in case.outputs if not name.startswith(("input_", "meta."))]
    for name in compared:
        np.testing.assert_allclose(
            ours[name].reshape(case.outputs[name].shape),
            case.outputs[name],
            atol=1e-4,
            rtol=1e-5,
            err_msg=name,
        )
    assert set(compared) == set(ours)


@pytest.mark.parametrize("case", TOPICS)
def test_input(case):
    """The network's input of the same samples."""
    view, size = recorded_view(case)
    facts = info(case.params["dataset"])
    image = case.params["image"]
    pixels = recipe().make_image(image["seed"], image["height"], image["width"])
    ours = normalise(view.warp(pixels, (size[1], size[0])), facts.mean, facts.std)
    step = case.params["input_sub"]
    recorded = case.outputs[f"input_sub{step}"]
    # Mirroring after the interpolation or before it differs by a rounded grey level at most.
    np.testing.assert_allclose(ours[:, ::step, ::step], recorded, atol=0.02)


@st.composite
def separate_boxes(draw, size: int = 32) -> tuple[np.ndarray, np.ndarray]:
    """Boxes in a map whose centres fall into cells at least two apart, and their classes."""
    cells = draw(
        st.lists(
            st.tuples(st.integers(1, 6), st.integers(1, 6)), min_size=1, max_size=8, unique=True
        )
    )
    rows = []
    for column, row in cells:
        x = 4 * column + draw(st.integers(1, 99)) / 100  # off the grid: rounding cannot decide
        y = 4 * row + draw(st.integers(1, 99)) / 100
        half_w = draw(st.integers(30, int(100 * min(x, size - 1 - x)))) / 100
        half_h = draw(st.integers(30, int(100 * min(y, size - 1 - y)))) / 100
        rows.append([x - half_w, y - half_h, x + half_w, y + half_h])
    classes = [draw(st.integers(0, 2)) for _ in rows]
    return np.array(rows, np.float32), np.array(classes, np.int64)


def maps_from_targets(targets, heads, size) -> dict[str, torch.Tensor]:
    """Perfect activated maps: heat maps as they are, values written at their indices."""
    maps = {"hm": torch.from_numpy(targets["hm"])[None]}
    used = np.flatnonzero(targets["reg_mask"])
    for name in set(heads) - {"hm"}:
        plane = np.zeros((heads[name].channels, size[0] * size[1]), np.float32)
        plane[:, targets["ind"][used]] = targets[name][used].T
        maps[name] = torch.from_numpy(plane.reshape(1, -1, *size))
    return maps


@settings(max_examples=60, deadline=None)
@given(separate_boxes())
def test_ctdet_decodes_what_it_encoded(drawn):
    boxes, classes = drawn
    size = (32, 32)
    task = make_task("ctdet", "coco", [], 3)
    targets = task.encode(Objects(boxes, classes), size)
    found = task.decode(dense(maps_from_targets(targets, task.heads, size)), 100)
    real = found["scores"][0] == 1
    ours = sorted(
        zip(found["classes"][0][real].tolist(), found["boxes"][0][real].tolist(), strict=True)
    )
    wanted = sorted(zip(classes.tolist(), boxes.tolist(), strict=True))
    assert len(ours) == len(wanted)
    for (c, box), (c_wanted, box_wanted) in zip(ours, wanted, strict=True):
        assert c == c_wanted
        assert box == pytest.approx(box_wanted, abs=1e-3)


@pytest.mark.parametrize("encode", ["encode", "sketch"])
@pytest.mark.parametrize("name", ["ctdet", "multi_pose", "ddd", "triplet"])
def test_a_box_that_is_no_number_is_passed_over(name: str, encode: str) -> None:
    """Sources of the project drop such boxes; of another's, none must become an index."""
    task = TASKS[name](PUBLISHED[TASKS[name].Options.default_dataset])
    boxes = np.array([[2, 3, 9, 9], [np.nan] * 4, [4, np.nan, 9, 9]], np.float32)
    joints = np.full((3, 17, 3), 5.0, np.float32) if name == "multi_pose" else None
    whole, clean = (
        getattr(task, encode)(
            Objects(boxes[:n], np.zeros(n, np.int64), joints if joints is None else joints[:n]),
            (31, 31),
        )
        for n in (3, 1)
    )
    for key, value in clean.items():
        np.testing.assert_array_equal(whole[key], value, err_msg=key)
