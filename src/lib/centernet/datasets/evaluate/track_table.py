"""HOTA, MOTA and IDF1 of tracks on any table that has videos and identities."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from centernet.datasets.evaluate.evaluation import Evaluation
from centernet.datasets.evaluate.overlaps import Rows
from centernet.datasets.evaluate.tracking import METRICS, Scores, table
from centernet.datasets.source import Info
from centernet.datasets.table import Table
from centernet.io.files import write_text

if TYPE_CHECKING:
    from centernet.structures.detections import Detections

RESULTS = "results.json"


def is_tracked(truth: Table, results: Mapping[int | str, Detections]) -> bool:
    """Whether both sides have identities over time."""
    known = truth.videos is not None and truth.identities is not None
    return known and any(found.identities is not None for found in results.values())


def write_tracks(folder: Path, results: Mapping[int | str, Detections]) -> Path:
    """Write `results.json`: rows image_id, track_id, class, bbox (x y width height), score."""
    rows = []
    for image_id, found in results.items():
        identities = [] if found.identities is None else found.identities.tolist()
        for row, identity in enumerate(identities):
            x1, y1, x2, y2 = found.boxes[row].tolist()
            box = [round(value, 2) for value in (x1, y1, x2 - x1, y2 - y1)]
            score = round(float(found.scores[row]), 4)
            kind = found.class_name(int(found.classes[row]))
            entry = {"image_id": image_id, "track_id": identity, "class": kind}
            rows.append(entry | {"bbox": box, "score": score})
    return write_text(Path(folder) / RESULTS, json.dumps(rows) + "\n")


def evaluate_tracks(
    truth: Table, info: Info, results: Mapping[int | str, Detections], folder: Path
) -> Evaluation:
    """Each class by itself, in each video; all of them together are what a run is evaluated by.

    Crowds and objects without identity (below 0) do not count, and nothing that falls to them is
    forgiven: the benchmarks' own rules are those of their data sets.
    """
    assert truth.videos is not None
    assert truth.identities is not None
    write_tracks(folder, results)
    by_class: dict[str, dict[str, Scores]] = {}
    frames_of = {
        name: np.array(frames, np.int64)
        for name, frames in zip(truth.videos.names, truth.videos.sequences, strict=True)
        if frames
    }
    for index, name in enumerate(info.class_names):
        counted = (truth.classes == index) & ~truth.crowd & (truth.identities >= 0)
        by_class[name] = {
            video: Scores.of(
                _truth_rows(truth, frames, counted),
                _found_rows(truth, frames, index, results),
                len(frames),
            )
            for video, frames in frames_of.items()
        }
    present = {n: v for n, v in by_class.items() if any(s.counts.truth for s in v.values())}
    totals = {n: Scores.total(list(v.values())).metrics() for n, v in present.items()}
    every = [score for videos in by_class.values() for score in videos.values()]
    values = Scores.total(every).metrics()
    return Evaluation(
        {"MOTA": values["MOTA"], **{name: values[name] for name in METRICS}},
        per_class={n: {m: each[m] for m in METRICS} for n, each in totals.items()},
        table=table(present or by_class),
    )


def _truth_rows(truth: Table, frames: NDArray[np.int64], counted: NDArray[np.bool_]) -> Rows:
    place = np.full(len(truth), -1)
    place[frames] = np.arange(len(frames))
    rows = np.flatnonzero(counted & (place[truth.image] >= 0))
    boxes = truth.boxes[rows].copy()
    boxes[:, 2:] += boxes[:, :2]
    assert truth.identities is not None
    return Rows.of(place[truth.image[rows]], truth.identities[rows], boxes)


def _found_rows(
    truth: Table,
    frames: NDArray[np.int64],
    index: int,
    results: Mapping[int | str, Detections],
) -> Rows:
    frame, identity, boxes = [np.zeros(0)], [np.zeros(0)], [np.zeros((0, 4))]
    for number, image in enumerate(frames.tolist()):
        found = results.get(truth.image_ids[image])
        if found is None or found.identities is None:
            continue
        own = found.classes == index
        frame.append(np.full(int(own.sum()), number))
        identity.append(found.identities[own])
        boxes.append(found.boxes[own])
    return Rows.of(*(np.concatenate(parts) for parts in (frame, identity, boxes)))
