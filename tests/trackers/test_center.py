"""CenterTrack's tracker and its ByteTrack variant by displacement, beside recorded sequences."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from centernet.trackers.center import CenterRule, CenterTracker
from centernet.trackers.offset import OffsetByteTracker, OffsetRule
from centernet.trackers.points import Points, PointTrack
from tests.parity_cases import cases

# frame, score, class, ct_x, ct_y, tracking_x, tracking_y, x1, y1, x2, y2
SCORE, CLASS, CENTRE, SHIFT, BOX = 1, 2, slice(3, 5), slice(5, 7), slice(7, 11)


def _points(dets: np.ndarray) -> Points:
    return Points.with_displacement(
        dets[:, SCORE], dets[:, CLASS], dets[:, CENTRE], dets[:, SHIFT], dets[:, BOX]
    )


def _row(frame: int, track: PointTrack) -> list[float]:
    return [
        *(frame, track.identity, track.age, track.active, track.klass, track.score),
        *track.centre,
        *track.box,
        track.row,
    ]


def _compare(tracks: list[list[float]], recorded: np.ndarray) -> None:
    ours = np.array(tracks).reshape(-1, 13)
    assert len(ours) == len(recorded)
    exact = [0, 1, 2, 3, 4, 12]
    np.testing.assert_array_equal(ours[:, exact], recorded[:, exact])
    np.testing.assert_allclose(ours, recorded, rtol=1e-6, atol=1e-4)


def _sequences(case: Any) -> bool:
    return not case.name.startswith("greedy_assignment")


@pytest.mark.parametrize("case", cases("tracking/centertrack/tracker", where=_sequences))
def test_center_is_the_recorded_one(case: Any) -> None:
    p, dets = case.params, case.inputs["dets"]
    rule = CenterRule(new_thresh=p["new_thresh"], max_age=p["max_age"], hungarian=p["hungarian"])
    tracker = CenterTracker(rule)
    if "pre" in case.inputs:  # score, class, x1, y1, x2, y2
        pre = case.inputs["pre"]
        tracker.begin(pre[:, 2:6], pre[:, 0], pre[:, 1])
    rows: list[list[float]] = []
    for frame in range(1, p["frames"] + 1):
        public = None
        if p["public_det"]:
            boxes = case.inputs["pub"][case.inputs["pub"][:, 0] == frame, 3:7]
            public = (boxes[:, :2] + boxes[:, 2:]) / 2
        tracks = tracker.step(_points(dets[dets[:, 0] == frame]), public)
        rows += [_row(frame, track) for track in tracks]
    _compare(rows, case.outputs["tracks"])


@pytest.mark.parametrize("case", cases("tracking/bytetrack/centertrack_motion"))
def test_byte_by_displacement_is_the_recorded_one(case: Any) -> None:
    p, dets = case.params, case.inputs["dets"]
    tracker = OffsetByteTracker(
        OffsetRule(p["out_thresh"], p["track_thresh"], p["new_thresh"], p["max_age"])
    )
    rows: list[list[float]] = []
    for frame in range(1, p["frames"] + 1):
        tracks = tracker.step(_points(dets[dets[:, 0] == frame]))
        rows += [_row(frame, track) for track in tracks]
    _compare(rows, case.outputs["tracks"])


def test_reset_counts_from_one_again() -> None:
    points = _points(np.array([[1, 0.9, 1, 5, 5, 0, 0, 0, 0, 10, 10.0]]))
    tracker = CenterTracker()
    assert [t.identity for t in tracker.step(points)] == [1]
    tracker.reset()
    assert [t.identity for t in tracker.step(points)] == [1]
