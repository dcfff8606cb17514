"""Files that name classes of other programs, opened without any of their code."""

from __future__ import annotations

from collections import OrderedDict
from pathlib import Path
from typing import Any

import torch
from torch.serialization import get_unsafe_globals_in_checkpoint, safe_globals

LIGHTNING = ".ckpt"  # of PyTorch Lightning, which keeps settings and callbacks beside the weights


class Inert:
    """Stands for a class of another program: what is made of it is an empty OrderedDict.

    That is a type which `torch.load` lets a file fill with entries and attributes.
    """

    def __new__(cls, *args: object, **kwargs: object) -> Any:
        return OrderedDict()


def load_inert(path: Path) -> Any:
    """What `torch.load` gives with `weights_only`, with Inert for every name that it refuses.

    Nothing is imported by a name in the file and nothing of it is run.
    """
    try:
        names = get_unsafe_globals_in_checkpoint(str(path))
    except ValueError:  # of an older form, which names nothing before it is read
        names = []
    stand_ins: list[Any] = [(type(name.rpartition(".")[2], (Inert,), {}), name) for name in names]
    with safe_globals(stand_ins):
        return torch.load(path, map_location="cpu", weights_only=True)
