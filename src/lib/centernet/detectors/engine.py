"""The contract of an engine: a network made ready to run, whatever runs it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Protocol

import numpy as np
import torch
from torch import Tensor

from centernet.detectors.timing import Timings
from centernet.geometry.view import Size
from centernet.heads.head_map import Maps

Inputs = Mapping[str, Tensor]  # by the names of `Task.inputs`; each (B, channels, H, W) float32


@dataclass(frozen=True)
class Decoded:
    """What decoding gives of a batch, in the pixels of maps of `size` (height, width)."""

    arrays: Mapping[str, np.ndarray]  # each (B, K, ...)
    size: Size


class Engine(Protocol):
    """A network made ready: it turns inputs into decoded arrays.

    An engine owns what is particular to its way of computing: device, precision, folding, lazy
    heads, the mean over mirrored images, how many threads. It knows no views, scales or merging,
    and nothing of it changes after it was made, but for what it keeps to be faster the next time
    (kernels, captured graphs by input shape).

    size: the only (height, width) it takes; None where there are others.
    stride: that of the maps, as far as it has any.
    flip_test: whether it averages with the mirrored image.
    narrow: whether it computes in float16, which some networks overflow.
    has_maps: whether `maps` gives them; a file that decodes inside has none.
    device: whose work a timing has to wait for.
    place: where it computes, and by what, in words.
    """

    @property
    def stride(self) -> int: ...

    @property
    def size(self) -> Size | None: ...

    @property
    def flip_test(self) -> bool: ...

    @property
    def narrow(self) -> bool: ...

    @property
    def has_maps(self) -> bool: ...

    @property
    def device(self) -> torch.device: ...

    @property
    def place(self) -> str: ...

    def check(self, size: Size) -> None:
        """Raise UserError if it does not take images of `size` (height, width)."""
        ...

    def run(self, inputs: Inputs, k: int, timings: Timings) -> Decoded:
        """The `k` best of each image of a batch of one shape; adds to "net" and "dec"."""
        ...

    def maps(self, inputs: Inputs, timings: Timings) -> Maps:
        """Activated maps, flips averaged, for who looks at or corrects them; adds to "net".

        UserError from an engine that has none: a file that decodes inside.
        """
        ...

    def warm_up(self, inputs: Inputs, k: int) -> None:
        """Load and compile what a run of inputs like these may ask for, but not every one does."""
        ...
