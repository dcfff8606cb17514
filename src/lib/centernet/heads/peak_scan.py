"""The best local maxima of heat maps in one pass over them, compiled, for maps on the CPU.

The pass sorts blocks of cells roughly, by their highest. Then the blocks are looked into, the best
first, until the K-th best peak is above all that is left: they are few, and of their cells few
again have neighbours to be looked at. Of maps that are still logits the sigmoid is taken at what
may be among the best and around it, no more.
"""

from __future__ import annotations

import numpy as np
import torch
from numpy.typing import NDArray

from centernet.runtime.jit import njit

# torch.sigmoid takes so many values at once; a rest below that it rounds in another way.
WHOLE = 32

BLOCK = 64  # cells
STREAMS = 4  # parts of a map that are read side by side, which is how memory is fastest
LEVELS, BITS = 4096, 20  # what blocks are sorted by: their highest without so many lower bits
INFINITE = 0x7F800000  # the bits of the float32
LEAST = np.float32(1e-45)  # the smallest number above 0

# Between FLOOR and CAP logits that lie SLACK apart have sigmoids in the same order: those differ
# by more than 3e-6 of themselves then, while float32 rounds by less than 3e-7.
FLOOR, CAP, SLACK = np.float32(-80), np.float32(8), np.float32(0.01)
ROOM = 8  # places that may be in doubt for each peak that is wanted
AT_ONCE = 32768  # torch.sigmoid shares out more cells than that to threads

Found = tuple[NDArray[np.float32], NDArray[np.int64]]
Size = tuple[int, int, int, int]  # B, C, H, W


def scan(heat: NDArray[np.float32], k: int, reach: int = 1) -> Found | None:
    """Scores and places (B, k) of the `k` highest peaks of `heat` (B, C, H, W), best first.

    A peak is above 0, and nothing within `reach` cells of it is higher. A place is
    (c * H + y) * W + x; of equal peaks the lower place comes first. None where some image has no
    more than `k` peaks; where the next one equals the last, so that which of them is taken would
    be a choice; and where there is a NaN. The memory may be ordered as B C H W or as B H W C.
    """
    last = _channels_last(heat)
    cells = np.ascontiguousarray(heat.transpose(0, 2, 3, 1) if last else heat)
    enough, scores, places = _scan_heat(cells.reshape(len(heat), -1), heat.shape, last, reach, k)
    return (scores, places) if enough else None


def scan_logits(logits: NDArray[np.float32], k: int, reach: int = 1) -> Found | None:
    """What `scan` finds in torch.sigmoid(logits), to the last bit, from few sigmoids.

    The sigmoid rounds: it makes equals of neighbours that differ a little, which are both peaks.
    So peaks for certain only say below what there is none of the best; of all that may be one the
    sigmoids decide. None also where too many may be, where logits are too low to tell, and where
    the whole sigmoid would be rounded in two ways: maps with gaps in memory or of odd sizes.
    (With several threads torch itself does so at the ends of their shares.)
    """
    last = _channels_last(logits)
    cells = logits.transpose(0, 2, 3, 1) if last else logits
    if not cells.flags.c_contiguous or cells.size % WHOLE:
        return None
    cells = cells.reshape(len(logits), -1)
    enough, likely, counts, around = _scan_logits(cells, logits.shape, last, reach, k)
    if not enough:
        return None
    for start in range(0, len(around), AT_ONCE):
        torch.from_numpy(around[start : start + AT_ONCE]).sigmoid_()
    enough, scores, places = _best(around, reach, likely, counts, k)
    return (scores, places) if enough else None


def _channels_last(maps: NDArray) -> bool:
    return maps.shape[1] > 1 and maps.strides[1] == maps.itemsize


@njit
def _scan_heat(
    cells: NDArray[np.float32], size: Size, last: bool, reach: int, k: int
) -> tuple[bool, NDArray[np.float32], NDArray[np.int64]]:
    """Scores and places (B, k) in maps (B, cells), and whether all of these peaks are there."""
    bounds = LEAST, np.float32(np.inf), np.float32(0)
    scores, places = _wanted(len(cells), k)
    likely = np.empty((len(cells), 0), np.int64)
    enough, _ = _search(cells, size, last, reach, bounds, scores, places, likely)
    return enough and _no_tie(scores), scores[:, :k], places[:, :k]


@njit
def _scan_logits(
    cells: NDArray[np.float32], size: Size, last: bool, reach: int, k: int
) -> tuple[bool, NDArray[np.int64], NDArray[np.int64], NDArray[np.float32]]:
    """Likely places, how many in each image, and what surrounds them, if that is all there."""
    scores, places = _wanted(len(cells), k)
    likely = np.empty((len(cells), ROOM * (k + 1)), np.int64)
    bounds = FLOOR, CAP, SLACK
    enough, counts = _search(cells, size, last, reach, bounds, scores, places, likely)
    if not enough:
        counts[:] = 0
    return enough, likely, counts, _around(cells, size, last, reach, likely, counts)


@njit
def _wanted(images: int, k: int) -> tuple[NDArray[np.float32], NDArray[np.int64]]:
    """Room for scores and places of one peak more than `k`, which shows whether it is as high."""
    return np.empty((images, k + 1), np.float32), np.empty((images, k + 1), np.int64)


@njit
def _no_tie(scores: NDArray[np.float32]) -> bool:
    """Whether in no image the last two are equal."""
    ties = 0
    for row in scores:
        ties += len(row) > 1 and row[-1] == row[-2]
    return ties == 0


@njit
def _search(
    cells: NDArray[np.float32],
    size: Size,
    last: bool,
    reach: int,
    bounds: tuple[float, float, float],
    scores: NDArray[np.float32],
    places: NDArray[np.int64],
    likely: NDArray[np.int64],
) -> tuple[bool, NDArray[np.int64]]:
    """Fill `scores` and `places`, best first, with peaks for certain; whether there are enough.

    Of the `bounds` nothing below the first is looked at, nothing above the second told apart, and
    what differs by less than the third is in doubt. `likely` gets, in no order, the places that
    are peaks for certain or in doubt and may be among the best; their number in each image (B,) is
    returned. If `likely` has room for any but not for all, or if something is NaN, it is as if
    there were not enough.
    """
    _, channels, height, width = size
    area, wanted, room = height * width, scores.shape[1], likely.shape[1]
    step, stride = (channels, 1) if last else (1, area)  # to the next pixel, to the next channel
    counts = np.zeros(len(cells), np.int64)
    first_of = np.empty(LEVELS, np.int32)
    next_of = np.empty((cells.shape[1] + BLOCK - 1) // BLOCK, np.int32)
    least, cap, slack = bounds
    for image in range(len(cells)):
        heat, found, least, level = cells[image], 0, bounds[0], LEVELS
        if not _sort_blocks(heat.view(np.int32), first_of, next_of):
            return False, counts
        block = -1
        while block >= 0 or level > _level(least):
            if block < 0:
                level -= 1
                block = first_of[level]
                continue
            for i in range(block * BLOCK, min((block + 1) * BLOCK, len(heat))):
                if heat[i] < least:
                    continue
                c = i % channels if last else i // area
                pixel = i // channels if last else i - c * area
                value, place = min(heat[i], cap), c * area + pixel
                others = _highest_other(heat, c * stride, step, pixel, (height, width), reach)
                others = min(others, cap)
                if others <= value - slack:
                    found = _insert(scores[image], places[image], found, value, place)
                    if found == wanted:
                        least = scores[image, wanted - 1] - slack
                if room > 0 and others <= value + slack:
                    if counts[image] == room:
                        return False, counts
                    likely[image, counts[image]] = place
                    counts[image] += 1
            block = next_of[block]
        if found < wanted:
            return False, counts
    return True, counts


@njit
def _sort_blocks(
    bits: NDArray[np.int32], first_of: NDArray[np.int32], next_of: NDArray[np.int32]
) -> bool:
    """Chain the blocks of cells, given as the bits of float32, by the level of their highest.

    `first_of` a level is a block, `next_of` a block another one of its level; -1 ends the chain.
    False if any cell is NaN.
    """
    first_of[:] = -1
    lowest, highest = np.int32(0), np.int32(0)
    part = (len(next_of) + STREAMS - 1) // STREAMS
    for number in range(part):
        for block in range(number, len(next_of), part):
            cells = bits[block * BLOCK : (block + 1) * BLOCK]
            low, high = _range(cells, BLOCK) if len(cells) == BLOCK else _range(cells, len(cells))
            lowest, highest = min(lowest, low), max(highest, high)
            level = (high >> BITS) + LEVELS // 2
            next_of[block] = first_of[level]
            first_of[level] = block
    return lowest >= -INFINITE - 1 and highest <= INFINITE


@njit
def _range(bits: NDArray[np.int32], count: int) -> tuple[int, int]:
    """The lowest and the highest of `count`, `_ordered`.

    Whole numbers are compiled to vectors, where the count is a constant.
    """
    lowest, highest = np.int32(2**31 - 1), np.int32(-(2**31))
    for i in range(count):
        lowest, highest = min(lowest, _ordered(bits[i])), max(highest, _ordered(bits[i]))
    return lowest, highest


@njit
def _level(value: float) -> int:
    """The level of a float32."""
    return (_ordered(np.float32(value).view(np.int32)) >> BITS) + LEVELS // 2


@njit
def _ordered(bits: int) -> int:
    """The bits of a float32 as a whole number that grows with it."""
    return np.int32(bits ^ ((bits >> 31) & 0x7FFFFFFF))


@njit
def _highest_other(
    heat: NDArray[np.float32],
    first: int,
    step: int,
    pixel: int,
    size: tuple[int, int],
    reach: int,
) -> float:
    """The highest within `reach` of `pixel`, itself left out.

    `first` is where its channel begins, `step` the way from one pixel to the next.
    """
    height, width = size
    y, x = pixel // width, pixel % width
    highest = np.float32(-np.inf)
    for v in range(max(y - reach, 0), min(y + reach + 1, height)):
        for u in range(max(x - reach, 0), min(x + reach + 1, width)):
            if v != y or u != x:
                highest = max(highest, heat[first + (v * width + u) * step])
    return highest


@njit
def _around(
    cells: NDArray[np.float32],
    size: Size,
    last: bool,
    reach: int,
    likely: NDArray[np.int64],
    counts: NDArray[np.int64],
) -> NDArray[np.float32]:
    """What surrounds the likely places, (2 reach + 1)^2 cells each; -inf is off the map.

    There is more of it behind, so that the number of cells is a multiple of WHOLE.
    """
    _, channels, height, width = size
    area, side = height * width, 2 * reach + 1
    step, stride = (channels, 1) if last else (1, area)
    total = counts.sum() * side * side
    around = np.full((total + WHOLE - 1) // WHOLE * WHOLE, -np.inf, np.float32)
    row = 0
    for image in range(len(cells)):
        for place in likely[image, : counts[image]]:
            c, pixel = place // area, place % area
            y, x = pixel // width, pixel % width
            for v in range(max(y - reach, 0), min(y + reach + 1, height)):
                for u in range(max(x - reach, 0), min(x + reach + 1, width)):
                    tap = (v - y + reach) * side + u - x + reach
                    around[row + tap] = cells[image, c * stride + (v * width + u) * step]
            row += side * side
    return around


@njit
def _best(
    around: NDArray[np.float32],
    reach: int,
    likely: NDArray[np.int64],
    counts: NDArray[np.int64],
    k: int,
) -> tuple[bool, NDArray[np.float32], NDArray[np.int64]]:
    """As `_scan_heat`, of the `likely` places those that are the highest `around`."""
    scores, places = _wanted(len(counts), k)
    row, taps = 0, (2 * reach + 1) ** 2
    for image in range(len(counts)):
        found = 0
        for place in likely[image, : counts[image]]:
            score = around[row + taps // 2]
            if around[row : row + taps].max() == score:
                found = _insert(scores[image], places[image], found, score, place)
            row += taps
        if found <= k:
            return False, scores, places
    return _no_tie(scores), scores[:, :k], places[:, :k]


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
