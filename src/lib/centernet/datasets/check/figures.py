"""What a table of annotations is like, and what is doubtful about it, a line each."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

from centernet.datasets.check.seen import Seen
from centernet.datasets.table import Table

SIDES = (8, 16, 32, 64, 128, 256)  # pixels of the input
SHAPES = (1 / 4, 1 / 2, 1, 2, 4)  # width over height
SHAPE_NAMES = ("1:4", "1:2", "1:1", "2:1", "4:1")
BARS = " .:-=+*#%@"
BEYOND = 1.0  # pixels by which a box may leave its image


def histograms(seen: Seen) -> list[str]:
    """The sizes and the shapes of the objects."""
    if not len(seen.rows):
        return []
    shapes = seen.boxes[:, 2] / np.maximum(seen.boxes[:, 3], 1e-9)
    return [
        "sizes (square root of the area, pixels of the input): "
        + _histogram(seen.sides, SIDES, [str(side) for side in SIDES]),
        "shapes (width : height): " + _histogram(shapes, SHAPES, SHAPE_NAMES),
    ]


def _histogram(values: NDArray[np.float64], edges: Sequence[float], names: Sequence[str]) -> str:
    counts = np.bincount(np.searchsorted(edges, values, side="right"), minlength=len(edges) + 1)
    labels = [f"below {names[0]}", *(f"{a} to {b}" for a, b in pairwise(names)),
              f"{names[-1]} and more"]  # fmt: skip
    most = max(int(counts.max()), 1)
    bars = "".join(BARS[-(-int(n) * (len(BARS) - 1) // most)] for n in counts)
    listed = ", ".join(f"{label} {n}" for label, n in zip(labels, counts, strict=True) if n)
    return f"[{bars}] {listed}"


def doubts_as_seen(table: Table, seen: Seen) -> list[str]:
    """Objects that are too small for the map, and those that share a cell of it."""
    lines, whole = [], len(seen.rows)
    tiny = np.flatnonzero(seen.tiny)
    if len(tiny):
        lines.append(
            f"{len(tiny)} of {whole} objects are narrower or lower than a cell of the map"
            f" ({seen.stride} pixels of the input): too small to be found well; a larger"
            " --input_res or a smaller --down_ratio sees them (such as"
            f" {table.describe(seen.rows[tiny[0]])})"
        )
    keys = np.column_stack([table.image[seen.rows], seen.cells()])
    second = _repeated(keys)
    if len(second):
        lines.append(
            f"{len(second)} of {whole} objects have their centre in the cell of another one: of"
            f" those one size can be learned (such as {table.describe(seen.rows[second[0]])})"
        )
    return lines


def doubts(table: Table) -> list[str]:
    """Annotations that stand there twice, and boxes that leave their images."""
    lines = []
    keys = np.column_stack([table.image, table.classes, np.round(table.boxes * 2).astype(np.int64)])
    second = _repeated(keys)
    if len(second):
        lines.append(
            f"{len(second)} annotations repeat another one (same image, class and box), such as"
            f" {table.describe(int(second[0]))}"
        )
    sizes = table.sizes[table.image][:, ::-1]
    far = table.boxes[:, :2] + table.boxes[:, 2:]
    leaving = (table.boxes[:, :2] < -BEYOND).any(axis=1) | (far > sizes + BEYOND).any(axis=1)
    leaving &= (sizes > 0).all(axis=1)
    if leaving.any():
        first = table.describe(int(np.flatnonzero(leaving)[0]))
        lines.append(f"{int(leaving.sum())} boxes leave their images, such as {first}")
    return lines


def _repeated(keys: NDArray[np.int64]) -> NDArray[np.int64]:
    """The rows of `keys` (N, D) that are equal to an earlier one."""
    order = np.lexsort(keys.T[::-1])  # stable
    same = (keys[order[1:]] == keys[order[:-1]]).all(axis=1)
    return np.sort(order[1:][same])
