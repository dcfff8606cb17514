"""Trunks: what they state is what they give, and what was recorded."""

from __future__ import annotations

import json
from typing import Any

import numpy as np
import pytest
import torch

from centernet.models.networks.trunks import TRUNKS, create_trunk
from centernet.runtime.errors import UserError
from tests.models.family import filled
from tests.parity_cases import cases, folder, recipe

BODIES = {
    "V-19-slim-dw-eSE": "vovnet19_slim_dw",
    "V-19-dw-eSE": "vovnet19_dw",
    "V-19-slim-eSE": "vovnet19_slim",
    "V-19-eSE": "vovnet19",
    "V-39-eSE": "vovnet39",
    "V-57-eSE": "vovnet57",
    "V-99-eSE": "vovnet99",
}
QUICK = [
    *("resnet18", "mobilenet_v3_small", "vovnet19_slim", "centerface", "dla34"),
    *("tv:efficientnet_b0", "tv:convnext_tiny", "tv:regnet_y_400mf", "tv:shufflenet_v2_x1_0"),
]
TIMM = ["tf_efficientnet_lite0", "convnext_atto", "mobilenetv3_small_100", "regnetx_002"]


def names() -> list[Any]:
    """Every trunk with a name, some of torchvision's, and timm's by family where it is there."""
    slow = [pytest.param(n, marks=pytest.mark.slow) for n in TRUNKS if n not in QUICK]
    slow += [pytest.param(n, marks=pytest.mark.slow) for n in ("tv:swin_t", "tv:densenet121")]
    return [*QUICK, *slow, *(f"timm:{name}" for name in TIMM)]


@pytest.mark.parametrize("name", names())
def test_maps_are_as_stated(name: str) -> None:
    if name.startswith("timm:"):
        pytest.importorskip("timm")
    trunk = create_trunk(name).eval()
    with torch.inference_mode():
        maps = trunk(torch.rand(1, 3, 64, 96))
    shapes = [tuple(m.shape) for m in maps]
    expected = zip(trunk.widths, trunk.strides, strict=True)
    assert shapes == [(1, width, 64 // s, 96 // s) for width, s in expected]
    assert set(trunk.strides) >= {4, 8, 16, 32}
    normal = trunk.normalisation
    assert normal.colour in ("rgb", "bgr")
    assert len(normal.mean) == len(normal.std) == 3


@pytest.mark.parametrize("name", QUICK)
def test_frozen_stages_stay(name: str) -> None:
    trunk = create_trunk(name)
    trunk.freeze(1)
    trunk.train()
    before = {key: value.clone() for key, value in trunk.state_dict().items()}
    maps = trunk(torch.rand(2, 3, 64, 64))
    sum(m.square().mean() for m in maps).backward()
    learning = [p for p in trunk.parameters() if p.requires_grad]
    assert learning
    assert len(learning) < len(list(trunk.parameters()))
    with torch.no_grad():
        for parameter in learning:
            parameter.sub_(1)
    changed = {k.partition(".")[0] for k, v in trunk.state_dict().items() if (v != before[k]).any()}
    first = trunk.steps[0]
    for key, value in trunk.get_submodule(first).state_dict().items():
        assert (value == before[f"{first}.{key}"]).all(), key
    assert changed


def test_more_stages_than_there_are_cannot_be_frozen() -> None:
    with pytest.raises(UserError, match="--frozen_stages 9: this trunk has 4 stages"):
        create_trunk("resnet18").freeze(9)


@pytest.mark.parametrize(
    ("name", "said"),
    [
        ("resnet19", "did you mean resnet18"),
        ("tv:resnet19", "did you mean resnet"),
        ("tv:alexnet", "no exact parts of the image"),
    ],
)
def test_a_trunk_that_does_not_exist_or_fit(name: str, said: str) -> None:
    with pytest.raises(UserError, match=said):
        create_trunk(name)


@pytest.mark.parametrize("case", cases("family/backbones/vovnet"))
def test_vovnet_is_the_originals(case: Any) -> None:
    params = case.params
    trunk = create_trunk(BODIES[params["body"]]).eval()
    shapes = {key: tuple(value.shape) for key, value in trunk.state_dict().items()}
    trunk.load_state_dict(filled(shapes, params["seed"], params["rules"]))
    x = recipe().make_input(params["seed"], params["input_shape"])
    with torch.inference_mode():
        maps = trunk(torch.from_numpy(x))
    for name, found in zip(("stage2", "stage3", "stage4", "stage5"), maps, strict=True):
        assert list(found.shape) == params["out_shapes"][name]
        golden = case.outputs[name]
        rows, columns = (found.shape[i] // golden.shape[i] for i in (2, 3))
        step = params["channel_stride_stored"]
        np.testing.assert_allclose(
            found[:, ::step, ::rows, ::columns].numpy(), golden, atol=1e-4, rtol=1e-4
        )


def test_vovnet_keys_are_detectron2s() -> None:
    path = folder() / "family" / "backbones" / "vovnet_spec.json"
    if not path.is_file():
        pytest.skip(f"{folder()} has no family/backbones/vovnet_spec.json")
    for body, facts in json.loads(path.read_text()).items():
        if body not in BODIES:
            continue
        with torch.device("meta"):
            trunk = create_trunk(BODIES[body])
        shapes = {key: list(value.shape) for key, value in trunk.state_dict().items()}
        assert len(shapes) == facts["num_keys"]
        assert sum(p.numel() for p in trunk.parameters()) == facts["num_params"]
        assert facts.get("keys", shapes) == shapes
