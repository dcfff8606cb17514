"""The files of a run, read back."""

from __future__ import annotations

from pathlib import Path

import pytest

from centernet.io.run_folder import RunFolder
from centernet.runtime.errors import UserError


def test_what_is_not_there_is_empty(tmp_path: Path) -> None:
    folder = RunFolder(tmp_path / "absent")
    assert (folder.options(), folder.metrics(), folder.events()) == ({}, [], [])
    assert (folder.evaluation(), folder.detections("results.json")) == ({}, None)
    assert folder.set_aside(print) is None


def test_metrics_without_what_a_kill_cut_off(tmp_path: Path) -> None:
    text = '{"epoch": 1, "phase": "train", "loss": 2}\n[1]\n{"epoch": "x"}\n{"epoch": 2, "pha'
    (tmp_path / "metrics.jsonl").write_text(text)
    assert RunFolder(tmp_path).metrics() == [{"epoch": 1, "phase": "train", "loss": 2}]


@pytest.mark.parametrize("text", ["", "[]", "{", "\x00", "3"])
@pytest.mark.parametrize(
    ("name", "read"), [("opt.json", RunFolder.options), ("run.json", RunFolder.events),
                       ("evaluation.json", RunFolder.evaluation)],
)  # fmt: skip
def test_damaged_files_are_named(tmp_path: Path, name: str, read: object, text: str) -> None:
    (tmp_path / name).write_text(text)
    with pytest.raises(UserError, match=name):
        read(RunFolder(tmp_path))  # type: ignore[operator]


def test_each_run_that_is_set_aside_has_a_number_of_its_own(tmp_path: Path) -> None:
    said: list[str] = []
    for number in (1, 2):
        folder = RunFolder(tmp_path / "a")
        folder.path.mkdir()
        folder.last.write_text(f"weights {number}")
        (folder.path / "metrics.jsonl").write_text('{"epoch": 7, "phase": "train"}\n')
        moved = folder.set_aside(said.append)
        assert moved is not None
        assert moved.path == tmp_path / f"a.{number}"
        assert moved.last.read_text() == f"weights {number}"
        assert not folder.path.exists()
    assert f"{tmp_path / 'a'} held a run of 7 epochs, which is now {tmp_path / 'a.2'}" in said[1]
