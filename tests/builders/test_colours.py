"""A network with a classifier's weights sees colours as the classifier did."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
import torch
import torchvision

from centernet import cli
from centernet.builders.colours import starting_colours
from centernet.datasets.published import PUBLISHED
from centernet.models.checkpoint import Checkpoint, read_checkpoint
from centernet.models.networks import create_backbone
from centernet.models.pretrained import take_bgr
from centernet.models.spec import ModelSpec
from tests.tiny_coco import write_tiny_coco

COCO = PUBLISHED["coco"]
MEAN, STD = (0.406, 0.456, 0.485), (0.225, 0.224, 0.229)  # of torchvision's, B G R


def test_what_the_weights_say() -> None:
    fpn = ModelSpec.named("resnet18+fpn")
    found = starting_colours(COCO, fpn, "imagenet", None)
    assert (found.mean, found.std) == (MEAN, STD)
    assert starting_colours(COCO, fpn, "none", None) == COCO
    assert starting_colours(COCO, ModelSpec.named("res_18"), "imagenet", None) == COCO
    vovnet = starting_colours(COCO, ModelSpec.named("vovnet19_slim_dw+fpn"), "a.pth", None)
    assert vovnet.mean == pytest.approx((0.40600, 0.456, 0.485), abs=1e-4)  # is B G R already
    learned = Checkpoint({}, {"mean": [0.1, 0.2, 0.3], "std": [1.0, 1.0, 1.0]})
    expected = replace(COCO, mean=(0.1, 0.2, 0.3), std=(1.0, 1.0, 1.0))
    assert starting_colours(COCO, fpn, "imagenet", learned) == expected
    assert starting_colours(COCO, fpn, "imagenet", Checkpoint({})) == COCO


def test_what_the_weights_of_a_package_say() -> None:
    pytest.importorskip("timm")
    spec = ModelSpec.named("timm:tf_efficientnet_lite0+fpn")
    lite = starting_colours(COCO, spec, "package", None)
    assert (lite.mean, lite.std) == ((127 / 255,) * 3, (128 / 255,) * 3)


@pytest.mark.parametrize(("arch", "changes"), [("resnet18+fpn", True), ("res_18", False)])
def test_a_trunk_that_learned_rgb_takes_bgr(arch: str, changes: bool) -> None:
    backbone = create_backbone(arch).eval()
    x = torch.rand(1, 3, 64, 64)
    with torch.inference_mode():
        before = backbone(x)[-1]
    take_bgr(backbone)
    with torch.inference_mode():
        after = backbone(x.flip(1) if changes else x)[-1]
    torch.testing.assert_close(after, before, atol=1e-5, rtol=1e-5)


@pytest.mark.slow
def test_a_training_keeps_them(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    torch.manual_seed(1)
    classifier = torchvision.models.resnet18(weights=None)
    torch.save(classifier.state_dict(), tmp_path / "r.pth")
    data = write_tiny_coco(tmp_path / "d")
    words = ["ctdet", "--arch", "resnet18+fpn", *data, "--weights", str(tmp_path / "r.pth")]
    words += ["--lr", "0", "--num_epochs", "1", "--root", str(tmp_path), "--gpus", "-1"]
    words += ["--input_res", "64", "--batch_size", "4", "--num_workers", "0"]
    assert cli.main(["train", *words]) == 0
    assert "trunk sees colours as its classifier did" in capsys.readouterr().out
    last = tmp_path / "exp" / "ctdet" / "default" / "model_last.pth"
    checkpoint = read_checkpoint(last)
    assert tuple(checkpoint.description["mean"]) == MEAN
    assert tuple(checkpoint.description["std"]) == STD
    found = checkpoint.weights["backbone.trunk.conv1.weight"]
    assert torch.equal(found, classifier.conv1.weight.flip(1))
    more = ["--resume", "--num_epochs", "2", "--root", str(tmp_path)]
    assert cli.main(["train", "ctdet", *more]) == 0
    assert torch.equal(read_checkpoint(last).weights["backbone.trunk.conv1.weight"], found)
    assert tuple(read_checkpoint(last).description["mean"]) == MEAN
