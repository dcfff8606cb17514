"""Cases recorded from the wider family, and the weights that fill their networks."""

from __future__ import annotations

import importlib.util
import sys
from collections.abc import Mapping, Sequence
from functools import cache
from types import ModuleType
from typing import Any

import torch
from torch import Tensor

from tests.parity_cases import folder, recipe


@cache
def family() -> ModuleType:
    """The family's module that fills networks by their original key names."""
    path = folder() / "family" / "recipe_family.py"
    spec = importlib.util.spec_from_file_location("recipe_family", path)
    if spec is None or spec.loader is None:
        raise FileNotFoundError(path)
    module = importlib.util.module_from_spec(spec)
    sys.modules.setdefault("recipe", recipe())
    spec.loader.exec_module(module)
    return module


def filled(
    shapes: Mapping[str, Sequence[int]], seed: int, rules: Sequence[Any]
) -> dict[str, Tensor]:
    """The tensors that the originals were filled with, by their keys."""
    values = family().fill_family({k: list(v) for k, v in shapes.items()}, seed, rules)
    return {key: torch.as_tensor(value) for key, value in values.items()}
