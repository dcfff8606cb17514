"""How much of the network's maps each layer's rounding costs, and which layers stay in float."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from centernet.export.quantize.calibrate import Inputs, session, with_outputs
from centernet.export.quantize.quantize import macs, quantized
from centernet.export.quantize.reach import Reach

ENOUGH = 30.0  # dB of the worst map
MOST = 0.1  # of the work may stay in float


def sqnr(model: Any, other: Any, pictures: Sequence[Inputs]) -> float:
    """Decibels by which the maps of `model` stand above what `other` changes in them, the worst."""
    names = Reach(model).maps
    ready = [session(with_outputs(each, names)) for each in (model, other)]
    power, noise = np.zeros(len(names)), np.zeros(len(names))
    for inputs in pictures:
        one, two = (each.run(names, dict(inputs)) for each in ready)
        for i, (a, b) in enumerate(zip(one, two, strict=True)):
            power[i] += np.square(a.astype(np.float64)).sum()
            noise[i] += np.square(a.astype(np.float64) - b).sum()
    return float((10 * np.log10(power / np.maximum(noise, 1e-30))).min())


def by_layer(
    model: Any, ranges: Mapping[str, tuple[float, float]], pictures: Sequence[Inputs]
) -> dict[str, float]:
    """SQNR of the maps when one convolution alone is quantised, the worst first."""
    found = {n: sqnr(model, quantized(model, ranges, alone=n), pictures) for n in macs(model)}
    return dict(sorted(found.items(), key=lambda each: each[1]))


def left_in_float(
    model: Any,
    ranges: Mapping[str, tuple[float, float]],
    pictures: Sequence[Inputs],
    layers: Mapping[str, float],
    enough: float = ENOUGH,
) -> list[str]:
    """The convolutions that are not quantised: the worst of `layers` first, until `enough` dB.

    No more than MOST of the weights, whatever is reached by then.
    """
    work = macs(model)
    chosen: list[str] = []
    for name in layers:
        if sqnr(model, quantized(model, ranges, in_float=chosen), pictures) >= enough:
            break
        if sum(work[each] for each in (*chosen, name)) > MOST * sum(work.values()):
            continue
        chosen.append(name)
    return chosen
