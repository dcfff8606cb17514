"""mmdetection's CenterNet: its names, colours and decoding, against a reading of its own layout."""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np
import pytest
import torch
import torch.nn.functional as F
import torchvision
from torch import Tensor

from centernet import cli
from centernet.builders.detection import make_detector
from centernet.builders.load import load_detector
from centernet.datasets.published import COCO_CLASSES
from centernet.models import mmdet
from centernet.models.checkpoint import load_weights, read_checkpoint
from centernet.models.create import create_model
from centernet.opts import opts
from centernet.runtime.errors import UserError

CONFIG = """
img_norm_cfg = dict(
    mean=[123.675, 116.28, 103.53], std=[58.395, 57.12, 57.375], to_rgb=True)
test_pipeline = [dict(type='RandomCenterCropPad', ratios=None, mean=[0, 0, 0],
    std=[1, 1, 1], to_rgb=True), dict(type='Normalize', mean=[123.675, 116.28, 103.53],
    std=[58.395, 57.12, 57.375], to_rgb=True)]
"""


def bn(name: str, width: int) -> dict[str, Tensor]:
    return {
        f"{name}.weight": torch.rand(width) + 0.5,
        f"{name}.bias": torch.randn(width) * 0.1,
        f"{name}.running_mean": torch.randn(width) * 0.1,
        f"{name}.running_var": torch.rand(width) + 0.5,
        f"{name}.num_batches_tracked": torch.tensor(7),
    }


def theirs(dcn: bool, depth: int = 18, classes: int = 80) -> dict[str, Tensor]:
    """A state dict as mmdetection saves it, with random weights."""
    torch.manual_seed(int(dcn))
    trunk = torchvision.models.get_model(f"resnet{depth}", weights=None)
    state = {f"backbone.{k}": v for k, v in trunk.state_dict().items() if not k.startswith("fc.")}
    width = trunk.fc.in_features
    for step, new in enumerate((256, 128, 64)):
        conv, up = f"neck.deconv_layers.{2 * step}", f"neck.deconv_layers.{2 * step + 1}"
        state[f"{conv}.conv.weight"] = torch.randn(new, width, 3, 3) / (3 * width**0.5)
        if dcn:
            state[f"{conv}.conv.conv_offset.weight"] = torch.randn(27, width, 3, 3) * 0.01
            state[f"{conv}.conv.conv_offset.bias"] = torch.randn(27) * 0.5
        state[f"{up}.conv.weight"] = torch.randn(new, new, 4, 4) / (2 * new**0.5)
        state |= bn(f"{conv}.bn", new) | bn(f"{up}.bn", new)
        width = new
    for head, channels in (("heatmap", classes), ("wh", 2), ("offset", 2)):
        name = f"bbox_head.{head}_head"
        state[f"{name}.0.weight"] = torch.randn(64, 64, 3, 3) * 0.05
        state[f"{name}.0.bias"] = torch.randn(64) * 0.05
        state[f"{name}.2.weight"] = torch.randn(channels, 64, 1, 1) * 0.2
        state[f"{name}.2.bias"] = torch.randn(channels)
    return state


def saved(path: Path, state: dict[str, Tensor], **meta: object) -> Path:
    torch.save({"meta": meta, "state_dict": state}, path)
    return path


def their_maps(state: dict[str, Tensor], image: Tensor, dcn: bool) -> list[Tensor]:
    """Heat map, sizes and offsets of an RGB image (1, 3, H, W), straight from their weights."""
    trunk = torchvision.models.resnet18(weights=None).eval()
    trunk.load_state_dict(
        {k.removeprefix("backbone."): v for k, v in state.items() if k.startswith("backbone.")},
        strict=False,
    )
    x = trunk.maxpool(trunk.relu(trunk.bn1(trunk.conv1(image))))
    x = trunk.layer4(trunk.layer3(trunk.layer2(trunk.layer1(x))))

    def norm(name: str, x: Tensor) -> Tensor:
        mean, var = state[f"{name}.running_mean"], state[f"{name}.running_var"]
        return F.relu(
            F.batch_norm(x, mean, var, state[f"{name}.weight"], state[f"{name}.bias"], eps=1e-5)
        )

    for step in range(3):
        conv, up = f"neck.deconv_layers.{2 * step}", f"neck.deconv_layers.{2 * step + 1}"
        weight = state[f"{conv}.conv.weight"]
        if dcn:
            name = f"{conv}.conv.conv_offset"
            branch = F.conv2d(x, state[f"{name}.weight"], state[f"{name}.bias"], padding=1)
            first, second, mask = branch.chunk(3, dim=1)
            offset = torch.cat([first, second], dim=1)
            x = torchvision.ops.deform_conv2d(x, offset, weight, padding=1, mask=mask.sigmoid())
        else:
            x = F.conv2d(x, weight, padding=1)
        x = norm(f"{conv}.bn", x)
        x = F.conv_transpose2d(x, state[f"{up}.conv.weight"], stride=2, padding=1)
        x = norm(f"{up}.bn", x)

    def head(name: str) -> Tensor:
        name = f"bbox_head.{name}_head"
        hidden = F.conv2d(x, state[f"{name}.0.weight"], state[f"{name}.0.bias"], padding=1)
        return F.conv2d(F.relu(hidden), state[f"{name}.2.weight"], state[f"{name}.2.bias"])

    return [head("heatmap").sigmoid(), head("wh"), head("offset")]


def their_detections(
    state: dict[str, Tensor], image: np.ndarray, dcn: bool, k: int
) -> list[tuple[float, int, list[float]]]:
    """(score, class, box in image pixels), best first: padding, decoding and border as theirs."""
    height, width = image.shape[:2]
    tall, wide = (height | 31) + 1, (width | 31) + 1
    top, left = tall // 2 - height // 2, wide // 2 - width // 2
    canvas = np.zeros((tall, wide, 3), np.float32)
    canvas[top : top + height, left : left + width] = image[:, :, ::-1]
    canvas = (canvas - [123.675, 116.28, 103.53]) / [58.395, 57.12, 57.375]
    batch = torch.from_numpy(canvas.transpose(2, 0, 1)[None].astype(np.float32))
    heat, sizes, offsets = (m[0].numpy() for m in their_maps(state, batch, dcn))
    found = []
    for c, y, x in np.ndindex(*heat.shape):
        near = heat[c, max(y - 1, 0) : y + 2, max(x - 1, 0) : x + 2]
        if heat[c, y, x] == near.max():
            centre = np.array([x, y]) + offsets[:, y, x]
            corners = np.concatenate([centre - sizes[:, y, x] / 2, centre + sizes[:, y, x] / 2])
            box = corners * 4 - [left, top, left, top]
            found.append((float(heat[c, y, x]), c, box.tolist()))
    return sorted(found, key=lambda row: -row[0])[:k]


@pytest.mark.parametrize("dcn", [False, True])
def test_detections_are_theirs(dcn: bool, tmp_path: Path) -> None:
    state = theirs(dcn)
    image = np.random.default_rng(1).integers(0, 256, (75, 100, 3), np.uint8)
    image = cv2.GaussianBlur(image, (0, 0), 3)
    detector = load_detector(saved(tmp_path / "m.pth", state), device="cpu", k=20)
    assert detector.preprocess.keep_res
    found = detector.detect(image)
    with torch.inference_mode():
        expected = their_detections(state, image, dcn, k=20)
    assert len(expected) == 20
    np.testing.assert_allclose(found.scores, [row[0] for row in expected], rtol=1e-4)
    assert found.classes.tolist() == [row[1] for row in expected]
    np.testing.assert_allclose(found.boxes, [row[2] for row in expected], atol=2e-2)
    assert found.class_names == COCO_CLASSES


@pytest.mark.parametrize(("dcn", "arch", "parameters"), [
    (False, "resconv_18", 14_219_092), (True, "resdcn_18", 14_437_349),
])  # fmt: skip
def test_every_tensor_is_used(dcn: bool, arch: str, parameters: int, tmp_path: Path) -> None:
    checkpoint = read_checkpoint(saved(tmp_path / "m.pth", theirs(dcn), epoch=140, config=CONFIG))
    assert (checkpoint.description["arch"], checkpoint.epoch) == (arch, 140)
    model = create_model(arch, {"hm": 80, "wh": 2, "reg": 2})
    report = load_weights(model, checkpoint, strict=True)
    count, _, total = report.removeprefix("loaded ").partition("/")
    assert count == total  # and nothing follows: no tensor of the file is left over
    assert sum(p.numel() for p in model.parameters()) == parameters


def test_the_first_convolution_takes_bgr() -> None:
    state = theirs(dcn=False)
    weights, said = mmdet.converted(state, {}, "m.pth")
    first = "backbone.conv1.weight"
    assert torch.equal(weights[first], state[first][:, [2, 1, 0]])
    np.testing.assert_allclose(said["mean"], np.array([103.53, 116.28, 123.675]) / 255)
    np.testing.assert_allclose(said["std"], np.array([57.375, 57.12, 58.395]) / 255)


@pytest.mark.parametrize(
    ("config", "mean", "rgb"),
    [
        ("", 123.675, True),
        (CONFIG, 123.675, True),
        ("data_preprocessor=dict(mean=[1.0, 2, 3], std=[1, 1, 1], bgr_to_rgb=False,)", 1.0, False),
    ],
)
def test_normalisation_is_read_from_the_configuration(config: str, mean: float, rgb: bool) -> None:
    found, _, colours = mmdet.normalisation(config, "m.pth")
    assert (found[0], colours) == (pytest.approx(mean / 255), rgb)


def test_two_normalisations_are_refused() -> None:
    other = CONFIG + "dict(mean=[1, 2, 3], std=[1, 1, 1], to_rgb=True)"
    with pytest.raises(UserError, match=r"m\.pth: its configuration normalises images in 2 ways"):
        mmdet.normalisation(other, "m.pth")


@pytest.mark.parametrize(
    "meta",
    [
        {"CLASSES": ("cat", "dog")},
        {"dataset_meta": {"classes": ("cat", "dog")}},
        {"dataset_meta": {"CLASSES": ["cat", "dog"]}},
    ],
)
def test_class_names_come_from_the_file(meta: dict, tmp_path: Path) -> None:
    path = saved(tmp_path / "m.pth", theirs(dcn=False, classes=2), **meta)
    said = read_checkpoint(path).description
    assert (tuple(said["class_names"]), tuple(said["category_ids"])) == (("cat", "dog"), (1, 2))
    assert "dataset" not in said


def test_depth_is_seen(tmp_path: Path) -> None:
    for depth in (34, 50):
        _, said = mmdet.converted(theirs(dcn=True, depth=depth), {}, "m.pth")
        assert said["arch"] == f"resdcn_{depth}"


def test_another_neck_is_refused() -> None:
    state = {k: v for k, v in theirs(dcn=False).items() if not k.startswith("neck.")}
    with pytest.raises(UserError, match=r"m\.pth: an mmdetection CenterNet, but not one"):
        mmdet.converted(state, {}, "m.pth")


def test_the_demo_needs_only_the_file(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = saved(tmp_path / "m.pth", theirs(dcn=False))
    cv2.imwrite(str(tmp_path / "a.png"), np.zeros((50, 70, 3), np.uint8))
    words = ["--load_model", str(path), "--demo", str(tmp_path / "a.png"), "--gpus", "-1"]
    assert cli.demo(words, tmp_path) == 0
    assert "a.png: " in capsys.readouterr().out


@pytest.mark.parametrize(
    ("flags", "kept"),
    [("", True), ("--keep_res", True), ("--fix_res", False), ("--input_res 64", False)],
)
def test_images_keep_their_size_unless_a_flag_differs(
    flags: str, kept: bool, tmp_path: Path
) -> None:
    checkpoint = read_checkpoint(saved(tmp_path / "m.pth", theirs(dcn=False)))
    options = opts("demo", tmp_path).parse(["ctdet", *flags.split()]).options
    detector = make_detector(options, checkpoint, torch.device("cpu"))
    assert detector.preprocess.keep_res == kept
