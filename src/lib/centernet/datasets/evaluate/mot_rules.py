"""Which boxes MOTChallenge counts: distractors, ignored objects, and its text files.

Milan et al., "MOT16: A Benchmark for Multi-Object Tracking", 2016; Dendorfer et al., "MOT20", 2020.
"""

from __future__ import annotations

import io
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from centernet.datasets.evaluate.box_pairs import EPSILON, Ints
from centernet.datasets.evaluate.overlaps import Rows, best_pairs, overlaps
from centernet.runtime.errors import UserError

PEDESTRIAN = 1
OVERLAP = 0.5  # by which a box is a distractor's

# Person on vehicle, static person, distractor, reflection; MOT20 adds non-motorised vehicles.
DISTRACTORS = {
    "MOT15": (),
    "MOT16": (2, 7, 8, 12),
    "MOT17": (2, 7, 8, 12),
    "MOT20": (2, 6, 7, 8, 12),
}


@dataclass(frozen=True)
class MotTruth:
    """A gt.txt: boxes with the flag that makes them count and their class."""

    rows: Rows
    flag: Ints  # (N,) 0 = ignored
    kind: Ints  # (N,) class, 1 = pedestrian

    @classmethod
    def of(cls, table: NDArray[Any]) -> MotTruth:
        """From rows frame (from 1), id, left, top, width, height, flag, class, ..."""
        table = table[np.argsort(table[:, 0], kind="stable")] if len(table) else table
        kind = table[:, 7] if table.shape[1] > 7 else np.full(len(table), PEDESTRIAN)
        return cls(rows_of(table), table[:, 6].astype(np.int64), kind.astype(np.int64))


def rows_of(table: NDArray[Any]) -> Rows:
    """Boxes of a MOT text: frame (from 1), id, left, top, width, height, ..."""
    boxes = table[:, 2:6].astype(np.float64)
    boxes[:, 2:] += boxes[:, :2]
    return Rows.of(table[:, 0] - 1, table[:, 1], boxes)


def countable(truth: MotTruth, found: Rows, benchmark: str, frames: int) -> tuple[Rows, Rows]:
    """What counts of one video by the rules of `benchmark` ("" has none but the flag).

    Found boxes that fall to a distractor go, then all truth that is flagged 0 or no pedestrian.
    """
    distractors = DISTRACTORS.get(benchmark, ())
    keep = truth.flag != 0
    if not distractors:
        return truth.rows.select(keep), found
    falls = np.zeros(len(found), bool)
    is_distractor = np.isin(truth.kind, distractors)
    near = overlaps(truth.rows, found, frames).from_overlap(OVERLAP - EPSILON)
    for frame in near:
        if is_distractor[near.row[frame.pairs]].any():
            chosen = frame.pairs.start + best_pairs(frame, near.iou[frame.pairs])
            falls[near.column[chosen[is_distractor[near.row[chosen]]]]] = True
    return truth.rows.select(keep & (truth.kind == PEDESTRIAN)), found.select(~falls)


def read_mot(path: Path, columns: int = 6) -> NDArray[np.float64]:
    """(N, C) numbers of a gt.txt, det.txt or result file; C is at least `columns`.

    Raises UserError with the line that is wrong.
    """
    try:
        text = path.read_text(encoding="utf-8-sig")
    except OSError as error:
        raise UserError(f"{path}: {error.strerror}") from None
    except UnicodeDecodeError:
        raise UserError(f"{path}: not a text file") from None
    if not text.strip():
        return np.zeros((0, max(columns, 10)))
    try:
        delimiter = "," if "," in text else None
        table = np.loadtxt(io.StringIO(text), delimiter=delimiter, comments=None, ndmin=2)
    except ValueError:
        raise UserError(_first_fault(path, text.splitlines())) from None
    if table.shape[1] < columns:
        raise UserError(
            f"{path}: {table.shape[1]} numbers a line, at least {columns} are needed "
            "(frame,id,left,top,width,height,...)"
        )
    if not np.isfinite(table[:, :columns]).all():
        raise UserError(_first_fault(path, text.splitlines()))
    return table


def _first_fault(path: Path, lines: Sequence[str]) -> str:
    width = None
    for number, line in enumerate(lines, start=1):
        parts = line.replace(",", " ").split()
        if not parts:
            continue
        width = width or len(parts)
        try:
            fine = len(parts) == width and bool(np.isfinite(list(map(float, parts))).all())
        except ValueError:
            fine = False
        if not fine:
            return f"{path}, line {number}: '{line[:60]}' is not {width} finite numbers"
    return f"{path}: numbers expected"
