"""Suite `compile`: a training step with the network compiled by torch.compile, beside one without.

Compiling takes a minute or more of one core, which is why this is apart from the suite `train`.
"""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial

import numpy as np
from report import Row, row
from timer import Ceilings, compare
from train import CASES, batch, ours

EAGER, COMPILED = "eager", "compiled"
NAME = "mobilenetv3"


def rows(short: bool, ceilings: Ceilings) -> Iterator[Row]:
    """Milliseconds a step; losses that disagree raise AssertionError. The short suite has none."""
    if short:
        return
    images = CASES[NAME]
    data = batch(images)
    sides = {EAGER: partial(ours(NAME), [data]), COMPILED: partial(ours(NAME, True), [data])}
    for _ in range(2):
        eager, compiled = (float(side()["loss"]) for side in sides.values())
        np.testing.assert_allclose(compiled, eager, rtol=2e-3)
    rounds = compare(sides, rounds=7, warm_up=0)
    yield row("compile", f"{NAME}, batch {images}", rounds, EAGER, COMPILED)
