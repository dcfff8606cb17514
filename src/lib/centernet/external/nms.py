"""Non-maximum suppression on detection rows: hard, soft, and soft with merging of boxes.

A row is x1, y1, x2, y2, score and then whatever belongs to the box (34 numbers of 17 joints make
the 39-column form). Boxes are closed pixel ranges, x2 - x1 + 1 wide. The loops are compiled from
`external/nms.pyx` or, where that was not possible, by numba at their first call; the two give equal
results and `BACKEND` names the one in use.

Soft-NMS: Bodla et al., "Soft-NMS: improving object detection with one line of code", ICCV 2017.
Merging: the weighted mean of the boxes a winner pushes down, as the keypoint detectors CornerNet
(Law and Deng, ECCV 2018) and CenterNet: Keypoint Triplets (Duan et al., ICCV 2019) test with.
"""

from __future__ import annotations

from importlib import import_module

import numpy as np

try:
    _kernels = import_module("centernet.external._nms")
    BACKEND = "compiled"
except ModuleNotFoundError:  # not built; an extension that is there but does not load must be seen
    _kernels = import_module("centernet.external.nms_numba")
    BACKEND = "numba"

HARD, LINEAR, GAUSSIAN = range(3)


def soft_nms(
    boxes: np.ndarray,
    sigma: float = 0.5,
    Nt: float = 0.3,
    threshold: float = 0.001,
    method: int = HARD,
) -> np.ndarray:
    """Lower the scores of boxes by their overlap with better ones; works in place.

    Args:
        boxes: (N, 5 or more) float32, C order. On return sorted best first; rows move as a whole,
            and the suppressed ones lie, with their lowered scores, after the ones that stay.
        sigma: width of the Gaussian of method 2: the weight is exp(-iou * iou / sigma).
        Nt: overlap above which methods 0 and 1 act.
        threshold: a box whose lowered score is below it is suppressed.
        method: 0 hard (weight 0 above Nt), 1 linear (1 - iou above Nt), 2 Gaussian.

    Returns:
        Indices of the rows that stay, always 0 ... n - 1. Of equal scores the earliest row wins.
    """
    _check_rows(boxes, 5)
    _check_soft(boxes, sigma, method)
    return np.arange(_kernels.soft(boxes, sigma, Nt, threshold, method, False, 0.0, False))


def soft_nms_merge(
    boxes: np.ndarray,
    sigma: float = 0.5,
    Nt: float = 0.3,
    threshold: float = 0.001,
    method: int = HARD,
    weight_exp: float = 6.0,
    recorded: bool = False,
) -> np.ndarray:
    """`soft_nms` in which a winner becomes the weighted mean of itself and the boxes it lowers.

    Args:
        boxes: (N, 7 or more) float32; columns 5 and 6 are the scores of the top left and bottom
            right corner. A lowered box counts (1 - weight) ** weight_exp times its corner score.
        recorded: leave the columns from 5 on where they are while boxes change places, as the
            published implementations do (the corner scores then belong to other boxes); for
            comparison with their results only.

    Returns:
        Indices of the rows that stay, as `soft_nms`. A winner's corner scores must not be all zero.
    """
    _check_rows(boxes, 7)
    _check_soft(boxes, sigma, method)
    count = _kernels.soft(boxes, sigma, Nt, threshold, method, True, weight_exp, recorded)
    return np.arange(count)


def nms(dets: np.ndarray, thresh: float) -> np.ndarray:
    """Greedy hard NMS: indices of the rows to keep, best first; `dets` is not changed.

    A row is suppressed where its overlap with a kept, better row is `thresh` or more. Of equal
    scores the earliest row is the better one.
    """
    _check_rows(dets, 5)
    order = np.argsort(-dets[:, 4], kind="stable").astype(np.intp, copy=False)
    keep = np.ones(len(dets), np.uint8)
    _kernels.hard(dets, order, thresh, keep)
    return order[keep[order].astype(bool)]


def _check_rows(rows: np.ndarray, columns: int) -> None:
    if not isinstance(rows, np.ndarray) or rows.dtype != np.float32:
        kind = getattr(rows, "dtype", type(rows).__name__)
        raise TypeError(f"boxes must be a float32 array, not {kind}")
    if rows.ndim != 2 or rows.shape[1] < columns:
        raise ValueError(f"boxes must be (N, {columns} or more), not {rows.shape}")
    if not rows.flags.c_contiguous:
        raise ValueError("boxes must lie in C order: pass np.ascontiguousarray(boxes)")


def _check_soft(boxes: np.ndarray, sigma: float, method: int) -> None:
    if not boxes.flags.writeable:
        raise ValueError("boxes are read-only and soft-NMS works in place: pass boxes.copy()")
    if method not in (HARD, LINEAR, GAUSSIAN):
        raise ValueError(f"method must be 0 (hard), 1 (linear) or 2 (Gaussian), not {method!r}")
    if sigma <= 0:
        raise ValueError(f"sigma must be positive, not {sigma}")
