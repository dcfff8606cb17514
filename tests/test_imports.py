"""What a command has to wait for before it answers --help."""

from __future__ import annotations

import json
import resource
import subprocess
import sys

import pytest

from centernet.options.verbs import VERBS

SLOW = ("torch", "numpy", "cv2", "numba", "matplotlib", "pycocotools")
PROGRAM = """
import json, resource, sys
from centernet import cli
try:
    cli.main(sys.argv[1:])
except SystemExit as end:
    assert end.code in (0, None)
print()
print(json.dumps(sorted(sys.modules)))
"""


@pytest.mark.parametrize(
    "words",
    [["--help"], ["train", "--help"], *([name, "ctdet"] for name in ("train", "test", "demo"))]
    + [[name] for name in VERBS],
    ids=" ".join,
)
def test_help_waits_for_nothing_large(words: list[str]) -> None:
    if "--help" not in words:
        words = [*words, "--help"]
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    done = subprocess.run(
        [sys.executable, "-c", PROGRAM, *words], capture_output=True, text=True, check=True
    )
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    loaded = json.loads(done.stdout.splitlines()[-1])
    assert [name for name in SLOW if name in loaded] == []
    seconds = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
    assert seconds < 0.5
