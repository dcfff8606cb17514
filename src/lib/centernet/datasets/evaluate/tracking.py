"""Scores of tracking: HOTA, CLEAR and identity measures of each video, each class and all."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from centernet.datasets.evaluate.clear import Clear, Identity, clear, identity
from centernet.datasets.evaluate.hota import Hota, hota
from centernet.datasets.evaluate.overlaps import Rows, overlaps
from centernet.runtime.errors import UserError

METRICS = ("HOTA", "DetA", "AssA", "MOTA", "IDF1", "IDSW")
_SHOWN = (*METRICS[:5], "MOTP", "IDSW", "MT", "ML", "CLR_FP", "CLR_FN", "Frag")
_COUNTS = frozenset({"IDSW", "MT", "ML", "CLR_FP", "CLR_FN", "Frag"})
ALL = "all"


@dataclass(frozen=True)
class Counts:
    """How much there is."""

    found: int  # boxes
    truth: int
    tracks: int  # identities
    objects: int
    frames: int


@dataclass(frozen=True)
class Scores:
    """The measures of one video, one class or all of them together."""

    hota: Hota
    clear: Clear
    identity: Identity
    counts: Counts

    @classmethod
    def of(cls, truth: Rows, found: Rows, frames: int) -> Scores:
        """Of one video with `frames` frames; all rows count."""
        for name, rows in (("ground truth", truth), ("result", found)):
            beyond = (rows.frame < 0) | (rows.frame >= frames)
            if beyond.any():
                first = int(rows.frame[beyond][0]) + 1
                raise UserError(f"{name}: a box in frame {first}, but the video has {frames}")
            key = np.stack([rows.frame, rows.identity], axis=1)
            if len(np.unique(key, axis=0)) < len(key):
                values, count = np.unique(key, axis=0, return_counts=True)
                frame, twice = values[count > 1][0].tolist()
                raise UserError(f"{name}: identity {twice} twice in frame {frame + 1}")
        seen = overlaps(truth, found, frames)
        objects, tracks = seen.identities
        counts = Counts(len(found), len(truth), tracks, objects, frames)
        return cls(hota(seen), clear(seen), identity(seen), counts)

    @staticmethod
    def total(parts: Sequence[Scores]) -> Scores:
        """Of several videos, or classes, as if they were one: boxes count alike."""
        names = Counts.__dataclass_fields__
        return Scores(
            Hota.total([part.hota for part in parts]),
            Clear.total([part.clear for part in parts]),
            Identity.total([part.identity for part in parts]),
            Counts(*(sum(getattr(part.counts, name) for part in parts) for name in names)),
        )

    def metrics(self) -> dict[str, float]:
        """Every figure by its usual name, HOTA's as the mean over the overlaps; in [0, 1]."""
        means = {name: float(np.mean(value)) for name, value in self.hota.fields().items()}
        return {**means, **self.clear.fields(), **self.identity.fields()}


def metrics(by_class: Mapping[str, Mapping[str, Scores]]) -> dict[str, float]:
    """HOTA, DetA, AssA, MOTA, IDF1 and IDSW over all classes and videos."""
    total = Scores.total([score for videos in by_class.values() for score in videos.values()])
    values = total.metrics()
    return {name: values[name] for name in METRICS}


def table(by_class: Mapping[str, Mapping[str, Scores]]) -> str:
    """The printed table: per cent and counts, a row a video, then all of them; class by class."""
    lines = []
    for name, videos in by_class.items():
        rows = dict(videos)
        if len(videos) != 1:
            rows[ALL] = Scores.total(list(videos.values()))
        lines += _lines(name, rows)
    if len(by_class) > 1:
        total = Scores.total([score for videos in by_class.values() for score in videos.values()])
        lines += _lines("all classes", {ALL: total})
    return "\n".join(lines)


def _lines(title: str, rows: Mapping[str, Scores]) -> list[str]:
    width = max(len(title), *map(len, rows))
    lines = [" ".join([f"{title:<{width}}", *(f"{name:>7}" for name in _SHOWN)])]
    for name, scores in rows.items():
        values = scores.metrics()
        shown = [
            f"{values[key]:7.0f}" if key in _COUNTS else f"{100 * values[key]:7.3f}"
            for key in _SHOWN
        ]
        lines.append(" ".join([f"{name:<{width}}", *shown]))
    return lines
