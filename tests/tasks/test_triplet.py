"""Keypoint triplets: targets, losses, decoding and whole runs as recorded; round trips; views."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from centernet.datasets.framing import Augmentation
from centernet.datasets.source import Info
from centernet.detectors.detector import Detector
from centernet.geometry.view import View, divisible, map_size
from centernet.heads.centre_check import CornerPairs, centre_scores
from centernet.heads.head_map import dense
from centernet.heads.targets import draw_gaussian
from centernet.models.create import create_model
from centernet.models.networks import BACKBONES
from centernet.runtime.errors import UserError
from centernet.structures.objects import Objects
from centernet.tasks import triplet
from centernet.tasks.triplet import Triplet, TripletOptions, rim_radius
from tests.models.test_pooling import recorded_model
from tests.parity_cases import cases, recipe
from tests.tasks.recorded import category_ids, make_task

MEAN = (0.40789654, 0.44719302, 0.47026115)  # of the program that the runs were recorded from
SIZE = (32, 40)


def task_with(*words: Any, classes: int = 3) -> Triplet:
    task = make_task("triplet", "coco", [str(word) for word in words], classes)
    assert isinstance(task, Triplet)
    return task


def tensors(arrays: dict[str, Any]) -> dict[str, torch.Tensor]:
    return {name: torch.as_tensor(value) for name, value in arrays.items()}


def assert_ranked(recorded: np.ndarray, ours: np.ndarray, **more: Any) -> None:
    same, message = recipe().match_ranked(recorded, ours, **more)
    assert same, message


@pytest.mark.parametrize("case", cases("ct47/decode", where=lambda c: bool(c.inputs)))
def test_decoding_as_recorded(case: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    params = case.params
    monkeypatch.setattr(triplet, "PAIRS", params["num_dets"])
    monkeypatch.setattr(triplet, "KERNEL", params["kernel"])
    task = task_with("--topk", params["K"], "--ae_threshold", params["ae_threshold"])
    found = task.decode(task.activate(tensors(case.inputs)), 100)
    columns = ("boxes", "scores", "corner_scores", "classes")
    shape = (*found["scores"].shape, -1)
    rows = torch.cat([found[name].float().view(shape) for name in columns], dim=2)
    for image, ours in enumerate(rows.numpy()):
        recorded = case.outputs["detections"][image]
        assert_ranked(recorded, ours, atol=1e-4, rtol=1e-4, min_score=-1)
        centres = case.outputs["centers"][image]
        assert_ranked(centres, found["centres"][image].numpy(), score_col=3)


@pytest.mark.parametrize("case", cases("ct47/losses"))
def test_losses_and_gradients_as_recorded(case: Any) -> None:
    targets = tensors({k: v for k, v in case.inputs.items() if not k.startswith("stack")})
    stages = [
        {
            name.split(".")[1]: torch.from_numpy(value).requires_grad_()
            for name, value in case.inputs.items()
            if name.startswith(f"stack{stage}.")
        }
        for stage in range(case.params["num_stacks"])
    ]
    stats = task_with(classes=targets["hmap_tl"].shape[1]).loss(stages, targets)
    stats["loss"].backward()
    wanted = case.outputs
    for name, parts in {
        "loss": ["total"],
        "hm_loss": ["focal_tl", "focal_br", "focal_ct"],
        "off_loss": ["reg_tl", "reg_br", "reg_ct"],
        "pull_loss": ["pull"],
        "push_loss": ["push"],
    }.items():
        total = sum(float(wanted[part]) for part in parts)
        assert float(stats[name].detach()) == pytest.approx(total, rel=1e-4, abs=1e-5), name
    for name, gradient in wanted.items():
        if name.startswith("grad."):
            _, stage, head = name.split(".")
            ours = stages[int(stage.removeprefix("stack"))][head].grad
            np.testing.assert_allclose(ours, gradient, atol=1e-5, rtol=1e-4, err_msg=name)


def test_one_image_has_embedding_losses_too() -> None:
    """The published loss fails on a batch of one; the sum over images is that of the images."""
    torch.manual_seed(0)
    task = task_with()
    maps = {name: torch.randn(2, head.channels, 6, 6) for name, head in task.heads.items()}
    boxes = np.array([[1, 1, 3, 4], [0.5, 2, 5, 5]], np.float32)
    each = [tensors(task.encode(Objects(boxes[:n], np.arange(n)), (6, 6))) for n in (1, 2)]
    whole = {name: torch.stack([one[name] for one in each]) for name in each[0]}
    both = task.loss([maps], whole)
    for name in ("pull_loss", "push_loss"):
        alone = [
            task.loss([{n: m[[i]] for n, m in maps.items()}], {n: t[None] for n, t in one.items()})[
                name
            ]
            for i, one in enumerate(each)
        ]
        torch.testing.assert_close(alone[0] + alone[1], both[name])


@pytest.mark.parametrize("case", cases("ct47/gaussian"))
def test_gaussians_as_recorded(case: Any) -> None:
    params = case.params
    if case.name == "radius":
        sizes = case.inputs["height_width"].astype(float)
        ours = [rim_radius(height, width, params["min_overlap"]) for height, width in sizes]
        np.testing.assert_allclose(ours, case.outputs["radius"], rtol=1e-9)
        return
    heat = np.zeros(params["shape_hw"], np.float32)
    for x, y in params["centers_xy"]:
        draw_gaussian(heat, x, y, params["radius"], 1.0, params["delta"])
    np.testing.assert_allclose(heat, case.outputs["hm"], atol=1e-6)


@pytest.mark.parametrize("case", cases("ct47/targets"))
def test_targets_as_recorded(case: Any) -> None:
    """Row by row, once objects are in the recorded order: by class, without the empty ones."""
    params, ids = case.params, category_ids("coco")
    found = params["annotations"]
    boxes = np.array([a["bbox"] for a in found], np.float32).reshape(-1, 4)
    boxes[:, 2:] += boxes[:, :2]
    classes = np.array([ids.index(a["category_id"]) for a in found], np.int64)
    order = np.argsort(classes, kind="stable")
    task = make_task("triplet", "coco", [])
    side = params["img_size"]
    view, size = task.framing.whole(
        tuple(params["image_hw"]), (side, side), pad=127, keep_res=False
    )
    assert size == (side, side)
    ours = task.encode(Objects(boxes[order], classes[order]).warp(view, (32, 32)), (32, 32))
    used, recorded = (t["ind_masks"].astype(bool) for t in (ours, case.outputs))
    assert used.sum() == recorded.sum()
    for name, value in ours.items():
        if name.startswith("hmap"):
            np.testing.assert_allclose(value, case.outputs[name], atol=1e-6)
        elif name != "ind_masks":
            wanted = case.outputs[name][recorded]
            np.testing.assert_allclose(value[used], wanted, atol=1e-5, err_msg=name)


@pytest.mark.parametrize("case", cases("ct47/rescale_center_match"))
def test_centre_check_as_recorded(case: Any) -> None:
    pairs, centres = case.outputs["detections"][0], case.outputs["centers"][0]
    pairs = pairs[pairs[:, 4] > -1]
    middle = centre_scores(pairs[:, :4], pairs[:, 7].astype(int), centres)
    scores = np.where(middle >= 0, (2 * pairs[:, 4] + middle) / 3, -1)
    ours = np.column_stack([pairs[:, :4], scores, pairs[:, 5:]])
    assert (middle >= 0).sum() == (case.outputs["matched"][:, 4] > -1).sum()  # perhaps none
    assert_ranked(case.outputs["matched"], ours, min_score=-1)


@pytest.mark.parametrize("case", cases("ct47/rescale_center_match"))
def test_image_pixels_as_recorded(case: Any) -> None:
    """The recorded ratios and borders are arbitrary; a view says the same of both directions."""
    ratio, border = case.inputs["ratios"][0], case.inputs["borders"][0]
    height, width = (int(n) for n in case.inputs["sizes"][0])
    map_size = (64, 96)
    canvas = map_size[0] / ratio[0], map_size[1] / ratio[1]
    middle = canvas[1] / 2 - border[2], canvas[0] / 2 - border[0]
    view = View(middle, (canvas[1], canvas[0]), bounds=(float(height), float(width)))
    given = case.inputs["detections"][:1]
    arrays = {
        "boxes": given[:, :, :4],
        "scores": given[:, :, 4],
        "corner_scores": given[:, :, 5:7],
        "classes": given[:, :, 7],
        "centres": case.inputs["centers"][:1],
    }
    [found] = task_with().postprocess(arrays, [view], map_size)
    rows = np.column_stack([found.boxes, found.scores, found.corner_scores, found.classes])
    recorded = case.outputs["detections"][0]
    kept = recorded[recorded[:, 4] > 0]
    np.testing.assert_allclose(rows, kept, atol=2e-3, rtol=1e-5)
    np.testing.assert_allclose(found.centres, case.outputs["centers"][0], atol=2e-3, rtol=1e-5)


@pytest.mark.slow
@pytest.mark.parametrize("case", cases("ct47/eval_pipeline"))
def test_run_as_recorded(case: Any) -> None:
    params = case.params
    model = recorded_model({**params, "seed": params["weights_seed"]})
    state = model.state_dict()
    for name, value in case.inputs.items():
        state[f"heads.{name.removeprefix('override.')}"].copy_(torch.from_numpy(value))
    plain = make_task("triplet", "coco", [])
    task = Triplet(plain.info, plain.options, recorded=True)
    settings = {"scales": params["scales"], "flip_test": params["flip"], "limit": 128}
    detector = Detector.of(task, model, mean=MEAN, device="cpu", **settings)
    image = recipe().make_image(params["image_seed"], *params["image_hw"])
    for scale in params["scales"]:
        prepared = detector.preprocess(image, scale)
        recorded = case.outputs[f"scale{scale}.input_sub8"]
        np.testing.assert_allclose(prepared.input[None, :, ::8, ::8], recorded[:1], atol=0.05)
    found = detector.detect(image)
    rows = np.column_stack([found.classes + 1, found.boxes, found.scores])
    golden = case.outputs["results_filtered"]
    assert_ranked(golden, rows, score_col=5, atol=0.02, rtol=1e-3, score_atol=1e-4)


def perfect_maps(task: Triplet, targets: dict[str, np.ndarray]) -> dict[str, torch.Tensor]:
    """What a network without any error would answer; object n has the embedding n."""
    maps = {}
    used = np.flatnonzero(targets["ind_masks"])
    for name in task.heads:
        kind, point = name.split("_")
        if kind == "hmap":
            maps[name] = torch.from_numpy(targets[name])[None]
            continue
        plane = np.zeros((2 if kind == "regs" else 1, SIZE[0] * SIZE[1]), np.float32)
        values = targets[name][used] if kind == "regs" else used[:, None]
        plane[:, targets[f"inds_{point}"][used]] = values.T
        maps[name] = torch.from_numpy(plane.reshape(1, -1, *SIZE))
    return maps


@st.composite
def boxes_apart(draw: Any) -> tuple[np.ndarray, np.ndarray]:
    """Boxes whose corners and centres lie in cells of their own, and classes."""
    rng = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))
    boxes: list[np.ndarray] = []
    cells: list[set[tuple[int, int]]] = [set(), set(), set()]
    for _ in range(draw(st.integers(1, 8))):
        low = rng.uniform(0, (SIZE[1] - 4, SIZE[0] - 4))
        high = rng.uniform(low + 2, (SIZE[1] - 1, SIZE[0] - 1))
        points = [tuple(p.astype(int)) for p in (low, high, (low + high) / 2)]
        near = [
            any(max(abs(x - a), abs(y - b)) < 2 for a, b in taken)
            for (x, y), taken in zip(points, cells, strict=True)
        ]
        if not any(near):
            boxes.append(np.concatenate([low, high]))
            for point, taken in zip(points, cells, strict=True):
                taken.add(point)
    return np.array(boxes, np.float32), rng.integers(0, 3, len(boxes))


@settings(max_examples=60, deadline=None)
@given(boxes_apart())
def test_decodes_what_it_encoded(drawn: tuple[np.ndarray, np.ndarray]) -> None:
    """Every object comes back with its class, its centre and a score of 1, and nothing else."""
    boxes, classes = drawn
    task = task_with()
    found = task.decode(dense(perfect_maps(task, task.encode(Objects(boxes, classes), SIZE))), 100)
    arrays = {name: value.numpy() for name, value in found.items()}
    view = View((SIZE[1] / 2, SIZE[0] / 2), (float(SIZE[1]), float(SIZE[0])))
    [pairs] = task.postprocess(arrays, [view], SIZE)
    middle = centre_scores(pairs.boxes, pairs.classes, pairs.centres)
    sure = (pairs.scores > 0.99) & (middle > 0.99)
    ours = sorted(zip(pairs.classes[sure].tolist(), pairs.boxes[sure].tolist(), strict=True))
    wanted = sorted(zip(classes.tolist(), boxes.tolist(), strict=True))
    assert [c for c, _ in ours] == [c for c, _ in wanted]
    for (_, box), (_, box_wanted) in zip(ours, wanted, strict=True):
        np.testing.assert_allclose(box, box_wanted, atol=2e-3)


def pairs(boxes: list[list[float]], centres: list[list[float]], zoom: float = 1.0) -> CornerPairs:
    count = len(boxes)
    return CornerPairs(
        boxes=np.array(boxes, np.float32),
        scores=np.full(count, 0.6),
        classes=np.zeros(count),
        corner_scores=np.full((count, 2), 0.6, np.float32),
        centres=np.array(centres, np.float32).reshape(-1, 4),
        zoom=zoom,
    )


@pytest.mark.parametrize(
    ("box", "centre", "score"),
    [
        ([0, 0, 90, 90], [45, 45, 0, 0.9], 0.7),
        ([0, 0, 90, 90], [31, 59, 0, 0.9], 0.7),  # the middle third of a small box
        ([0, 0, 90, 90], [29, 45, 0, 0.9], None),
        ([0, 0, 90, 90], [45, 45, 1, 0.9], None),  # of another class
        ([0, 0, 200, 200], [81, 119, 0, 0.9], 0.7),  # the middle fifth of a large one
        ([0, 0, 200, 200], [79, 100, 0, 0.9], None),
    ],
)
def test_a_box_needs_a_centre_of_its_class_in_its_middle(
    box: list[float], centre: list[float], score: float | None
) -> None:
    found = task_with().merge([pairs([box], [centre])], nms=False)
    assert found.scores.tolist() == ([] if score is None else [pytest.approx(score)])
    assert type(found.boxes) is np.ndarray


def test_centres_come_from_the_scale_nearest_to_one() -> None:
    near = pairs([[0, 0, 90, 90]], [[45, 45, 0, 0.9]], zoom=1.0)
    far = pairs([[300, 0, 390, 90]], [[345, 45, 0, 0.9]], zoom=0.5)
    task = task_with()
    assert task.merge([far, near], nms=False).boxes[:, 0].tolist() == [0]
    assert task.merge([far], nms=False).boxes[:, 0].tolist() == [300]


def test_nothing_found_is_an_empty_result() -> None:
    task = task_with()
    maps = {n: torch.full((1, h.channels, 8, 8), -9.0) for n, h in task.heads.items()}
    found = task.decode(task.activate(maps), 100)
    arrays = {name: value.numpy() for name, value in found.items()}
    arrays["scores"] = np.full_like(arrays["scores"], -1)
    parts = task.postprocess(arrays, [View((4, 4), 8.0)], (8, 8))
    assert len(task.merge(parts, nms=False)) == 0


def test_boxes_that_leave_the_image_are_dropped_and_others_cut() -> None:
    arrays = {
        "boxes": np.array([[-2, 10, 20, 20], [-3, 10, 20, 20], [5, 5, 39, 30]], np.float32),
        "scores": np.full(3, 0.5, np.float32),
        "classes": np.zeros(3),
        "corner_scores": np.zeros((3, 2), np.float32),
        "centres": np.zeros((0, 4), np.float32),
    }
    view = View((20.0, 20.0), (40.0, 40.0), zoom=2.0, bounds=(38.0, 37.0))
    arrays = {name: value[None] for name, value in arrays.items()}
    [found] = task_with().postprocess(arrays, [view], (40, 40))  # 2.5 pixels, 5 enlarged
    assert found.boxes.tolist() == [[0, 10, 20, 20], [5, 5, 37, 30]]


def test_a_mirrored_image_gives_its_detections_mirrored_back() -> None:
    task = task_with()
    box = np.array([[3.25, 4.5, 20.5, 25.25]], np.float32)
    mirrored = box.copy()
    mirrored[:, [0, 2]] = SIZE[1] - box[:, [2, 0]]
    both = [
        perfect_maps(task, task.encode(Objects(b, np.zeros(1, np.int64)), SIZE))
        for b in (box, mirrored)
    ]
    maps = task.merge_flip(
        dense({name: torch.cat([one[name] for one in both]) for name in task.heads})
    )
    found = task.decode(maps, 100)
    count = found["scores"].shape[1] // 2
    for row in (0, count):
        assert found["scores"][0, row] == 1
        np.testing.assert_allclose(found["boxes"][0, row], box[0], atol=1e-4)
    centres = found["centres"][0, [0, found["centres"].shape[1] // 2], :2]
    np.testing.assert_allclose(centres, [[11.875, 14.875]] * 2, atol=1e-4)


def test_decoding_exports() -> None:
    task = task_with("--topk", 12)
    torch.manual_seed(0)
    given, other = (
        {n: torch.rand(1, h.channels, 10, 14) for n, h in task.heads.items()} for _ in range(2)
    )

    class Decoder(torch.nn.Module):
        def forward(self, maps: dict[str, torch.Tensor]) -> dict[str, torch.Tensor]:
            return task.decode(dense(maps), 100)

    program = torch.export.export(Decoder(), (given,), strict=False)
    for name, value in program.module()(other).items():
        torch.testing.assert_close(value, task.decode(dense(other), 100)[name])


def test_a_test_moves_whole_pixels_and_training_crops_as_large_as_the_input() -> None:
    task = task_with()
    view, canvas, resized = task.framing.test((118, 125), (511, 511), pad=127, scale=0.6)
    assert (canvas, resized) == ((127, 127), (70, 75))
    image = np.random.default_rng(0).integers(0, 256, (70, 75, 3), np.uint8)
    seen = view.warp(image, (127, 127))
    np.testing.assert_array_equal(seen[28:98, 26:101], image)
    assert seen.sum() == image.sum(dtype=np.int64)
    rng = np.random.default_rng(1)
    whole, size = task.framing.whole((480, 640), (127, 127), pad=127, keep_res=False)
    assert (whole.scale, size) == (640.0, (127, 127))
    scales = [
        task.framing.train((480, 640), whole, Augmentation(), rng, size).scale for _ in range(50)
    ]
    assert 0.59 * 127 < min(scales) < max(scales) < 1.31 * 127


def test_size_of_the_input() -> None:
    info = Info("some", ("a",), (1,))
    assert Triplet.resolution(info, TripletOptions()) == (511, 511)
    assert Triplet.resolution(replace(info, resolution=(128, 128)), TripletOptions()) == (127, 127)
    assert Triplet.resolution(info, TripletOptions(img_size=255)) == (255, 255)
    with pytest.raises(UserError, match="--img_size 0: name the side"):
        Triplet.resolution(info, TripletOptions(img_size=0))


@pytest.mark.parametrize("arch", BACKBONES)
def test_every_network_takes_the_odd_sizes(arch: str) -> None:
    """All poolings and heads, on inputs one pixel smaller than what the network divides."""
    task = task_with()
    with torch.device("meta"):
        model = create_model(arch, task.heads).eval()
        backbone = model.backbone
        size = backbone.pad, 3 * backbone.pad + 2
        stages = model(torch.empty(1, 3, *size))
    assert divisible(size, backbone.pad, backbone.stride)
    assert not divisible((size[0] + 2, size[1]), backbone.pad, backbone.stride)
    for maps in stages:
        for name, value in maps.items():
            wanted = (1, task.heads[name].channels, *map_size(size, backbone.stride))
            assert tuple(value.shape) == wanted
