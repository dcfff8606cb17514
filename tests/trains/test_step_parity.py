"""One training step, compared with the step that the original took on the same numbers."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch
from torch import nn

from centernet.models.create import create_model
from centernet.models.published import published_key
from centernet.tasks import TASKS
from centernet.trains.optimisers import adam
from centernet.trains.step import Step
from tests.parity_cases import cases, recipe
from tests.tasks.recorded import make_task
from tests.trains.cancellation import Terms

DATASETS = {"multi_pose": "coco_hp", "ddd": "kitti", "exdet": "exdet"}  # of the others coco
CENTRES = ("hm", "hm_c", "hmap_ct")  # the head with a channel a class, whichever a task has
RATE = 1.25e-4
RTOL = 5e-3  # of gradients and of what Adam makes of them
SLOW = ("hourglass",)


def step_cases() -> list[Any]:
    """The recorded steps of the tasks that there are."""
    found = cases("train/step", where=lambda case: case.params["task"] in TASKS)
    return [slowed(p) if p.id.startswith(SLOW) else p for p in found]


def slowed(parameter: Any) -> Any:
    return pytest.param(*parameter.values, id=parameter.id, marks=pytest.mark.slow)


def build(params: dict[str, Any]) -> tuple[Any, nn.Module]:
    """The task and the network of a case, filled with the recorded weights."""
    name = params["task"]
    classes = next(params["heads"][head] for head in CENTRES if head in params["heads"])
    task = make_task(name, DATASETS.get(name, "coco"), params["args"], classes)
    assert {name: head.channels for name, head in task.heads.items()} == params["heads"]
    model = create_model(params["arch"], task.heads, params["head_conv"])
    ours = model.state_dict()
    values = {published_key(key): value for key, value in ours.items()}
    filled = recipe().fill_state_dict(values, params["seed"], params["feature_scale"])
    model.load_state_dict({key: filled[published_key(key)] for key in ours})
    return task, model


def by_published_name(named: Any) -> dict[str, torch.Tensor]:
    return {published_key(key): value for key, value in named}


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64], ids=["float32", "float64"])
@pytest.mark.parametrize("case", step_cases())
def test_step_is_the_originals(case: Any, dtype: torch.dtype) -> None:
    """Losses, maps and statistics in either precision; gradients and the update in float64.

    Rounding adds up on the way back through the layers (in float32 to 0.3 % of a norm, as the
    recorded cases say of themselves), and none of it may pass for an error of ours or hide one.
    Where the terms of a gradient cancel, the recorded float32 holds noise, see `cancellation.py`.
    """
    params, out = case.params, case.outputs
    task, model = build(params)
    model.to(dtype)
    parameters = by_published_name(model.named_parameters())
    assert list(parameters) == params["param_names"]  # the order of optimizer states
    before = {name: p.detach().clone() for name, p in parameters.items()}
    image = recipe().make_input(params["seed"], params["input_shape"])
    assert recipe().digest(image) == params["input_digest"]
    batch = {key[6:]: torch.from_numpy(v) for key, v in case.inputs.items()}
    inputs = {"image": torch.from_numpy(image).to(dtype)}
    batch |= {"inputs": inputs, "index": torch.arange(len(image))}
    maps: dict[str, torch.Tensor] = {}
    model.register_forward_hook(lambda module, args, stages: maps.update(stages[-1]))

    step = Step(task, model.train(), adam(model.parameters(), RATE))
    with Terms(model) as terms:
        stats = step([batch])

    check_outputs(stats, maps, out)
    check_norms(model, params, out)
    if dtype == torch.float64:
        check_gradients(case, parameters)
        check_update(parameters, before, out, by_published_name(terms.cancelled().items()))


def check_outputs(stats: dict[str, Any], maps: dict[str, Any], out: dict[str, Any]) -> None:
    for name, value in out.items():
        kind, _, rest = name.partition(".")
        if kind == "stat":
            assert float(stats[rest]) == pytest.approx(float(value), rel=1e-4, abs=1e-5), name
        elif kind == "out":
            found = maps[rest].detach().numpy()[:, : value.shape[1]]
            np.testing.assert_allclose(found, value, rtol=1e-4, atol=2e-4, err_msg=name)


def check_gradients(case: Any, parameters: dict[str, Any]) -> None:
    """Norms of all, recorded in float64; sums of all and elements of one, recorded in float32."""
    norms, sums = case.outputs["grad_norm"], case.outputs["grad_sum"]
    smallest = 1e-6 * np.nanmax(norms)
    for (name, parameter), norm, total in zip(parameters.items(), norms, sums, strict=True):
        if np.isnan(norm):
            assert parameter.grad is None, f"{name} must not get a gradient"
        elif norm > smallest:
            assert float(parameter.grad.norm()) == pytest.approx(norm, rel=RTOL / 10), name
            slack = RTOL * norm * parameter.numel() ** 0.5
            assert float(parameter.grad.sum()) == pytest.approx(total, abs=slack), name
    if case.meta["fp32_vs_fp64_gradnorm_relmax"] > RTOL / 2:
        return  # the recorded elements are further than that from float64 themselves
    for name, value in case.outputs.items():
        if name.startswith("grad."):
            found = parameters[name.removeprefix("grad.")].grad.numpy()[: value.shape[0]]
            atol = RTOL * np.abs(value).max()
            np.testing.assert_allclose(found, value, rtol=RTOL, atol=atol, err_msg=name)


def check_norms(model: nn.Module, params: dict[str, Any], out: dict[str, Any]) -> None:
    state = by_published_name(model.state_dict().items())
    for name, mean, variance in zip(
        params["bn_names"], out["bn_mean_sum"], out["bn_var_sum"], strict=True
    ):
        found = float(state[f"{name}.running_mean"].double().sum())
        assert found == pytest.approx(mean, rel=1e-4, abs=1e-3), name
        found = float(state[f"{name}.running_var"].double().sum())
        assert found == pytest.approx(variance, rel=1e-4), name


def check_update(
    parameters: dict[str, Any],
    before: dict[str, Any],
    out: dict[str, Any],
    cancelled: dict[str, torch.Tensor],
) -> None:
    """How far Adam moved every parameter; gradients near its epsilon of 1e-8 are left out.

    Adam's first step is of at most RATE whatever the gradient: that is how far the noise in the
    place of a gradient that is `cancelled` may have moved an element, and no farther.
    """
    moves, norms = out["param_after_delta_norm"], out["grad_norm"]
    compared = 0
    for (name, parameter), move, norm in zip(parameters.items(), moves, norms, strict=True):
        moved = (parameter.detach() - before[name]).double()
        if np.isnan(norm):
            assert float(moved.norm()) == 0.0, f"{name} has no gradient and must stay"
        elif norm > 1e-6 * np.nanmax(norms):
            zero = cancelled[name]
            least = float(moved[~zero].norm())
            most = (least**2 + int(zero.sum()) * RATE**2) ** 0.5
            assert least * (1 - RTOL) <= move <= most * (1 + RTOL), name
            compared += 1
    assert compared > 0.8 * np.isfinite(norms).sum()
