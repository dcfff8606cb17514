"""The half precisions by the names that flags take; a list of names does not need PyTorch."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import torch

HALVES = {"bf16": "bfloat16", "fp16": "float16"}  # and PyTorch's names


def half_type(name: str) -> torch.dtype:
    """PyTorch's type of one of HALVES."""
    import torch

    dtype: torch.dtype = getattr(torch, HALVES[name])
    return dtype
