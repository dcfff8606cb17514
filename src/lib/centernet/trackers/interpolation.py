"""Filling the gaps of finished tracks with straight lines, as ByteTrack does for its results."""

from __future__ import annotations

from itertools import pairwise
from typing import Any

import numpy as np
from numpy.typing import NDArray


def fill_gaps(rows: NDArray[Any], *, longest: int = 20, least: int = 5) -> NDArray[np.float64]:
    """Rows frame, id, left, top, width, height, score, ... with those that a line gives.

    A gap of fewer than `longest` frames between two boxes of a track is filled where the track has
    more than `least` rows. What is filled in has score 1 and -1 in further columns. The result is
    sorted by frame; in a frame the tracks stand in the order of their ids.
    """
    rows = np.asarray(rows, np.float64)
    parts = [rows[:0]]
    for identity in np.unique(rows[:, 1]):
        track = rows[rows[:, 1] == identity]
        track = track[np.argsort(track[:, 0], kind="stable")]
        parts.append(track)
        if len(track) > least:
            ends = pairwise(track)
            parts += [_line(a, b) for a, b in ends if 1 < b[0] - a[0] < longest]
    filled = np.concatenate(parts)
    return filled[np.lexsort((filled[:, 1], filled[:, 0]))]


def _line(first: NDArray[np.float64], last: NDArray[np.float64]) -> NDArray[np.float64]:
    """The rows of the frames between two rows of a track."""
    frames = np.arange(first[0] + 1, last[0])
    share = (frames - first[0]) / (last[0] - first[0])
    rows = np.full((len(frames), len(first)), -1.0)
    rows[:, 0], rows[:, 1], rows[:, 6] = frames, first[1], 1
    rows[:, 2:6] = first[2:6] + share[:, None] * (last[2:6] - first[2:6])
    return rows
