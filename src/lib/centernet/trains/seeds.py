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
    state = np.random.SeedSequence([seed, *more]).generate_state(3)
    random.seed(int(state[0]))
    # libraries that draw from NumPy's global generator are made repeatable too
    np.random.seed(int(state[1]))  # noqa: NPY002
    torch.manual_seed(int(state[2]))
