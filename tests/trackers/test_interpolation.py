"""Filling the gaps of tracks, beside ByteTrack's recorded results."""

from __future__ import annotations

import runpy
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from centernet.datasets.evaluate.mot_rules import read_mot
from centernet.trackers.interpolation import fill_gaps
from tests.parity_cases import PROJECT, cases

TOOL = PROJECT / "src" / "tools" / "fill_gaps.py"


@pytest.mark.parametrize("case", cases("tracking/bytetrack/interpolation"))
def test_gaps_are_filled_as_recorded(case: Any) -> None:
    p = case.params
    filled = fill_gaps(case.inputs["rows"], longest=p["n_dti"], least=p["n_min"])
    recorded = case.outputs["rows"]
    recorded = recorded[np.lexsort((recorded[:, 1], recorded[:, 0]))]
    assert len(filled) == len(recorded)
    np.testing.assert_array_equal(filled[:, :2], recorded[:, :2])
    # The original writes -1 for every score; here what was found keeps its own.
    np.testing.assert_allclose(filled[:, :6], recorded[:, :6], rtol=1e-6, atol=0.01)


def test_the_tool(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    tool = runpy.run_path(str(TOOL))["main"]
    lines = [f"{frame},1,{frame},0,5,5,0.5,-1,-1,-1\n" for frame in (1, 2, 3, 4, 5, 9)]
    (tmp_path / "a.txt").write_text("".join(lines))
    assert tool([str(tmp_path / "a.txt"), str(tmp_path / "b.txt")]) == 0
    assert "3 boxes filled in, 6 kept" in capsys.readouterr().out
    filled = read_mot(tmp_path / "b.txt", 7)
    assert filled[:, 0].tolist() == list(range(1, 10))
    assert filled[:, 2].tolist() == list(range(1, 10))
    assert tool([str(tmp_path / "none.txt"), str(tmp_path / "b.txt")]) == 2


def test_what_has_no_gap_stays() -> None:
    rows = np.array([[1, 1, 0, 0, 5, 5, 0.5, -1, -1, -1], [2, 1, 1, 0, 5, 5, 0.5, -1, -1, -1.0]])
    np.testing.assert_array_equal(fill_gaps(rows), rows)
    assert len(fill_gaps(rows[:0])) == 0
