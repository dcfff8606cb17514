"""Terms: what a loss reads, how several make one, and what they may learn themselves."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import pytest
import torch
from torch import Tensor

from centernet.builders.training import make_network
from centernet.heads.losses import AtCentres, Loss, Targets, l2
from centernet.heads.term import Term, UncertaintyWeights
from centernet.models.checkpoint import load_weights, read_checkpoint, save_checkpoint
from centernet.models.model import CenterNet
from centernet.models.spec import ModelSpec
from centernet.options.groups import Train
from centernet.tasks.ctdet import Ctdet
from centernet.trains.step import Step
from tests.tasks.recorded import make_task
from tests.trains.tiny import TinyBackbone


def batch(task: Any) -> dict[str, Tensor]:
    rows = task.info.max_objects
    targets = {
        "hm": torch.zeros(2, task.info.num_classes, 8, 8),
        "wh": torch.rand(2, rows, 2) * 4,
        "reg": torch.rand(2, rows, 2),
        "ind": torch.randint(0, 64, (2, rows)),
        "reg_mask": torch.zeros(2, rows),
    }
    targets["hm"][:, 0, 3, 4] = 1
    targets["reg_mask"][:, :3] = 1
    return targets


@dataclass(frozen=True)
class FarFromTeacher(Loss):
    """Squared distance of two heads' maps from those that another network made of the image."""

    heads: tuple[str, ...]

    def totals(self, maps: Sequence[Tensor], targets: Targets) -> Tensor:
        pairs = zip(maps, self.heads, strict=True)
        return torch.stack([l2(raw, targets[f"teacher.{name}"]).sum() for raw, name in pairs])

    def counts(self, targets: Targets) -> Tensor:
        return torch.tensor([targets[f"teacher.{name}"].numel() for name in self.heads]).float()


class Distilled(Ctdet):
    """Boxes with a second loss on the sizes, and a teacher for sizes and offsets."""

    def make_terms(self) -> list[Term]:
        taught = "wh", "reg"
        return [
            *super().make_terms(),
            Term("wh_loss", AtCentres("wh", distance=l2), ("wh",), 0.5),
            Term("teacher_loss", FarFromTeacher(taught), taught, 2.0),
        ]


def test_a_head_may_have_several_terms_and_a_term_several_heads() -> None:
    plain = make_task("ctdet", "coco", [], 2)
    task = Distilled(plain.info, plain.options)
    targets = batch(task)
    maps = {n: torch.randn(2, h.channels, 8, 8, requires_grad=True) for n, h in task.heads.items()}
    targets |= {f"teacher.{name}": torch.randn(2, 2, 8, 8) for name in ("wh", "reg")}
    before, after = plain.loss([maps], targets), task.loss([maps], targets)
    second = AtCentres("wh", distance=l2)([maps["wh"]], targets)
    squares = ((maps[n] - targets[f"teacher.{n}"]).square().mean() for n in ("wh", "reg"))
    distance = torch.stack(list(squares)).sum()
    torch.testing.assert_close(after["wh_loss"], before["wh_loss"] + second)
    torch.testing.assert_close(after["teacher_loss"], distance, rtol=1e-3, atol=0)
    total = before["loss"] + 0.5 * second + 2 * distance
    torch.testing.assert_close(after["loss"], total, rtol=1e-3, atol=0)
    counts = task.counts(targets)
    halves = [slice(0, 1), slice(1, 2)]
    parts = [
        task.loss(
            [{n: m[half] for n, m in maps.items()}],
            {n: t[half] for n, t in targets.items()},
            counts,
        )["loss"]
        for half in halves
    ]
    torch.testing.assert_close(parts[0] + parts[1], after["loss"])


class Balanced(Ctdet):
    """Boxes whose terms find their own weights: one for the heat, one for what is read off."""

    def __init__(self, *args: Any) -> None:
        super().__init__(*args)
        groups = [["hm_loss"], ["wh_loss", "off_loss"]]
        self.balance = UncertaintyWeights(groups, [-1.85, -1.05])


def test_weights_of_the_terms_may_be_learned(tmp_path: Any, monkeypatch: Any) -> None:
    plain = make_task("ctdet", "coco", [], 2)
    task = Balanced(plain.info, plain.options)
    monkeypatch.setattr(
        "centernet.builders.training.create_model",
        lambda spec, heads, inputs: CenterNet(TinyBackbone(), heads),
    )
    spec = ModelSpec("mobilenetv3", task=task.name)
    model = make_network(spec, Train(), task)
    s = dict(model.named_parameters())
    names = [name for name in s if name.startswith("criterion.")]
    assert len(names) == 2
    image = torch.randn(2, 3, 32, 32)
    targets = batch(task)
    stats = plain.loss(model(image), targets)
    first, second = (s[name].detach().clone() for name in names)
    wanted = ((-first).exp() * stats["hm_loss"] + first + second) / 2
    wanted = wanted + (-second).exp() * (0.1 * stats["wh_loss"] + stats["off_loss"]) / 2
    step = Step(task, model, torch.optim.SGD(model.parameters(), 1e-2))
    found = step([{"inputs": {"image": image}, "index": torch.arange(2), **targets}])
    torch.testing.assert_close(found["loss"], wanted.detach(), rtol=1e-4, atol=1e-5)
    moved = [s[name].detach() for name in names]
    slope = (1 - (-first).exp() * stats["hm_loss"].detach()) / 2
    torch.testing.assert_close(moved[0], first - 1e-2 * slope, rtol=1e-4, atol=1e-6)

    path = save_checkpoint(tmp_path / "model.pth", model, {})
    bare = CenterNet(TinyBackbone(), task.heads)
    load_weights(bare, read_checkpoint(path), strict=True)  # prediction needs none of it
    torch.testing.assert_close(bare.heads["hm"][2].bias, model.heads["hm"][2].bias)


def test_a_term_that_is_weighed_by_nobody_is_a_mistake() -> None:
    balance = UncertaintyWeights([["hm_loss"]], [0.0])
    terms = [Term("hm_loss", AtCentres("wh"), ("wh",)), Term("wh_loss", AtCentres("wh"), ("wh",))]
    with pytest.raises(ValueError, match="wh_loss must be in one group"):
        balance(terms, [torch.ones(()), torch.ones(())])
