"""Values known at some cells, spread over a whole map: what a perfect head would answer."""

from __future__ import annotations

import torch
from torch import Tensor


def spread(values: Tensor, mask: Tensor, index: Tensor, size: tuple[int, int]) -> Tensor:
    """Rows of `values` (N, D) at cells `index` (N,), where `mask` (N,) or (N, D) is set, as a map.

    It is (D, h, w): every cell has the values of the nearest known one, and the map is NaN if none
    is known. Distance is L1. Ties go to the first object; objects that share a cell take the last
    one's values.
    """
    mask = mask.bool()
    if mask.dim() == 1:
        mask = mask.unsqueeze(1).expand_as(values)
    known = mask.any(1)
    if not known.any():
        return values.new_full((values.shape[1], *size), torch.nan)
    values, index = values.masked_fill(~mask, torch.nan)[known], index[known]
    same = index.unsqueeze(1) == index.unsqueeze(0)
    order = torch.arange(len(index), device=index.device)
    values = values[torch.where(same, order, -1).argmax(1)]
    cells = torch.arange(size[0] * size[1], device=index.device)
    nearest = torch.cdist(columns_and_rows(cells, size[1]), columns_and_rows(index, size[1]), p=1)
    return values[nearest.argmin(1)].T.reshape(-1, *size)


def columns_and_rows(index: Tensor, width: int) -> Tensor:
    """Cells (N,) of a map `width` wide, y * width + x -> (N, 2) float32 x y."""
    return torch.stack([index % width, index // width], dim=1).float()
