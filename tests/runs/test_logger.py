"""The logger: bar on a terminal, lines elsewhere, files that survive a kill."""

from __future__ import annotations

import io
import json
from pathlib import Path

import pytest
import torch

from centernet.runs.logger import Logger


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


def rows(folder: Path) -> list[dict]:
    return [json.loads(line) for line in (folder / "metrics.jsonl").read_text().splitlines()]


def test_plain_lines_every_print_iter_and_at_the_end() -> None:
    out = io.StringIO()
    with Logger(label="ctdet/x", print_iter=2, stream=out).epoch("train", 3, 5) as bar:
        for loss in (1.0, 2.0, 3.0, 4.0, 5.0):
            bar.step({"loss": loss}, data_time=0.25, net_time=0.5)
    lines = out.getvalue().splitlines()
    assert [line.split("[")[2].split("]")[0] for line in lines] == ["2/5", "4/5", "5/5"]
    assert lines[0].startswith("ctdet/x | train: [3][2/5]")
    assert "loss 1.5000" in lines[0]
    assert "loss 3.0000" in lines[2]
    assert "Data 0.250s | Net 0.500s" in lines[2]
    assert "ETA 0:00:00" in lines[2]


def test_without_a_terminal_only_the_last_of_a_quick_epoch_is_printed() -> None:
    out = io.StringIO()
    with Logger(stream=out).epoch("train", 1, 4) as bar:
        for _ in range(4):
            bar.step({"loss": 1.0})
    assert len(out.getvalue().splitlines()) == 1
    assert "\r" not in out.getvalue()


def test_on_a_terminal_a_bar_is_drawn_in_place(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLUMNS", "160")
    out = Terminal()
    with Logger(label="100%", stream=out, hide_data_time=True).epoch("val", 1, 2) as bar:
        bar.step({"hm_loss": 1.0})
        bar.step({"hm_loss": 3.0})
    text = out.getvalue()
    assert "\r" in text
    assert "100% |################|" in text
    assert "hm_loss 2.0000" in text
    assert "Data" not in text
    assert text.endswith("\n")


def test_narrow_terminal_never_wraps(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLUMNS", "60")
    out = Terminal()
    with Logger(label="run", stream=out).epoch("train", 1, 1) as bar:
        bar.step({f"a_long_name_{i}": 1.0 for i in range(9)})
    assert max(len(piece) for piece in out.getvalue().split("\r")) <= 60


def test_means_weigh_batches_by_their_images_and_take_tensors() -> None:
    with Logger(stream=io.StringIO()).epoch("val", None, 2) as bar:
        bar.step({"loss": torch.tensor(1.0)}, count=3)
        bar.step({"loss": torch.tensor(5.0), "late": 2.0}, count=1)
    assert bar.average == {"loss": 2.0, "late": 2.0}
    assert bar.done == 2


def test_the_bar_closes_when_the_epoch_fails() -> None:
    out = Terminal()
    with pytest.raises(RuntimeError), Logger(stream=out).epoch("train", 1, 2):
        raise RuntimeError
    assert out.getvalue().endswith("\n")


def test_files_go_on_over_restarts(tmp_path: Path) -> None:
    for epoch in (1, 2):
        logger = Logger(tmp_path, stream=io.StringIO())
        logger.write(f"start {epoch}")
        logger.metrics(epoch, "train", {"loss": 1.5, "AP": float("nan")})
        # read before closing: a killed process never closes
        assert f"start {epoch}" in (tmp_path / "log.txt").read_text()
    assert rows(tmp_path) == [
        {"epoch": 1, "phase": "train", "loss": 1.5, "AP": None},
        {"epoch": 2, "phase": "train", "loss": 1.5, "AP": None},
    ]
    assert "epoch 1 | train | loss 1.5" in (tmp_path / "log.txt").read_text()


def test_rewind_drops_what_will_be_written_again(tmp_path: Path) -> None:
    logger = Logger(tmp_path, stream=io.StringIO())
    for epoch in (1, 2, 3):
        logger.metrics(epoch, "train", {"loss": float(epoch)})
    with open(tmp_path / "metrics.jsonl", "a") as handle:
        handle.write('{"epoch": 4, "pha')
    logger.rewind(2)
    assert [row["epoch"] for row in rows(tmp_path)] == [1, 2]
    logger.rewind(2)
    assert len(rows(tmp_path)) == 2


def test_other_ranks_are_silent(tmp_path: Path) -> None:
    out = io.StringIO()
    logger = Logger(tmp_path, rank=1, stream=out)
    logger.write("hello")
    logger.metrics(1, "train", {"loss": 1.0})
    with logger.epoch("train", 1, 1) as bar:
        bar.step({"loss": 2.0})
    logger.close()
    assert bar.average == {"loss": 2.0}
    assert out.getvalue() == ""
    assert list(tmp_path.iterdir()) == []


def test_tensorboard_gets_the_figures_when_installed(tmp_path: Path) -> None:
    pytest.importorskip("tensorboard", reason="optional package")
    logger = Logger(tmp_path, stream=io.StringIO())
    logger.metrics(1, "train", {"loss": 1.0})
    logger.close()
    assert list(tmp_path.glob("logs_*/events*"))
