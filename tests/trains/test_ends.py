"""How the processes of a training end: interrupted, or when the one that started them is killed."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import pytest

from centernet.console.ended import AGAIN

ROOT = Path(__file__).resolve().parents[2]
PATIENCE = 5.0
NEEDS_PROC = pytest.mark.skipif(not Path("/proc").exists(), reason="looks into /proc")
pytestmark = [pytest.mark.slow, pytest.mark.heavy, NEEDS_PROC]


def tiny(folder: Path, workers: int, processes: int) -> list[str]:
    program = ["-m", "tests.trains.tiny", str(folder), "100000", str(workers)]
    if processes == 1:
        return [sys.executable, *program]
    runner = ["-m", "torch.distributed.run", "--nproc_per_node", str(processes), "--standalone"]
    return [sys.executable, *runner, *program]


@pytest.fixture(autouse=True)
def _nothing_left(tmp_path: Path) -> Iterator[None]:
    yield
    for process in living(tmp_path):
        os.kill(process, signal.SIGKILL)


def start(folder: Path, workers: int, processes: int) -> subprocess.Popen[str]:
    """A training that has finished an epoch."""
    process = subprocess.Popen(
        tiny(folder, workers, processes), cwd=ROOT, text=True, start_new_session=True,
        stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
    )  # fmt: skip
    until = time.monotonic() + 120
    while not (folder / "model_last.pth").exists():
        assert process.poll() is None
        assert time.monotonic() < until, "it did not start"
        time.sleep(0.1)
    return process


def living(folder: Path) -> list[int]:
    """The processes that work in `folder` and have not ended: torchrun's are of other sessions."""
    found = []
    for entry in Path("/proc").glob("[0-9]*"):
        with suppress(OSError):
            if os.fsencode(folder) in (entry / "cmdline").read_bytes():  # empty of the ended
                found.append(int(entry.name))
    return found


def wait_for_end(folder: Path) -> float:
    start = time.monotonic()
    while (left := living(folder)) and time.monotonic() - start < 30:
        time.sleep(0.05)
    assert not left, "processes live on"
    return time.monotonic() - start


@pytest.mark.parametrize(("workers", "processes"), [(2, 1), (1, 2)])
def test_nothing_lives_on_after_sigkill(tmp_path: Path, workers: int, processes: int) -> None:
    process = start(tmp_path, workers, processes)
    assert len(living(tmp_path)) >= workers + processes
    os.kill(process.pid, signal.SIGKILL)
    process.wait()
    seconds = wait_for_end(tmp_path)
    print(f"ended after {seconds:.1f} s")
    assert seconds < PATIENCE


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_interrupted(tmp_path: Path, number: signal.Signals) -> None:
    process = start(tmp_path, workers=1, processes=1)
    os.kill(process.pid, number)
    said, _ = process.communicate(timeout=60)
    wait_for_end(tmp_path)
    assert said.count("To go on: python main.py ctdet --resume") == 1
    assert process.returncode == 128 + number
    assert "Traceback" not in said


def test_interrupted_before_training(tmp_path: Path) -> None:
    """In any other phase the line is the command's."""
    work = "import os, signal; os.kill(os.getpid(), signal.SIGTERM)"
    program = f"from centernet.console.exit_code import exit_code\ndef work():\n {work}\n"
    program += "raise SystemExit(exit_code('main.py', work))"
    done = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, check=False
    )
    assert done.returncode == 128 + signal.SIGTERM
    assert done.stderr == f"main.py: {AGAIN}\n"
