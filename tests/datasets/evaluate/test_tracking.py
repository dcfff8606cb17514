"""HOTA, CLEAR and identity measures beside TrackEval's recorded scores."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from centernet.datasets.evaluate.mot_rules import MotTruth, countable, read_mot, rows_of
from centernet.datasets.evaluate.overlaps import Rows
from centernet.datasets.evaluate.tracking import Scores, metrics, table
from centernet.runtime.errors import UserError
from tests.parity_cases import cases
from tests.real_data import folder

TOLERANCE = {"rtol": 1e-6, "atol": 1e-6}


def _texts(case: Any, name: str) -> tuple[np.ndarray, np.ndarray]:
    if f"{name}.gt" in case.inputs:
        return case.inputs[f"{name}.gt"], case.inputs[f"{name}.tracker"]
    place = folder("mot_eval_fixture") / name
    return read_mot(place / "gt.txt", 7), read_mot(place / "test.txt")


def _scores(case: Any) -> dict[str, Scores]:
    p, found = case.params, {}
    benchmark = p["benchmark"] if p["do_preproc"] else ""
    for name, length in p["sequence_lengths"].items():
        truth, tracks = _texts(case, name)
        rows = countable(MotTruth.of(truth), rows_of(tracks), benchmark, length)
        found[name] = Scores.of(*rows, length)
    return {**found, "ALL": Scores.total(list(found.values()))}


@pytest.mark.parametrize("case", cases("tracking/evaluation/trackeval"))
def test_scores_are_trackevals(case: Any) -> None:
    scores = _scores(case)
    compared = 0
    for name, value in case.outputs.items():
        video, *path = name.split(".")
        if path[0] == "HOTA":
            ours: Any = scores[video].hota.fields()[".".join(path[1:])]
        elif path[0] == "CLEAR":
            ours = scores[video].clear.fields()[path[1]]
        elif path[0] == "Identity":
            ours = scores[video].identity.fields()[path[1]]
        elif path[0] == "Count":
            counts = scores[video].counts
            ours = {
                "Dets": counts.found,
                "GT_Dets": counts.truth,
                "IDs": counts.tracks,
                "GT_IDs": counts.objects,
                "Frames": counts.frames,
            }[path[1]]
        else:
            continue
        np.testing.assert_allclose(ours, value, err_msg=name, **TOLERANCE)
        compared += 1
    assert compared > 60


def _still(frames: int) -> Rows:
    boxes = np.tile([10.0, 10, 30, 50], (frames, 1))
    return Rows.of(np.arange(frames), np.ones(frames), boxes)


def test_what_is_right_has_full_marks() -> None:
    scores = {"one": {"film": Scores.of(_still(9), _still(9), 9)}}
    values = metrics(scores)
    assert values.pop("IDSW") == 0
    assert values == dict.fromkeys(("HOTA", "DetA", "AssA", "MOTA", "IDF1"), 1.0)
    assert "100.000" in table(scores)


def test_nothing_at_all_is_no_division_by_zero() -> None:
    nothing = Rows.of(np.zeros(0), np.zeros(0), np.zeros((0, 4)))
    with np.errstate(all="raise"):
        values = Scores.of(nothing, nothing, 5).metrics()
    assert values["HOTA"] == values["MOTA"] == values["IDF1"] == 0
    assert Scores.of(nothing, _still(5), 5).clear.extras == 5


def test_frames_beyond_the_video_are_named() -> None:
    with pytest.raises(UserError, match="a box in frame 4, but the video has 3"):
        Scores.of(_still(4), _still(3), 3)


def test_an_identity_twice_in_a_frame_is_named() -> None:
    twice = Rows.of(np.zeros(2), np.ones(2), np.tile([0.0, 0, 5, 5], (2, 1)))
    with pytest.raises(UserError, match="result: identity 1 twice in frame 1"):
        Scores.of(_still(1), twice, 1)


@pytest.mark.parametrize(
    ("text", "fault"),
    [
        ("1,1,2,3,4,5\n1,2,3\n", "line 2: '1,2,3' is not 6 finite numbers"),
        ("1,1,2,3,x,5\n", "line 1"),
        ("1,1,2,3,nan,5\n", "line 1"),
        ("1,1,2\n", "3 numbers a line"),
    ],
)
def test_a_line_that_is_wrong_is_named(tmp_path: Any, text: str, fault: str) -> None:
    path = tmp_path / "gt.txt"
    path.write_text(text)
    with pytest.raises(UserError, match=fault):
        read_mot(path)


def test_an_empty_file_has_no_rows(tmp_path: Any) -> None:
    (tmp_path / "det.txt").write_text("\n")
    assert len(read_mot(tmp_path / "det.txt")) == 0
