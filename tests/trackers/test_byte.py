"""ByteTrack and FairMOT's cascade, beside recorded sequences."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from centernet.structures.detections import Detections
from centernet.trackers.byte import ByteRule, ByteTracker
from centernet.trackers.reid import ReidRule, ReidTracker
from centernet.trackers.roster import Roster, Track, boxes_of
from centernet.trackers.shaped import Shaped
from tests.parity_cases import cases


def _rows(frame: int, tracks: list[Track]) -> list[list[float]]:
    rows = []
    for track, (x1, y1, x2, y2) in zip(tracks, boxes_of(tracks), strict=True):
        rows.append(
            [
                *(frame, track.identity, int(track.state), track.confirmed, track.score),
                *(x1, y1, x2 - x1, y2 - y1, track.first, track.last, track.length),
            ]
        )
    return rows


class Record:
    """What the recorded arrays hold of a sequence."""

    def __init__(self) -> None:
        self.active: list[list[float]] = []
        self.lost: list[list[float]] = []
        self.removed: list[list[int]] = []
        self.smooth: list[np.ndarray] = []

    def add(self, frame: int, tracks: list[Track], roster: Roster) -> None:
        self.active += _rows(frame, tracks)
        self.lost += _rows(frame, roster.lost)
        self.removed += [[frame, identity] for identity in roster.removed]
        self.smooth += [track.feature for track in tracks if track.feature is not None]

    def compare(self, out: dict[str, np.ndarray], boxes: float) -> None:
        for name, rows in (("active", self.active), ("lost", self.lost)):
            ours, recorded = np.array(rows).reshape(-1, 12), out[name]
            assert len(ours) == len(recorded), name
            exact = [0, 1, 2, 3, 9, 10, 11]
            np.testing.assert_array_equal(ours[:, exact], recorded[:, exact])
            np.testing.assert_allclose(ours[:, 4], recorded[:, 4], rtol=1e-6, atol=1e-6)
            np.testing.assert_allclose(ours[:, 5:9], recorded[:, 5:9], atol=boxes)
        np.testing.assert_array_equal(np.array(self.removed).reshape(-1, 2), out["removed"])
        if "smooth" in out:
            np.testing.assert_allclose(np.stack(self.smooth), out["smooth"], atol=1e-5)


def _sequences(case: Any) -> bool:
    return "dets" in case.inputs


def _byte(case: Any, **changes: Any) -> tuple[ByteTracker, Record]:
    p, dets = case.params, case.inputs["dets"]
    height, width = p["img_info_hw"]
    scale = min(p["img_size_hw"][0] / height, p["img_size_hw"][1] / width)
    rule = {
        "track_thresh": p["track_thresh"],
        "match_thresh": p["match_thresh"],
        "fuse_score": not p["mot20"],
        "inclusive": False,
        "track_buffer": p["track_buffer"],
        "frame_rate": p["frame_rate"],
        "resurrect": True,
    }
    tracker, record = ByteTracker(ByteRule(**{**rule, **changes})), Record()
    for frame in range(1, p["frames"] + 1):
        rows = dets[dets[:, 0] == frame]
        record.add(frame, tracker.step(rows[:, 1:5] / scale, rows[:, 5]), tracker.roster)
    return tracker, record


@pytest.mark.parametrize("case", cases("tracking/bytetrack/tracker", where=_sequences))
def test_byte_is_the_recorded_one(case: Any) -> None:
    _byte(case)[1].compare(case.outputs, boxes=1e-4)


@pytest.mark.parametrize("case", cases("tracking/bytetrack/tracker", where=_sequences))
def test_nothing_removed_comes_back_by_default(case: Any) -> None:
    _, record = _byte(case, resurrect=False)
    gone: dict[int, int] = {}
    for frame, identity in record.removed:
        assert identity not in gone
        gone[identity] = frame
    for frame, identity, *_ in record.active + record.lost:
        assert frame < gone.get(int(identity), 10**9)


@pytest.mark.parametrize("case", cases("tracking/bytetrack/centertrack_variant"))
def test_byte_on_centertrack_is_the_recorded_one(case: Any) -> None:
    p, dets = case.params, case.inputs["dets"]
    tracker = ByteTracker(
        ByteRule(
            track_thresh=p["track_thresh"],
            low_thresh=p["out_thresh"],
            new_thresh=p["new_thresh"],
            match_thresh=p["match_thresh"],
            fuse_score=False,
            track_buffer=p["track_buffer"],
            resurrect=True,
        )
    )
    rows = []
    for frame in range(1, int(dets[:, 0].max()) + 1):
        found = dets[dets[:, 0] == frame]
        tracks = tracker.step(found[:, 2:6], found[:, 1])
        for track, box in zip(tracks, boxes_of(tracks), strict=True):
            centre = (box[:2] + box[2:]) / 2
            rows.append([frame, track.identity, track.score, *box, *centre])
    recorded = case.outputs["tracks"]
    assert len(rows) == len(recorded)
    np.testing.assert_array_equal(np.array(rows)[:, :2], recorded[:, :2])
    np.testing.assert_allclose(np.array(rows), recorded, rtol=1e-5, atol=1e-4)


@pytest.mark.parametrize("case", cases("tracking/fairmot/tracker", where=_sequences))
def test_reid_is_the_recorded_one(case: Any) -> None:
    p, dets, looks = case.params, case.inputs["dets"], case.inputs["embeddings"]
    rule = ReidRule(
        conf_thres=p["conf_thres"],
        most=p["K"],
        track_buffer=p["track_buffer"],
        frame_rate=p["frame_rate"],
        resurrect=True,
    )
    tracker, record = ReidTracker(rule), Record()
    for frame in range(1, p["frames"] + 1):
        here = dets[:, 0] == frame
        tracks = tracker.step(dets[here, 1:5], dets[here, 5], looks[here])
        record.add(frame, tracks, tracker.roster)
    record.compare(case.outputs, boxes=1e-3)


@pytest.mark.parametrize("case", cases("tracking/fairmot/tracker", where=_sequences))
def test_reid_writes_the_recorded_lines(case: Any) -> None:
    p, dets, looks = case.params, case.inputs["dets"], case.inputs["embeddings"]
    rule = ReidRule(
        conf_thres=p["conf_thres"],
        most=p["K"],
        track_buffer=p["track_buffer"],
        frame_rate=p["frame_rate"],
        resurrect=True,
    )
    tracker = Shaped(ReidTracker(rule), 100, 1.6)
    rows = []
    for frame in range(1, p["frames"] + 1):
        here = dets[:, 0] == frame
        found = Detections(
            dets[here, 1:5],
            dets[here, 5],
            np.zeros(here.sum()),
            columns={"embeddings": looks[here]},
        )
        tracked = tracker.update(found)
        assert tracked.identities is not None
        for identity, (x1, y1, x2, y2) in zip(tracked.identities, tracked.boxes, strict=True):
            rows.append([frame, identity, x1, y1, x2 - x1, y2 - y1])
    assert len(rows) == p["mot_text_lines"]
    recorded = [list(map(float, line.split(",")))[:6] for line in p["mot_text_first_lines"]]
    np.testing.assert_allclose(rows[: len(recorded)], recorded, atol=1e-3)
