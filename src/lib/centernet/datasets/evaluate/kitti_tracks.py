"""Which boxes KITTI's tracking benchmark counts, and its text files.

Geiger et al., "Are we ready for Autonomous Driving?", CVPR 2012. A class is compared with its own
objects; boxes that fall to neighbours of the class, to hidden or cut objects, to DontCare regions,
or that are small and fall to nothing, count neither way.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import linear_sum_assignment

from centernet.datasets.evaluate.box_pairs import EPSILON
from centernet.datasets.evaluate.overlaps import Rows
from centernet.runtime.errors import UserError

NEIGHBOURS = {"car": ("van",), "pedestrian": ("person_sitting", "person")}
MOST_OCCLUDED, MOST_TRUNCATED = 2, 0
SMALL = 25  # pixels of height
OVERLAP = 0.5
DONT_CARE = "dontcare"
_FIELDS = 17  # of a line, the type among them; a score may follow


@dataclass(frozen=True)
class KittiTracks:
    """Lines of one label_02 file, sorted by frame."""

    rows: Rows
    names: NDArray[np.str_]  # (N,) types as written
    truncated: NDArray[np.int64]
    occluded: NDArray[np.int64]
    solid: NDArray[np.float64]  # (N, 8) alpha, h w l, x y z, rotation
    score: NDArray[np.float64]  # (N,) 1 where the file has none

    def __len__(self) -> int:
        return len(self.names)

    def select(self, index: Any) -> KittiTracks:
        """The lines of `index` (mask or ascending integers)."""
        return KittiTracks(
            self.rows.select(index),
            self.names[index],
            self.truncated[index],
            self.occluded[index],
            self.solid[index],
            self.score[index],
        )


def read_kitti_tracks(path: Path) -> KittiTracks:
    """frame id type truncated occluded alpha x1 y1 x2 y2 h w l x y z rotation [score].

    Raises UserError with the line that is wrong.
    """
    try:
        lines = path.read_text(encoding="utf-8-sig").splitlines()
    except (OSError, UnicodeDecodeError) as error:
        raise UserError(f"{path}: cannot be read as KITTI tracks ({error})") from None
    names, values = [], []
    for number, line in enumerate(lines, start=1):
        words = line.split()
        if not words:
            continue
        try:
            numbers = [float(word) for word in (*words[:2], *words[3:])]
        except ValueError:
            numbers = []
        if len(words) not in (_FIELDS, _FIELDS + 1) or len(numbers) != len(words) - 1:
            raise UserError(f"{path}, line {number}: not the {_FIELDS} fields of a KITTI track")
        names.append(words[2])
        values.append([*numbers, *[1.0] * (_FIELDS - len(numbers))])
    table = np.array(values, np.float64).reshape(len(names), _FIELDS)
    order = np.argsort(table[:, 0], kind="stable")
    table = table[order]
    return KittiTracks(
        Rows.of(table[:, 0], table[:, 1], table[:, 5:9]),
        np.array(names, np.str_)[order] if names else np.zeros(0, np.str_),
        table[:, 2].astype(np.int64),
        table[:, 3].astype(np.int64),
        np.concatenate([table[:, 4:5], table[:, 9:16]], axis=1),
        table[:, 16],
    )


def countable_kitti(
    truth: KittiTracks, found: KittiTracks, name: str, frames: int
) -> tuple[Rows, Rows]:
    """What counts of class `name` (car or pedestrian) in one video."""
    kinds = np.char.lower(truth.names)
    near = truth.select(np.isin(kinds, (name, *NEIGHBOURS.get(name, ()))))
    regions = truth.rows.select(kinds == DONT_CARE)
    tracks = found.rows.select(np.char.lower(found.names) == name)
    own = np.char.lower(near.names) == name
    hidden = (near.occluded > MOST_OCCLUDED) | (near.truncated > MOST_TRUNCATED)
    keep = np.ones(len(tracks), bool)
    starts = [rows.starts(frames) for rows in (near.rows, tracks, regions)]
    for number in range(frames):
        g, d, r = (slice(s[number], s[number + 1]) for s in starts)
        boxes = tracks.boxes[d]
        row, column = _matches(iou_matrix(near.rows.boxes[g], boxes))
        free = np.ones(len(boxes), bool)
        free[column] = False
        small = boxes[:, 3] - boxes[:, 1] <= SMALL + EPSILON
        within = iou_matrix(boxes, regions.boxes[r], of_first=True) > OVERLAP + EPSILON
        keep[d] = ~(free & (small | within.any(axis=1)))
        keep[d.start + column[(~own | hidden)[g][row]]] = False
    return near.rows.select(own & ~hidden), tracks.select(keep)


def _matches(iou: NDArray[np.float64]) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """The pairs that overlap enough, of the largest sum."""
    if not iou.size:
        return np.zeros(0, np.int64), np.zeros(0, np.int64)
    worth = np.where(iou < OVERLAP - EPSILON, 0, iou)
    row, column = linear_sum_assignment(worth, maximize=True)
    enough = worth[row, column] > EPSILON
    return row[enough], column[enough]


def iou_matrix(
    a: NDArray[np.float64], b: NDArray[np.float64], *, of_first: bool = False
) -> NDArray[np.float64]:
    """(A, B) IoU of boxes x1 y1 x2 y2; `of_first`: the share of a's own area instead."""
    size = np.minimum(a[:, None, 2:], b[None, :, 2:]) - np.maximum(a[:, None, :2], b[None, :, :2])
    common = np.maximum(size, 0).prod(axis=-1)
    area_a, area_b = ((box[:, 2:] - box[:, :2]).prod(axis=1) for box in (a, b))
    whole = area_a[:, None] + (0 if of_first else area_b[None, :] - common)
    whole = np.broadcast_to(whole, common.shape)
    return np.divide(common, whole, out=np.zeros_like(common), where=whole > EPSILON)
