"""Losses and their gradients against the recorded ones, and their behaviour at the edges."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from centernet.heads.losses import AtCentres, Focal, at_centres
from centernet.structures.objects import Objects
from centernet.tasks import TASKS
from centernet.tasks.oracle import Oracle
from tests.parity_cases import cases
from tests.tasks.recorded import make_task

ATOM_TARGETS = {"mask": "reg_mask", "ind": "ind", "target": "value"}
ATOMS = {
    "RegL1Loss": AtCentres("value"),
    "RegLoss": at_centres("value", "sl1"),
    "NormRegL1Loss": AtCentres("value", relative=True),
    "L1Loss": AtCentres("value", over_all=True),
    "RegWeightedL1Loss": AtCentres("value"),
    "FocalLoss_clamped_sigmoid": Focal("gt"),
}


def kind(case) -> str:
    return case.name.split(".")[0]


def tensors(arrays, prefix=""):
    return {
        k.removeprefix(prefix): torch.from_numpy(np.array(v))
        for k, v in arrays.items()
        if k.startswith(prefix)
    }


def assert_near(ours, recorded, atol=1e-5, rtol=2e-4):
    np.testing.assert_allclose(np.asarray(ours), recorded, atol=atol, rtol=rtol)


@pytest.mark.parametrize("case", cases("losses/atoms", where=lambda c: kind(c) in ATOMS))
def test_atom(case):
    loss = ATOMS[kind(case)]
    given = tensors(case.inputs)
    name = "raw" if "raw" in given else "output"
    raw = given.pop(name).requires_grad_()
    targets = {ATOM_TARGETS.get(key, key): value for key, value in given.items()}
    value = loss([raw], targets)
    value.backward()
    assert_near(value.detach(), case.outputs["loss"], rtol=1e-4)
    assert_near(raw.grad, case.outputs[f"grad.{name}"], rtol=1e-4)


@pytest.mark.parametrize("case", cases("losses/atoms", where=lambda c: kind(c) == "FocalLoss"))
def test_focal_from_probabilities(case):
    """The original's takes probabilities, ours their logits: the chain rule joins them."""
    probability = torch.from_numpy(case.inputs["pred"]).double()
    raw = torch.logit(probability).requires_grad_()
    value = Focal("gt")([raw], {"gt": torch.from_numpy(case.inputs["gt"])})
    value.backward()
    assert_near(value.detach(), case.outputs["loss"], rtol=1e-4)
    slope = (probability * (1 - probability)).numpy()
    assert_near(raw.grad, case.outputs["grad.pred"] * slope, rtol=1e-3)


def registered(case) -> bool:
    return kind(case) in TASKS


def perfected(task, args, maps, batch):
    """The raw maps with the truth put in that the --eval_oracle_... among `args` ask for.

    The originals take every row whose index is not 0 for an object's; the mask is not asked.
    """
    names = [a.removeprefix("--eval_oracle_") for a in args if a.startswith("--eval_oracle_")]
    if not names:
        return maps
    rows = {name: batch["ind"] > 0 for name in ("reg_mask", "rot_mask") if name in batch}
    return [Oracle(task, names).correct_raw(stage, batch | rows) for stage in maps]


@pytest.mark.parametrize("case", cases("losses/tasks", where=registered))
def test_task_loss(case):
    args = [a for a in case.params["args"] if a != "--norm_wh"]  # it had no effect (see below)
    batch = tensors(case.inputs, "batch.")
    maps = [
        {k: v.requires_grad_() for k, v in tensors(case.inputs, f"raw.stack{s}.").items()}
        for s in range(case.params["num_stacks"])
    ]
    dataset = {"ddd": "kitti", "multi_pose": "coco_hp"}.get(kind(case), "coco")
    classes = batch["hm" if "hm" in batch else "hm_c"].shape[1]
    task = make_task(kind(case), dataset, args, classes)
    stats = task.loss(perfected(task, args, maps, batch), batch)
    stats["loss"].backward()
    for name, value in case.outputs.items():
        if name.startswith("stat."):
            if name.removeprefix("stat.") in stats:
                assert_near(stats[name.removeprefix("stat.")].detach(), value)
            else:
                assert value == 0, f"{name} is missing"
            continue
        _, stack, head = name.split(".")
        gradient = maps[int(stack.removeprefix("stack"))][head].grad
        ours = torch.zeros(value.shape) if gradient is None else gradient
        assert_near(ours, value)


def test_norm_wh_is_relative_to_the_true_size():
    """The original's --norm_wh changed nothing; ours measures predicted over true size."""
    task = make_task("ctdet", "coco", ["--norm_wh"], 1)
    raw = torch.full((1, 2, 2, 2), 6.0)
    targets = {
        "wh": torch.tensor([[[3.0, 12.0]]]),
        "ind": torch.tensor([[1]]),
        "reg_mask": torch.ones(1, 1),
    }
    [loss] = [term.loss for term in task.terms if term.stat == "wh_loss"]
    value = loss([raw], targets)
    assert value.item() == pytest.approx((1.0 + 0.5) / 2, abs=1e-3)


@pytest.mark.parametrize("task", list(TASKS))
def test_saturated_logits_stay_finite(task):
    """Whatever the network says, a batch without objects gives finite losses and gradients."""
    made = make_task(task, "coco", [], 3)
    size = (8, 8)
    targets = {k: torch.from_numpy(v)[None] for k, v in made.encode(Objects.empty(), size).items()}
    for level in (-1e4, 0.0, 1e4):
        maps = {
            n: torch.full((1, h.channels, *size), level, requires_grad=True)
            for n, h in made.heads.items()
        }
        stats = made.loss([maps], targets)
        stats["loss"].backward()
        assert all(torch.isfinite(v) for v in stats.values())
        assert all(torch.isfinite(m.grad).all() for m in maps.values() if m.grad is not None)


def test_counts_of_a_whole_make_parts_add_up():
    """Losses of two halves with the counts of the whole sum to the loss of the whole."""
    torch.manual_seed(0)
    task = make_task("ctdet", "coco", [], 2)
    heat = torch.rand(4, 2, 6, 6)
    heat[0, 0, 1, 1] = heat[3, 1, 2, 2] = heat[3, 0, 4, 4] = 1.0
    targets = {
        "hm": heat,
        "wh": torch.rand(4, 5, 2),
        "reg": torch.rand(4, 5, 2),
        "ind": torch.randint(0, 36, (4, 5)),
        "reg_mask": torch.tensor([1, 0, 0, 1, 1, 0, 0, 0, 0, 0, 1, 1, 1, 0, 1, 0, 0, 1, 0, 0]).view(
            4, 5
        ),
    }
    maps = {n: torch.randn(4, h.channels, 6, 6) for n, h in task.heads.items()}
    whole = task.loss([maps], targets)["loss"]
    counts = task.counts(targets)
    parts = [
        task.loss(
            [{n: m[s] for n, m in maps.items()}], {n: t[s] for n, t in targets.items()}, counts
        )["loss"]
        for s in (slice(0, 1), slice(1, 4))
    ]
    torch.testing.assert_close(parts[0] + parts[1], whole)
