"""A mask as COCO writes it, with nothing lost: decoding gives back the very same pixels."""

from __future__ import annotations

from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray


def tight_box(mask: NDArray[np.bool_]) -> list[int]:
    """COCO's x, y, width, height of the pixels of a mask that has some."""
    rows, columns = np.flatnonzero(mask.any(1)), np.flatnonzero(mask.any(0))
    x, y = int(columns[0]), int(rows[0])
    return [x, y, int(columns[-1]) + 1 - x, int(rows[-1]) + 1 - y]


def segmentation(mask: NDArray[np.bool_]) -> list[list[int]] | dict[str, Any]:
    """Polygons along the edges of the pixels; run lengths where there is a hole to tell of."""
    x, y, width, height = tight_box(mask)
    window = mask[y : y + height, x : x + width].astype(np.uint8)
    doubled = window.repeat(2, axis=0).repeat(2, axis=1)
    traced, levels = cv2.findContours(doubled, cv2.RETR_CCOMP, cv2.CHAIN_APPROX_NONE)
    if (levels[0, :, 3] >= 0).any():  # a contour with a parent is the rim of a hole
        return run_lengths(mask)
    corner = np.array([x, y])
    return [(_corners(line[:, 0]) + corner).ravel().tolist() for line in traced]


def _corners(line: NDArray[Any]) -> NDArray[np.int64]:
    """The corners (N, 2) of a region from its contour, traced at twice the size.

    The two halves of a doubled pixel lie on its left and right edge (or upper and lower), so
    rounding to whole pixels puts the line on the edges; what does not turn there is left out.
    """
    edge = (line.astype(np.int64) + 1) // 2
    edge = edge[np.any(edge != np.roll(edge, 1, axis=0), axis=1)]
    before, after = edge - np.roll(edge, 1, axis=0), np.roll(edge, -1, axis=0) - edge
    turns = before[:, 0] * after[:, 1] != before[:, 1] * after[:, 0]
    return edge[turns]


def run_lengths(mask: NDArray[np.bool_]) -> dict[str, Any]:
    """COCO's uncompressed RLE: lengths of runs down the columns, the first of them outside."""
    flat = mask.ravel(order="F")
    changes = np.flatnonzero(flat[1:] != flat[:-1]) + 1
    counts = np.diff(np.concatenate([[0], changes, [flat.size]])).tolist()
    if flat[0]:
        counts.insert(0, 0)
    return {"counts": counts, "size": list(mask.shape)}
