"""Networks from dictionaries and YAML files."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import torch

from centernet import build_centernet
from centernet.models.spec import ModelSpec
from centernet.runtime.errors import UserError

FIRST = {
    "backbone": {"name": "resnet18", "pretrained": False},
    "neck": {"name": "bifpn", "num_layers": 2, "num_channels": 24},
    "output_heads": {"heatmap": {"num_classes": 3}, "box_2d": {}},
}
SECOND = {
    "backbone": "resnet18",
    "neck": "FPN",
    "neck_config": {"out_channels": 24},
    "head_config": {"width": 32, "depth": 1},
    "num_classes": 3,
}


@pytest.mark.parametrize(
    "description",
    [
        ModelSpec("resnet18", "fpn", classes=("a", "b", "c")),
        {"trunk": "resnet18", "neck": "fpn", "classes": ["a", "b", "c"]},
        FIRST,
        {"model": SECOND},
    ],
)
def test_all_ways_to_say_it(description: Any) -> None:
    maps = build_centernet(description).eval()(torch.rand(1, 3, 64, 64))[-1]
    assert tuple(maps["hm"].shape) == (1, 3, 16, 16)
    assert set(maps) == {"hm", "wh", "reg"}


def test_a_file_of_it(tmp_path: Path) -> None:
    path = tmp_path / "model.yaml"
    path.write_text("model: {trunk: resnet18, neck: simple, classes: [cat], head_conv: 16}\n")
    heads = build_centernet(path).heads
    assert [layers[0].out_channels for layers in heads.values()] == [16, 16, 16]


@pytest.mark.parametrize(
    ("description", "said"),
    [
        ({"trunk": "resnet18", "neckk": "fpn"}, "'neckk': no field of a network"),
        ({"trunk": "resnet18", "neck": "fpm"}, "unknown neck 'fpm'"),
        ({"backbone": {"name": "resnet18"}, "neck": {"name": "semantic"}}, "has no counterpart"),
        ({}, "names no network"),
        ({"trunk": "resnet18", "neck": "fpn", "task": "sleep"}, "task 'sleep': unknown"),
    ],
)
def test_mistakes(description: Any, said: str) -> None:
    with pytest.raises(UserError, match=said):
        build_centernet(description)
