"""One seed for every source of chance."""

from __future__ import annotations

import random

import numpy as np
import torch


def seed_everything(seed: int, *more: int) -> None:
    """Seed the generators of Python, NumPy and PyTorch (every device) from `seed` and `more`.

    A trainer calls it at the start of every epoch with (seed, epoch, rank), so what an epoch draws
    does not depend on the epochs before it: a resumed run draws what one never stopped would have.
    """
    value = mixed(seed, *more)
    random.seed(value)
    # libraries that draw from NumPy's global generator are made repeatable too
    np.random.seed(value)  # noqa: NPY002
    torch.manual_seed(value)


def mixed(seed: int, *more: int) -> int:
    """One 32-bit seed from several numbers; neighbouring numbers give unrelated seeds."""
    return int(np.random.SeedSequence([seed, *more]).generate_state(1)[0])
