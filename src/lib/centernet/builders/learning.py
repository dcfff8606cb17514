"""The optimiser, the schedule and the average that options name."""

from __future__ import annotations

import torch

from centernet.models.model import CenterNet
from centernet.options.learning import Learning
from centernet.runtime.errors import UserError
from centernet.trains.average import Average
from centernet.trains.optimisers import OPTIMISERS, Grouping, parameter_groups
from centernet.trains.schedules import Cosine, MultiStep, Schedule, Warmup

BACKBONE = "backbone."
FLAT = 0.5  # of the epochs, before flat_cosine falls (RTMDet, arXiv 2212.07784)


def make_optimizer(asked: Learning, model: CenterNet, rate: float) -> torch.optim.Optimizer:
    """What changes the weights of `model`, the trunk at its own rate where that is asked for."""
    grouping = Grouping(
        decay=asked.weight_decay,
        decay_all=asked.decay_all,
        trunk_rate=asked.trunk_lr,
        layer_decay=asked.layer_decay,
    )
    backbone = model.backbone
    if asked.layer_decay != 1.0 and not backbone.has_depth:
        raise UserError(
            f"--layer_decay {asked.layer_decay:g}: this network has no stages to tell apart; take"
            " a trunk and a neck, as resnet34+fpn, or --trunk_lr"
        )

    def depth(name: str) -> int | None:
        if not name.startswith(BACKBONE):
            return None
        return backbone.trunk_depth(name.removeprefix(BACKBONE))

    return OPTIMISERS[asked.optim](parameter_groups(model, grouping, depth), rate)


def make_schedule(asked: Learning, rate: float, steps: tuple[int, ...], epochs: int) -> Schedule:
    """The learning rate over a run of `epochs`; it drops after `steps`, if by steps."""
    schedule: Schedule = MultiStep(rate, steps)
    if asked.schedule != "step":
        flat = FLAT if asked.schedule == "flat_cosine" else 0.0
        schedule = Cosine(rate, max(epochs, 1), flat=flat, floor=asked.final_lr)
    return Warmup(schedule, asked.warmup) if asked.warmup > 0 else schedule


def make_average(asked: Learning, model: CenterNet) -> Average | None:
    """The moving average of the weights, or None; UserError for a decay of 1 or more."""
    if asked.ema == 0:
        return None
    if asked.ema >= 1:
        raise UserError(f"--ema {asked.ema:g}: a decay is below 1, as 0.9998")
    return Average(model, decay=asked.ema, pace=asked.ema_steps)
