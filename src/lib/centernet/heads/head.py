"""One output of the network, as a task states it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Literal

import torch
from torch import Tensor

from centernet.heads.peaks import mirror
from centernet.models.model import HEAT_BIAS

Reads = Literal["map", "places", "peaks"]


@dataclass(frozen=True)
class Head:
    """One output map of the network.

    `activation` turns the raw map into its meaning. `flip` brings the map of a mirrored image back
    into the image's frame so that both can be averaged; without it the flip test uses the upright
    image's map alone.
    `flip` mirrors the last dimension; it may also permute channels and change signs, nothing else.
    `pooling` is what the head sees the features through (`models/networks/pooling.py`). `reads` is
    what decoding asks its map for: "places", values at single places, so that nothing else need be
    computed; "peaks", the best of a sigmoid, and single places; "map", anything. `oracle` is the
    name under which the truth can be put in its place (`tasks/oracle.py`), "" for its own; heads of
    one name are made perfect together.
    """

    channels: int
    bias: float | None = None
    activation: Callable[[Tensor], Tensor] | None = None
    flip: Callable[[Tensor], Tensor] | None = None
    pooling: str | None = None
    reads: Reads = "map"
    oracle: str = ""


def sigmoid_heat(classes: int, **more: Any) -> Head:
    """The head of a heat map: a sigmoid, few peaks at the start, averaged in the flip test."""
    more.setdefault("flip", mirror)
    return Head(classes, HEAT_BIAS, torch.sigmoid, **more)
