"""Files that cannot be written: one line that names them, and nothing half-written left."""

from __future__ import annotations

import errno
import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import nn

from centernet.console.exit_code import exit_code
from centernet.io.files import atomic_write, clear_temporary, write_text
from centernet.io.video_file import VideoFile
from centernet.models.checkpoint import save_checkpoint
from centernet.runtime.errors import UserError, WriteError

resource = pytest.importorskip("resource", reason="Windows has no limit of a file's size")


@contextmanager
def files_up_to(size: int) -> Iterator[None]:
    """Let no file of this process grow beyond `size` bytes, as on a disk that fills up."""
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))


def test_a_file_too_large_is_named_and_the_old_one_stays(tmp_path: Path) -> None:
    path = write_text(tmp_path / "a.txt", "old")
    with files_up_to(1000), pytest.raises(WriteError, match=r"^\S+a\.txt: File too large$"):
        write_text(path, "new" * 1000)
    assert path.read_text() == "old"
    assert os.listdir(tmp_path) == ["a.txt"]


def test_a_full_disk(tmp_path: Path) -> None:
    with pytest.raises(OSError, match=r"a\.txt: .*; make room"), atomic_write(tmp_path / "a.txt"):
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))


def test_a_checkpoint_on_a_full_disk(tmp_path: Path) -> None:
    model = nn.Linear(1000, 1000)
    path = save_checkpoint(tmp_path / "model_last.pth", model, {}, epoch=1)
    with files_up_to(100_000), pytest.raises(WriteError, match=r"model_last\.pth: cannot be writ"):
        save_checkpoint(path, model, {}, epoch=2)
    assert torch.load(path, weights_only=True)["epoch"] == 1
    assert os.listdir(tmp_path) == ["model_last.pth"]


def test_a_file_in_place_of_the_folder(tmp_path: Path) -> None:
    (tmp_path / "results").write_text("")
    with pytest.raises(WriteError, match=r"results: (Not a directory|File exists)"):
        write_text(tmp_path / "results" / "a.json", "")
    video = VideoFile(tmp_path / "results" / "a.mp4", 10.0)
    with pytest.raises(WriteError, match="results"), video:
        video.write(np.zeros((32, 32, 3), np.uint8))


def test_a_mistake_inside_the_block_stays_what_it_is(tmp_path: Path) -> None:
    with pytest.raises(UserError, match=r"^wrong$"), atomic_write(tmp_path / "a.txt"):
        raise UserError("wrong")


@pytest.mark.parametrize("code", [errno.ENOSPC, errno.EROFS, errno.EACCES, errno.ENOENT])
def test_the_command_ends_with_one_line(code: int, capsys: pytest.CaptureFixture[str]) -> None:
    def work() -> None:
        raise OSError(code, os.strerror(code), "/disk/exp")

    assert exit_code("main.py", work) == 2
    said = capsys.readouterr().err
    assert said.startswith(f"main.py: /disk/exp: {os.strerror(code)}")
    assert said.count("\n") == 1


def test_the_command_hides_no_other_error() -> None:
    def work() -> None:
        raise OSError(errno.EACCES, "of no file: of a socket, say")

    with pytest.raises(OSError, match="socket"):
        exit_code("main.py", work)


def test_what_a_killed_process_left_is_cleared(tmp_path: Path) -> None:
    ended = subprocess.Popen([sys.executable, "-c", ""])
    ended.wait()
    left = [
        ".opt.{}.tmp.json",
        ".run.{}.tmp.json",
        ".results.{}.tmp.json",
        ".model_last.{}.tmp.pth",
    ]
    names = [name.format(process) for name in left for process in (ended.pid, os.getpid())]
    kept = [f".opt.{os.getppid()}.tmp.json", ".note.tmp", "opt.json", ".opt.x.tmp.json"]
    for name in names + kept:
        (tmp_path / name).touch()
    clear_temporary(tmp_path)
    assert sorted(path.name for path in tmp_path.iterdir()) == sorted(kept)
