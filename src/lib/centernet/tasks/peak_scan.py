"""The best local maxima of heat maps in one pass over them, compiled, for maps on the CPU.

A cell is looked at only if it beats the K-th best peak so far, which soon few cells do; and only
then are its neighbours. The maps are read once, in the order in which they lie in memory.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from centernet.jit import njit

BLOCK = 64  # cells that are compared with the K-th best at once
LEAST = np.float32(1e-45)  # the smallest number above 0


def scan(
    heat: NDArray[np.float32], k: int, reach: int = 1
) -> tuple[NDArray[np.float32], NDArray[np.int64]] | None:
    """Scores and places (B, k) of the `k` highest peaks of `heat` (B, C, H, W), best first.

    A peak is above 0, and nothing within `reach` cells of it is higher. A place is
    (c * H + y) * W + x; of equal peaks the lower place comes first. None where some image has
    fewer than `k` peaks or where the next one equals the last, so that which of them is taken
    would be a choice. The memory may be ordered as B C H W or as B H W C; no NaN.
    """
    batch, channels, height, width = heat.shape
    scores = np.empty((batch, k + 1), np.float32)  # one more, to see whether it is as high
    places = np.empty((batch, k + 1), np.int64)
    last = channels > 1 and heat.strides[1] == heat.itemsize
    flat = np.ascontiguousarray(heat.transpose(0, 2, 3, 1) if last else heat).reshape(batch, -1)
    for image in range(batch):
        size = (channels, height, width)
        found = _scan(flat[image], size, last, reach, scores[image], places[image])
        if found < k or (found > k and scores[image, k] == scores[image, k - 1]):
            return None
    return scores[:, :k], places[:, :k]


@njit
def _scan(
    heat: NDArray[np.float32],
    size: tuple[int, int, int],
    last: bool,
    reach: int,
    scores: NDArray[np.float32],
    places: NDArray[np.int64],
) -> int:
    """Fill `scores` and `places`, best first, from one image; return how many there are."""
    channels, height, width = size
    area, k = height * width, len(scores)
    step, stride = (channels, 1) if last else (1, area)  # to the next pixel, to the next channel
    found, least = 0, LEAST
    for start in range(0, len(heat), BLOCK):
        block = heat[start : start + BLOCK]
        if len(block) == BLOCK and not _any_from(block, least):
            continue
        for i in range(start, start + len(block)):
            value = heat[i]
            if value < least:
                continue
            c = i % channels if last else i // area
            pixel = i // channels if last else i - c * area
            y, x = pixel // width, pixel % width
            highest = value
            for v in range(max(y - reach, 0), min(y + reach + 1, height)):
                for u in range(max(x - reach, 0), min(x + reach + 1, width)):
                    highest = max(highest, heat[c * stride + (v * width + u) * step])
            if highest == value:
                found = _insert(scores, places, found, value, c * area + pixel)
                if found == k:
                    least = scores[k - 1]
    return found


@njit
def _any_from(block: NDArray[np.float32], least: float) -> bool:
    """Whether any of BLOCK values is at least `least`; in a form that is compiled to vectors."""
    found = np.uint8(0)
    for i in range(BLOCK):
        found |= np.uint8(block[i] >= least)
    return found > 0


@njit
def _insert(
    scores: NDArray[np.float32], places: NDArray[np.int64], count: int, score: float, place: int
) -> int:
    """Put a peak into the first `count` of `scores`, where it belongs; return the new count.

    What does not fit any more is dropped, the new one if it is the worst.
    """
    row = min(count, len(scores) - 1)
    if count == len(scores) and not _before(score, place, scores[row], places[row]):
        return count
    while row > 0 and _before(score, place, scores[row - 1], places[row - 1]):
        scores[row], places[row] = scores[row - 1], places[row - 1]
        row -= 1
    scores[row], places[row] = score, place
    return min(count + 1, len(scores))


@njit
def _before(score: float, place: int, other: float, other_place: int) -> bool:
    return score > other or (score == other and place < other_place)
