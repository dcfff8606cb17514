"""Whether the network runs in order to be written down for other programs."""

from __future__ import annotations

import torch

LARGEST = 1024  # cells along one side of a map, as far as an exported program with free sizes reads


def exporting() -> bool:
    """True under torch.export and torch.jit.trace, where operators are wanted that others know.

    False under torch.compile: PyTorch 2.11 takes `torch.compiler.is_exporting()` for True there.
    """
    if torch.compiler.is_dynamo_compiling():
        return False
    return torch.compiler.is_exporting() or torch.jit.is_tracing()


def doublings(size: int) -> list[int]:
    """1, 2, 4 ... below `size`: the shifts by which running sums and maxima reach `size` cells.

    A traced size must not say how often a loop runs: the program would be written down for the
    sizes that need as many steps and be silently wrong at others. There the steps are those of
    LARGEST, of which the ones that reach too far change nothing.
    """
    if exporting() and not isinstance(size, int):
        size = LARGEST
    return [1 << step for step in range((size - 1).bit_length())]


def at_most(count: int, size: int) -> int:
    """The smaller of both; in an exported program with free sizes `count` itself.

    So the number of its results is a constant, and it takes no inputs whose maps have fewer cells.
    """
    return count if exporting() and not isinstance(size, int) else min(count, size)
