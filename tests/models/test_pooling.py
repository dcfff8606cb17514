"""Corner and centre pooling, and the networks of the keypoint triplets, as recorded."""

from __future__ import annotations

import json
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor

from centernet.models.create import create_model
from centernet.models.model import CenterNet
from centernet.models.networks.pooling import (
    POOLINGS,
    CentrePooling,
    bottom_pool,
    left_pool,
    right_pool,
    top_pool,
)
from centernet.models.published import our_names
from centernet.runtime.exporting import LARGEST
from tests.parity_cases import cases, folder, recipe
from tests.tasks.recorded import make_task

POOLS = {"top": top_pool, "bottom": bottom_pool, "left": left_pool, "right": right_pool}
SPECS = {"small_hourglass": "hourglass52", "large_hourglass": "hourglass104"}


@pytest.mark.parametrize("name", POOLS)
@pytest.mark.parametrize("case", cases("ct47/corner_pool"))
def test_corner_pool_and_its_gradient_as_recorded(case: Any, name: str) -> None:
    x = torch.from_numpy(case.inputs["x"]).requires_grad_()
    pooled = POOLS[name](x)
    np.testing.assert_array_equal(pooled.detach(), case.outputs[name])
    pooled.backward(torch.from_numpy(case.inputs["grad"]))
    np.testing.assert_allclose(x.grad, case.outputs[f"{name}_grad"], atol=1e-6, rtol=1e-6)


def test_equal_values_give_their_gradient_to_the_first_that_is_met() -> None:
    for name, wanted in {"left": [0, 0, 4], "right": [4, 0, 0]}.items():
        x = torch.tensor([2.0, 1.0, 2.0]).view(1, 1, 1, 3).requires_grad_()
        POOLS[name](x).backward(torch.tensor([1.0, 1.0, 2.0]).view(1, 1, 1, 3))
        assert x.grad is not None
        assert x.grad.flatten().tolist() == wanted


def test_centre_pooling_sees_whole_rows_and_columns() -> None:
    pooling = CentrePooling(4).eval()
    x = torch.randn(2, 4, 5, 7)
    with torch.no_grad():
        column, row = pooling.branches(x)
        torch.testing.assert_close(
            column, pooling.p1_conv1(x).amax(2, keepdim=True).expand_as(column)
        )
        torch.testing.assert_close(row, pooling.p2_conv1(x).amax(3, keepdim=True).expand_as(row))


@pytest.mark.parametrize("name", POOLINGS)
def test_poolings_keep_the_shape_and_export(name: str) -> None:
    pooling = POOLINGS[name](6).eval()
    x = torch.randn(1, 6, 9, 13)
    program = torch.export.export(pooling, (x,))
    assert not [n for n in program.graph.nodes if "cummax" in str(n.target)]  # runtimes lack it
    torch.testing.assert_close(program.module()(x), pooling(x))
    assert pooling(x).shape == x.shape


@pytest.mark.parametrize("name", POOLS)
def test_a_pool_exported_at_one_size_is_right_at_others(name: str) -> None:
    class Pool(torch.nn.Module):
        def forward(self, x: Tensor) -> Tensor:
            return POOLS[name](x)

    sides = {2: torch.export.Dim("h"), 3: torch.export.Dim("w")}
    program = torch.export.export(Pool(), (torch.randn(1, 2, 33, 64),), dynamic_shapes=(sides,))
    bounds = program.range_constraints.values()
    assert all(bound.lower <= 4 and bound.upper > LARGEST for bound in bounds)
    for size in ((5, 20), (65, 128), (129, 31), (LARGEST, 7)):
        x = torch.randn(1, 2, *size)
        assert torch.equal(program.module()(x), POOLS[name](x))


def spec(arch: str) -> dict[str, list[int]]:
    path = folder() / "specs47" / f"ct47_{SPECS[arch]}.json"
    return json.loads(path.read_text())["state_dict"]


def empty_model(arch: str) -> CenterNet:
    with torch.device("meta"):
        return create_model(arch, make_task("triplet", "coco", []).heads)


def recorded_model(params: dict[str, Any]) -> CenterNet:
    """The network of a case with the recipe's weights, under the names of its own program."""
    model = empty_model(params["arch"])
    arrays = recipe().fill_arrays(spec(params["arch"]), params["seed"], params["feature_scale"])
    weights = {name: torch.from_numpy(value) for name, value in arrays.items()}
    model.load_state_dict(our_names(weights, model.state_dict()), assign=True)
    return model.eval()


def small_first(topic: str) -> list[Any]:
    return [
        pytest.param(*p.values, id=p.id, marks=[*p.marks, pytest.mark.slow])
        if p.values[0] is not None and p.values[0].params["arch"] == "large_hourglass"
        else p
        for p in cases(topic)
    ]


@pytest.mark.parametrize("case", small_first("ct47/forward"))
def test_maps_as_recorded(case: Any) -> None:
    params = case.params
    x = recipe().make_input(params["seed"], params["input_shape"])
    assert recipe().digest(x) == params["input_digest"]
    with torch.inference_mode():
        stages = recorded_model(params)(torch.from_numpy(x), last_only=not params["train_mode"])
    assert len(stages) == params["num_outputs"]
    step = params["spatial_stride_stored"]
    for name, wanted in case.outputs.items():
        stage, head = name.split(".")
        found = stages[int(stage.removeprefix("stack"))][head].numpy()[..., ::step, ::step]
        np.testing.assert_allclose(found, wanted, atol=1e-4, rtol=0, err_msg=name)


@pytest.mark.parametrize("arch", SPECS)
def test_names_of_both_programs_lead_to_ours(arch: str) -> None:
    names = folder() / "specs47" / f"map_duankaiwen_to_47_{SPECS[arch]}.json"
    if not names.is_file():
        pytest.skip(f"{folder()} has no key maps (CENTERNET_PARITY names another)")
    own = empty_model(arch).state_dict()
    shapes = spec(arch)
    tensors = {name: torch.empty(shape, device="meta") for name, shape in shapes.items()}
    from_one = our_names(tensors, own)
    assert {k: v.shape for k, v in from_one.items()} == {k: v.shape for k, v in own.items()}
    table = json.loads(names.read_text())
    table = table.get("map", table)
    theirs: dict[str, Tensor] = {f"module.{a}": tensors[b] for a, b in table.items()}
    from_other = our_names(theirs, own)
    assert from_other.keys() == own.keys()
    for name, tensor in from_other.items():
        assert tensor is from_one[name], name
