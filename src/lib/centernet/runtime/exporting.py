"""Whether the network runs in order to be written down for other programs."""

from __future__ import annotations

import torch


def exporting() -> bool:
    """True under torch.export and torch.jit.trace, where operators are wanted that others know.

    False under torch.compile: PyTorch 2.11 takes `torch.compiler.is_exporting()` for True there.
    """
    if torch.compiler.is_dynamo_compiling():
        return False
    return torch.compiler.is_exporting() or torch.jit.is_tracing()
