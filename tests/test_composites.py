"""Every kind of trunk with every neck and task: a step, folding, the spec, and back again."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch

from centernet.builders.load import load_detector
from centernet.builders.network import network_spec
from centernet.datasets.source import Source
from centernet.detectors.detector import Detector
from centernet.models.checkpoint import read_checkpoint, save_checkpoint
from centernet.models.create import create_model
from centernet.models.description import describe, spec_of
from centernet.models.fuse import fused
from centernet.models.networks import create_backbone, make_backbone
from centernet.models.networks.necks import NECKS, NeckOptions
from centernet.models.spec import ModelSpec
from centernet.options.groups import Model
from centernet.runtime.errors import UserError
from centernet.tasks import TASKS
from tests.long import LONG
from tests.test_matrix import check_detections, check_step, small_input, toy

__all__ = ["toy"]

# One trunk of each kind: torchvision by name and by address, timm, VoVNet, DLA, CenterFace.
KINDS = (
    *("resnet18", "tv:mobilenet_v3_small", "timm:tf_efficientnet_lite0", "vovnet19_slim_dw"),
    *("dla34", "centerface"),
)
QUICK = {
    *(("resnet18", neck, "ctdet") for neck in NECKS),
    *((kind, "fpn", "ctdet") for kind in KINDS),
    *(("tv:mobilenet_v3_small", "fpn", task) for task in TASKS),
}


def combinations() -> list[Any]:
    """Kinds of trunks x necks x tasks, a few of them quick: of each two every pair, --long all."""
    found = []
    for kind in KINDS:
        for neck in NECKS:
            for task in TASKS:
                usual = kind == "tv:mobilenet_v3_small", neck == "fpn", task == "ctdet"
                if LONG or any(usual):
                    marks = [] if (kind, neck, task) in QUICK else [pytest.mark.slow]
                    found.append(pytest.param(kind, neck, task, marks=marks))
    return found


@pytest.mark.parametrize(("kind", "neck", "task_name"), combinations())
def test_learns_folds_and_loads_back(
    kind: str,
    neck: str,
    task_name: str,
    toy: Callable[[str, str], Source],
    tmp_path: Path,
) -> None:
    if kind.startswith("timm:"):
        pytest.importorskip("timm")
    source = toy(task_name, "train")
    task = TASKS[task_name](source.info)
    torch.manual_seed(0)
    spec = ModelSpec.named(f"{kind}+{neck}", neck_options=NeckOptions((32,)), head_conv=16)
    if kind.startswith("timm:") and len(task.inputs) > 1:
        with pytest.raises(UserError, match="takes an image alone"):
            create_model(spec, task.heads, inputs=task.inputs)
        return
    model = create_model(spec, task.heads, inputs=task.inputs)
    size = small_input(task, model)
    check_step(task, model, source, size)
    check_detections(Detector.of(task, model, input_size=size, device="cpu"), source, "plain")
    x = {name: torch.rand(1, each.channels, 64, 64) for name, each in task.inputs.items()}
    model.eval()
    with torch.inference_mode():
        before = model(x, last_only=True)[-1]
        path = save_checkpoint(
            tmp_path / "model.pth", model, describe(task, spec, model.head_conv, size, "toy")
        )
        loaded = load_detector(path, fuse=False, device="cpu").engine.model.eval()
        after = loaded(x, last_only=True)[-1]
        folded = fused(loaded)(x, last_only=True)[-1]
    said = spec_of(read_checkpoint(path).description)
    assert said == spec.changed(task=task_name, classes=tuple(source.info.class_names))
    for head, value in before.items():
        torch.testing.assert_close(after[head], value)
        scale = float(value.abs().max()) + 1
        torch.testing.assert_close(folded[head] / scale, value / scale, atol=1e-4, rtol=1e-4)


def test_the_flags_of_a_network() -> None:
    asked = Model(backbone="resnet18", neck="bifpn", neck_channels=(24,), neck_conv="separable")
    spec = network_spec(asked)
    assert spec.arch == "resnet18+bifpn"
    assert spec.neck_options == NeckOptions((24,), conv="separable")
    assert spec == ModelSpec.of(spec.plain())
    assert ModelSpec.of("dla_34") == ModelSpec.named("dla_34")
    with pytest.raises(UserError, match="belong together"):
        network_spec(Model(backbone="resnet18"))
    with pytest.raises(UserError, match="its neck has no options"):
        make_backbone(network_spec(Model(arch="res_18", neck_conv="dcn")))
    with pytest.raises(UserError, match="--down_ratio 8: the output maps of res_18 have stride 4"):
        make_backbone(network_spec(Model(arch="res_18", down_ratio=8)))
    with pytest.raises(UserError, match="--frozen_stages 1"):
        make_backbone(network_spec(Model(arch="res_18", frozen_stages=1)))
    with pytest.raises(UserError, match="did you mean res_18"):
        create_backbone("res_19")


@pytest.mark.parametrize("stride", [2, 4, 8])
def test_the_stride_is_the_specs(stride: int) -> None:
    spec = ModelSpec.named("resnet18+fpn", neck_options=NeckOptions((16,)), stride=stride)
    maps = create_model(spec, {"hm": 2})(torch.rand(1, 3, 64, 96))[-1]
    assert tuple(maps["hm"].shape) == (1, 2, 64 // stride, 96 // stride)


def test_frozen_stages_get_no_gradient() -> None:
    spec = ModelSpec.named("resnet18+simple", neck_options=NeckOptions((16,)), frozen_stages=2)
    model = create_model(spec, {"hm": 2}).train()
    model(torch.rand(2, 3, 64, 64))[-1]["hm"].square().mean().backward()
    without = {name.split(".")[2] for name, p in model.named_parameters() if p.grad is None}
    assert without == {"conv1", "bn1", "layer1", "layer2"}
    assert not model.get_submodule("backbone.trunk.layer2").training
    assert model.get_submodule("backbone.trunk.layer3").training
