"""How several processes end: with no thread left that could abort them."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from centernet.trains.distributed import _free_port

pytestmark = pytest.mark.heavy

ROOT = Path(__file__).parents[2]
# Registered before the group is joined, so called after all that is registered later.
THREADS = """
import atexit, glob
def tell():
    threads = glob.glob("/proc/self/task/*/comm")
    print("left:", sorted(open(path).read().strip() for path in threads))
atexit.register(tell)
from tests.trains import tiny
tiny.main()
"""


def run_pair(folder: Path) -> list[tuple[int, str]]:
    """Exit codes and words of two processes that train two epochs together."""
    shared = {"WORLD_SIZE": "2", "MASTER_ADDR": "127.0.0.1", "MASTER_PORT": str(_free_port())}
    running = [
        subprocess.Popen(
            [sys.executable, "-c", THREADS, str(folder), "2", "0", "plain"],
            env={**os.environ, **shared, "RANK": str(rank), "LOCAL_RANK": str(rank)},
            cwd=ROOT,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )
        for rank in range(2)
    ]
    words = [process.communicate(timeout=300)[0] for process in running]
    return [(process.returncode, text) for process, text in zip(running, words, strict=True)]


@pytest.mark.skipif(not os.path.exists("/proc/self/task"), reason="no list of threads")
@pytest.mark.slow
def test_no_thread_of_the_group_is_left(tmp_path: Path) -> None:
    """One that waits for the GIL when the interpreter has ended aborts the process (exit -6)."""
    for code, text in run_pair(tmp_path):
        assert code == 0, text
        (left,) = [line for line in text.splitlines() if line.startswith("left:")]
        assert "gloo" not in left
        assert "tcpstore" not in left


@pytest.mark.slow
def test_many_ends_on_a_busy_machine(tmp_path: Path) -> None:
    """EXITS=100 in the environment tries more."""
    busy = [subprocess.Popen([sys.executable, "-c", "while True: pass"]) for _ in range(3)]
    try:
        codes = [
            code
            for number in range(int(os.environ.get("EXITS", "10")) // 2)
            for code, _ in run_pair(tmp_path / str(number))
        ]
    finally:
        for process in busy:
            process.kill()
            process.wait()
    assert set(codes) == {0}
