"""The record of a run: whole, broken, and by whom it was written."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pytest
import torch

from centernet.io.files import digest_of
from centernet.runs import provenance
from centernet.runs.provenance import TESTED, Record, broken_seal, hardware
from centernet.runtime.errors import UserError


@pytest.fixture
def record(tmp_path: Path) -> Record:
    record = Record(tmp_path)
    for number in range(3):
        record.add(TESTED, "a machine", metrics={"AP": number / 10}, scales=(0.5, 1.0))
    return record


def edit(record: Record, change: Callable[[list], None]) -> int | None:
    """The first event that is found out after `change` to the list of events."""
    events = record.read()
    change(events)
    record.path.write_text(json.dumps({"events": events}))
    return broken_seal(record.read())


def test_events_are_told_as_they_were_added(record: Record) -> None:
    events = record.read()
    assert [event["metrics"]["AP"] for event in events] == [0.0, 0.1, 0.2]
    assert broken_seal(events) is None
    known = events[0].keys()
    assert known >= {"event", "time", "commit", "changed", "version", "torch", "hardware"}
    assert events[0]["scales"] == [0.5, 1.0]
    assert Record(record.path.parent / "nowhere").read() == []


@pytest.mark.parametrize(
    ("change", "place"),
    [
        (lambda events: events[1]["metrics"].update(AP=0.9), 1),
        (lambda events: events[0].update(hardware="a faster one"), 0),
        (lambda events: events.pop(0), 0),
        (lambda events: events.pop(1), 1),
        (lambda events: events.insert(1, dict(events[0])), 1),
        (lambda events: events[2].pop("seal"), 2),
        (lambda events: events.reverse(), 0),
        (lambda events: None, None),
    ],
    ids=["figure", "machine", "first", "middle", "again", "seal", "order", "nothing"],
)
def test_what_was_changed_is_found(
    record: Record, change: Callable[[list], None], place: int | None
) -> None:
    assert edit(record, change) == place


def test_adding_to_a_changed_record_does_not_mend_it(record: Record) -> None:
    edit(record, lambda events: events[0].update(hardware="a faster one"))
    record.add(TESTED, "a machine")
    assert broken_seal(record.read()) == 0


@pytest.mark.parametrize("text", ["{", "[]", '{"events": 3}', '{"events": [3]}'])
def test_a_damaged_file_is_put_aside(tmp_path: Path, text: str) -> None:
    record = Record(tmp_path)
    record.path.write_text(text)
    with pytest.raises(UserError, match=r"run\.json"):
        record.read()
    record.add(TESTED, "a machine")
    assert len(record.read()) == 1
    assert (tmp_path / "run.damaged.json").read_text() == text


def test_figures_that_json_has_no_word_for_are_refused(record: Record) -> None:
    with pytest.raises(ValueError, match="JSON"):
        record.add(TESTED, "a machine", metrics={"AP": float("nan")})
    assert len(record.read()) == 3


def test_outside_of_git_there_is_no_commit(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(provenance, "_git", lambda *words: None)
    assert provenance.commit_here() == (None, False)


def test_machine_and_files(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert hardware(torch.device("cpu")).endswith(" threads")
    monkeypatch.setattr(torch.cuda, "get_device_name", lambda device: "Quick 3000")
    assert hardware(torch.device("cuda", 0), 4) == "4 x Quick 3000"
    (tmp_path / "a").write_bytes(b"abc")
    assert digest_of(tmp_path / "a").startswith("ba7816bf8f01cfea")
