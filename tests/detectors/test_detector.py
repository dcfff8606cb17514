"""The detector: geometry, batches, kinds of input, timings; every architecture in every mode."""

from __future__ import annotations

from itertools import pairwise
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
import torch

from centernet.datasets.source import Info
from centernet.detectors.detector import Detector
from centernet.heads import peak_scan
from centernet.models.create import create_model
from centernet.models.networks import BACKBONES
from centernet.runtime.errors import UserError
from centernet.structures.detections import Detections
from centernet.tasks.ctdet import Ctdet
from tests.detectors.spots import SIDE, TASK, SpotNet, spots_image

SPOTS = ((40, 50, 0), (110, 30, 2), (150, 80, 1))
IMAGE = spots_image((100, 180), *SPOTS)
MODES: dict[str, dict[str, Any]] = {
    "fix_res": {},
    "keep_res": {"keep_res": True},
    "flip_test": {"flip_test": True},
    "scales": {"scales": (0.75, 1.0, 1.25)},
    "nms": {"nms": True},
    "all": {"flip_test": True, "scales": (0.75, 1.0, 1.25), "nms": True, "keep_res": True},
}


def spot_detector(**more: Any) -> Detector:
    return Detector.of(TASK, SpotNet(), device="cpu", **more)  # type: ignore[arg-type]


@pytest.mark.parametrize("mode", MODES)
def test_boxes_lie_on_the_spots(mode: str) -> None:
    found = spot_detector(**MODES[mode]).detect(IMAGE)
    assert isinstance(found, Detections)
    pixels_a_cell = 4.0 if MODES[mode].get("keep_res") else 4.0 * 180 / 128
    for x, y, channel in SPOTS:
        best = found.select(found.classes == channel).select(slice(1))
        x1, y1, x2, y2 = best.boxes[0]
        assert ((x1 + x2) / 2, (y1 + y2) / 2) == pytest.approx((x, y), abs=pixels_a_cell)
        side = SIDE * pixels_a_cell
        sizes = {side / scale for scale in MODES[mode].get("scales", (1.0,))}
        assert any((x2 - x1, y2 - y1) == pytest.approx((s, s), rel=1e-4) for s in sizes)
    assert all(a >= b for a, b in pairwise(found.scores))


def test_mirrored_image_gives_mirrored_boxes() -> None:
    """Pixel x of the canvas goes to width - 1 - x, so a cell's middle lies half a pixel off 0.5."""
    detector = Detector.of(TASK, SpotNet(offset=0.375), flip_test=True, keep_res=True, device="cpu")  # type: ignore[arg-type]
    image = spots_image((96, 160), *SPOTS)  # needs no padding on its right
    image = cv2.copyMakeBorder(image, 0, 0, 0, 0, cv2.BORDER_CONSTANT)
    plain, mirrored = (detector.detect(np.ascontiguousarray(i)) for i in (image, image[:, ::-1]))
    assert isinstance(plain, Detections)
    assert isinstance(mirrored, Detections)
    for channel in range(3):
        a = plain.select(plain.classes == channel).boxes[0]
        b = mirrored.select(mirrored.classes == channel).boxes[0]
        assert a[[1, 3]] == pytest.approx(b[[1, 3]])
        assert a[[0, 2]] == pytest.approx(159 - b[[2, 0]], abs=1e-3)


def test_facts_of_the_image() -> None:
    found = spot_detector().detect(IMAGE)
    assert isinstance(found, Detections)
    assert found.image_size == (100, 180)
    assert found.path is None
    assert found.class_names == ("blue", "green", "red")
    assert len(found) == 100


@pytest.mark.parametrize("where", ["all images", "one image"])
def test_what_is_no_number_is_an_error(where: str, folder: Path) -> None:
    """Not a table of NaN, nor a traceback: one line, with the image."""

    class Broken(SpotNet):
        def forward(self, x: torch.Tensor, last_only: bool = False) -> list[dict[str, Any]]:
            maps = super().forward(x, last_only)
            rows = slice(None) if where == "all images" else slice(1, 2)
            maps[-1]["hm"][rows, 1, 4, 4] = torch.nan
            return maps

    paths = sorted(folder.glob("*.png"))[:2]
    detector = Detector.of(TASK, Broken(), device="cpu", batch_size=2)  # type: ignore[arg-type]
    culprit = paths[0] if where == "all images" else paths[1]
    with pytest.raises(UserError, match=f"{culprit.name}: the network gives scores that are not"):
        detector.detect(paths)


def test_limit_and_k() -> None:
    assert len(spot_detector(k=7).detect(IMAGE)) == 7
    few = spot_detector(limit=3).detect(IMAGE)
    assert 3 <= len(few) <= 10
    assert len(spot_detector(k=100_000, limit=0).detect(IMAGE)) == 3 * 32 * 32  # all cells


def test_scales_must_be_positive() -> None:
    for scales in ((), (1.0, 0.0)):
        with pytest.raises(ValueError, match="positive"):
            spot_detector(scales=scales)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    for number, x in enumerate((40, 80, 120)):
        cv2.imwrite(str(tmp_path / f"{number}.png"), spots_image((100, 180), (x, 50, number)))
    return tmp_path


def test_kinds_of_source(folder: Path) -> None:
    detector = spot_detector()
    one = detector.detect(folder / "1.png")
    assert isinstance(one, Detections)
    assert one.path == folder / "1.png"
    assert one.classes[0] == 1
    for many in (
        detector.detect(folder),
        detector.detect(str(folder / "*.png")),
        detector.detect([folder / f"{n}.png" for n in range(3)]),
        detector.detect([cv2.imread(str(folder / f"{n}.png")) for n in range(3)]),
    ):
        assert isinstance(many, list)
        assert [int(found.classes[0]) for found in many] == [0, 1, 2]
    assert len(detector.detect([folder / "1.png"])) == 1
    assert detector.detect([]) == []


def test_sources_that_are_not_there(folder: Path) -> None:
    detector = spot_detector()
    with pytest.raises(UserError, match=r"9\.png: no such file or folder"):
        detector.detect(folder / "9.png")
    with pytest.raises(UserError, match=r"9\.png: no such image file"):
        detector.detect([folder / "1.png", folder / "9.png"])
    (folder / "bad.png").write_bytes(b"nothing")
    with pytest.raises(UserError, match=r"bad\.png"):
        detector.detect(folder / "bad.png")


@pytest.mark.parametrize("thing", [None, 1.5, torch.zeros(4, 4, 3), [None], object()])
def test_things_that_are_no_pictures(thing: object) -> None:
    with pytest.raises(UserError, match="is neither a path nor an array"):
        spot_detector().detect(thing)


def test_settings_that_make_no_sense() -> None:
    with pytest.raises(ValueError, match="amp must be None, bf16 or fp16, not 'none'"):
        spot_detector(amp="none")
    with pytest.raises(ValueError, match="k must be at least 1, not 0"):
        spot_detector(k=0)


@pytest.mark.parametrize(
    ("settings", "said"),
    [
        ({"batch_size": 0}, "batch_size must be at least 1, not 0"),
        ({"limit": -1}, "limit must be at least 0, not -1"),
        ({"input_size": 256}, r"input_size must be \(height, width\)"),
        ({"device": "gpu"}, "device 'gpu' is none"),
        ({"device": "cuda:99"}, "device 'cuda:99'"),
    ],
)
def test_settings_are_checked_in_words(settings: dict, said: str) -> None:
    with pytest.raises(UserError, match=said):
        Detector.of(TASK, SpotNet(), **{"device": "cpu"} | settings)  # type: ignore[arg-type]


def test_bytes_are_told_what_they_lack() -> None:
    with pytest.raises(UserError, match="imdecode"):
        spot_detector().detect(b"\xff\xd8")  # type: ignore[arg-type]


def test_timings_count_images_and_name_seven_stages(folder: Path) -> None:
    detector = spot_detector(batch_size=2)
    detector.detect(folder)
    mean = detector.timings.mean()
    assert list(mean) == ["tot", "load", "pre", "net", "dec", "post", "merge"]
    assert detector.timings.images == 3
    assert all(seconds > 0 for seconds in mean.values())
    assert mean["tot"] == pytest.approx(sum(mean.values()) - mean["tot"])


def test_warming_up_leaves_no_trace(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    cold, warm = spot_detector(), spot_detector()
    monkeypatch.setattr(warm.task, "camera", lambda size: pytest.fail("no image is there yet"))
    seen: list[tuple[int, ...]] = []
    warm.engine.model.register_forward_pre_hook(lambda model, inputs: seen.append(inputs[0].shape))
    warm.warm_up()
    assert len(seen) == 1
    assert warm.timings.images == 0
    assert warm.timings.mean()["tot"] == 0
    monkeypatch.undo()
    expected, found = cold.detect(folder / "1.png"), warm.detect(folder / "1.png")
    np.testing.assert_array_equal(found.boxes, expected.boxes)
    assert warm.timings.images == 1


def compiled() -> dict[str, int]:
    """How many forms of each function of the scan numba has compiled or loaded."""
    functions = vars(peak_scan).items()
    return {name: len(f.signatures) for name, f in functions if hasattr(f, "signatures")}


@pytest.mark.parametrize("flip_test", [False, True])
def test_nothing_is_compiled_at_the_first_picture(flip_test: bool) -> None:
    task = Ctdet(Info("three", ("a", "b", "c"), (1, 2, 3), resolution=(64, 96)))
    model = create_model("mobilenetv3", task.heads)
    detector = Detector.of(task, model, device="cpu", input_size=(64, 96), flip_test=flip_test)
    detector.warm_up()
    before = compiled()
    assert before
    random = np.random.default_rng(0)
    for image in (random.integers(0, 256, (70, 90, 3)), np.full((64, 64, 3), 255)):
        detector.detect(image.astype(np.uint8))
    assert compiled() == before


def test_images_of_one_shape_share_a_batch() -> None:
    images = [spots_image(size, (30, 30, 0)) for size in ((60, 90), (100, 60), (64, 80), (98, 62))]
    fixed = spot_detector(batch_size=3)
    fixed.detect(images)
    assert [shape[0] for shape in fixed.engine.model.batches] == [3, 1]
    kept = spot_detector(batch_size=2, keep_res=True, flip_test=True)
    kept.detect(images)
    # Padded to multiples of 32; the mirrored images double the batch.
    assert sorted(kept.engine.model.batches) == [(2, 3, 64, 96), (2, 3, 96, 96), (4, 3, 128, 64)]


@pytest.fixture(scope="module")
def resnet() -> Detector:
    torch.manual_seed(0)
    task = Ctdet(Info("three", ("a", "b", "c"), (1, 2, 3), resolution=(64, 64)))
    model = create_model("res_18", task.heads)
    for head in model.heads.values():
        torch.nn.init.normal_(head[-1].weight, std=0.5)
    return Detector.of(task, model, device="cpu")


@pytest.mark.parametrize("keep_res", [False, True])
def test_batches_change_nothing(resnet: Detector, keep_res: bool) -> None:
    rng = np.random.default_rng(1)
    sizes = [(60, 90), (60, 30), (60, 80), (40, 90), (60, 30)]
    images = [rng.integers(0, 256, (*size, 3), dtype=np.uint8) for size in sizes]
    runs = []
    for batch_size in (1, 4):
        detector = Detector.of(
            resnet.task,
            resnet.engine.model,
            device="cpu",
            flip_test=True,
            keep_res=keep_res,
            batch_size=batch_size,
        )
        runs.append(detector.detect(images))
    for alone, together in zip(*runs, strict=True):
        assert alone.image_size == together.image_size
        assert np.array_equal(alone.classes, together.classes)
        np.testing.assert_allclose(alone.scores, together.scores, atol=1e-5, rtol=0)
        np.testing.assert_allclose(alone.boxes, together.boxes, atol=1e-2, rtol=0)


def test_layout_and_precision(resnet: Detector) -> None:
    image = np.random.default_rng(2).integers(0, 256, (90, 120, 3), dtype=np.uint8)
    heats = []
    for more in ({}, {"channels_last": True}, {"amp": "bf16"}):
        detector = Detector.of(resnet.task, resnet.engine.model, device="cpu", **more)
        heats.append(detector.maps(detector.prepare(image).scales)["hm"].whole().numpy())
    plain, turned, coarse = heats
    np.testing.assert_allclose(turned, plain, atol=1e-4)
    assert coarse.dtype == np.float32  # the network's sums are short, what is read off is not
    assert 0 < np.abs(coarse - plain).mean() < 0.02


QUICK = {"mobilenetv3", "res_18", "resdcn_18", "dla_34"}


@pytest.mark.parametrize(
    "arch",
    [a if a in QUICK else pytest.param(a, marks=pytest.mark.slow) for a in BACKBONES],
)
def test_every_architecture_in_every_mode(arch: str) -> None:
    side = 128 if "hourglass" in arch else 32
    task = Ctdet(Info("three", ("a", "b", "c"), (1, 2, 3), resolution=(side, 2 * side)))
    torch.manual_seed(0)
    model = create_model(arch, task.heads)
    for name in ("wh", "reg"):  # untrained sizes may be anything: here every box is a point
        for parameter in model.heads[name].parameters():
            torch.nn.init.zeros_(parameter)
    image = np.random.default_rng(3).integers(0, 256, (30, 50, 3), dtype=np.uint8)
    for mode in MODES.values():
        found = Detector.of(task, model, device="cpu", k=20, **mode).detect(image)
        assert isinstance(found, Detections)
        assert 0 < len(found) <= 100
        assert len(found) == 20 or mode.get("nms") or "scales" in mode
        assert ((found.scores >= 0) & (found.scores <= 1)).all()
        # A cell of the map, seen from the image: within it or the padding around it.
        assert np.array_equal(found.boxes[:, :2], found.boxes[:, 2:])
        assert (found.boxes[:, :2] > -side - 10).all()
        assert (found.boxes[:, :2] < (50 + side + 10, 30 + side + 10)).all()


def test_input_size_must_suit_the_network() -> None:
    with pytest.raises(UserError, match="48 x 64: height and width must be multiples of 32"):
        spot_detector(input_size=(48, 64))
    spot_detector(input_size=(48, 64), keep_res=True)  # is not used then
