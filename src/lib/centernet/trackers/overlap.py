"""Overlaps of boxes x1 y1 x2 y2, all pairs at once."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray


def iou(a: NDArray[Any], b: NDArray[Any], *, pixel: float = 0.0) -> NDArray[np.float64]:
    """(A, B) intersection over union; `pixel` 1 counts both corners as pixels of the box."""
    common, union, _ = _areas(a, b, pixel)
    return _ratio(common, union)


def giou(a: NDArray[Any], b: NDArray[Any]) -> NDArray[np.float64]:
    """(A, B) generalised IoU (Rezatofighi et al., CVPR 2019): IoU less the hull's empty share."""
    common, union, hull = _areas(a, b, 0.0)
    return _ratio(common, union) - _ratio(hull - union, hull)


def _areas(a: NDArray[Any], b: NDArray[Any], pixel: float) -> tuple[NDArray[np.float64], ...]:
    a = np.asarray(a, np.float64).reshape(-1, 1, 4)
    b = np.asarray(b, np.float64).reshape(1, -1, 4)
    inner = np.minimum(a[..., 2:], b[..., 2:]) - np.maximum(a[..., :2], b[..., :2]) + pixel
    outer = np.maximum(a[..., 2:], b[..., 2:]) - np.minimum(a[..., :2], b[..., :2]) + pixel
    common = np.maximum(inner, 0).prod(axis=-1)
    own = [(box[..., 2:] - box[..., :2] + pixel).prod(axis=-1) for box in (a, b)]
    return common, own[0] + own[1] - common, outer.prod(axis=-1)


def _ratio(part: NDArray[np.float64], whole: NDArray[np.float64]) -> NDArray[np.float64]:
    return np.divide(part, whole, out=np.zeros_like(part), where=whole > 0)
