"""All tests on the cores that there are: `python -m tests [arguments of pytest]`.

Three runs of pytest: what is quick, file by file, as fixtures of a file are made once; what is
slow, test by test; what is heavy (several processes, much memory) alone. A run that finds no test
among those that the arguments name is none; the exit code is the first that is not 0.
"""

from __future__ import annotations

import argparse
import subprocess
import sys
from collections.abc import Sequence

NOTHING = 5  # pytest's exit code when no test was found
SIDE_BY_SIDE = ("-n", "logical", "--maxprocesses", "8")
RUNS = (
    ("not slow and not heavy", (*SIDE_BY_SIDE, "--dist", "loadfile")),
    ("slow and not heavy", (*SIDE_BY_SIDE, "--dist", "load")),
    ("heavy", ()),
)


def main(arguments: Sequence[str]) -> int:
    """The exit code of all runs together."""
    parser = argparse.ArgumentParser(add_help=False, allow_abbrev=False)
    parser.add_argument("-m", dest="marks")
    asked, rest = parser.parse_known_args(arguments)
    codes = []
    for marks, how in RUNS:
        both = f"({marks}) and ({asked.marks})" if asked.marks else marks
        command = [sys.executable, "-m", "pytest", "-m", both, *how, *rest]
        print(f"tests that are {marks}:", flush=True)
        codes.append(subprocess.run(command).returncode)
    found = [code for code in codes if code != NOTHING]
    return next((code for code in found if code), 0) if found else NOTHING


if __name__ == "__main__":
    raise SystemExit(main(sys.argv[1:]))
