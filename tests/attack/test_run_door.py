from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given

from centernet.datasets.toy.writer import STAMP, read_stamp
from centernet.io.run_folder import RunFolder
from centernet.options.flag import flags_of
from centernet.options.groups import Data, Train
from centernet.options.saved import remembered
from centernet.runtime.errors import UserError
from tests.attack.mutate import TRIED, json_attacks

FLAGS = [*flags_of(Train), *flags_of(Data)]
OPTIONS: dict[str, Any] = {
    "lr": 0.1, "lr_step": [90, 120], "batch_size": 2, "encode_on_device": False, "dataset": "toy",
    "data_dir": "data", "trainval": True, "train_json": None,
}  # fmt: skip
EVENTS: dict[str, Any] = {
    "events": [
        {"event": "started", "time": "2026-01-01", "flags": {"lr": 1}, "command": ["a", "b"],
         "after_epoch": 0, "seal": "00"},
        {"event": "ended", "epoch": 3, "weights": {"sha256": "00"}, "metrics": {"AP": 0.5}},
    ]
}  # fmt: skip
ROW = {"epoch": 1, "phase": "train", "loss": 0.5}


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> RunFolder:
    return RunFolder(tmp_path_factory.mktemp("run"))


def in_one_line(error: UserError, path: Path) -> None:
    assert "\n" not in str(error)
    assert str(error).startswith(str(path))
    assert len(str(error)) < 1000


@TRIED
@given(data=json_attacks(OPTIONS))
def test_no_saved_options_end_in_a_traceback(folder: RunFolder, data: bytes) -> None:
    path = folder.path / "opt.json"
    path.write_bytes(data)
    try:
        found = remembered(folder, FLAGS)
    except UserError as error:
        in_one_line(error, path)
        return
    for flag in FLAGS:
        value = found.get(flag.name)
        values = value if flag.many and value is not None else (value,)
        assert all(v is None or isinstance(v, flag.kind) for v in values)


@pytest.mark.parametrize(
    ("flag", "value"),
    [("trainval", "False"), ("lr_step", "90"), ("lr", [1]), ("dataset", ["toy"]), ("lr", "fast")],
)
def test_a_flag_of_a_wrong_type_is_named(tmp_path: Path, flag: str, value: Any) -> None:
    (tmp_path / "opt.json").write_text(json.dumps({**OPTIONS, flag: value}))
    with pytest.raises(UserError, match=f"opt.json: cannot be read \\({flag} is "):
        remembered(RunFolder(tmp_path), FLAGS)


@TRIED
@given(data=json_attacks(EVENTS))
def test_no_record_ends_in_a_traceback(folder: RunFolder, data: bytes) -> None:
    path = folder.path / "run.json"
    path.write_bytes(data)
    try:
        assert all(isinstance(event["event"], str) for event in folder.events())
    except UserError as error:
        in_one_line(error, path)


@TRIED
@given(data=json_attacks(ROW))
def test_no_row_of_metrics_ends_in_a_traceback(folder: RunFolder, data: bytes) -> None:
    good = json.dumps(ROW).encode()
    (folder.path / "metrics.jsonl").write_bytes(b"\n".join([good, data, good]))
    rows = folder.metrics()
    assert all(isinstance(row["epoch"], int) and isinstance(row["phase"], str) for row in rows)
    assert rows[0] == ROW


@TRIED
@given(data=json_attacks({"part": "shapes", "version": 1, "seed": 0, "train": 1, "val": 1,
                          "files": 3}))  # fmt: skip
def test_no_stamp_of_the_toy_set_ends_in_a_traceback(folder: RunFolder, data: bytes) -> None:
    (folder.path / STAMP).write_bytes(data)
    try:
        read_stamp(folder.path)
    except UserError as error:
        in_one_line(error, folder.path)
