"""What the programs beside this file have in common: find the package, or say how to install it."""

import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]


def launch(verb: str) -> None:
    """Run the command `verb` with the words of this process, and end it with its exit code."""
    try:
        from centernet.cli import call
    except ModuleNotFoundError as error:
        if error.name is None or error.name.partition(".")[0] != "centernet":
            raise  # torch missing is torch's message, not ours
        sys.exit(f"centernet is not installed in {sys.prefix}.\nRun:  pip install -e {ROOT}")
    sys.exit(call(verb, sys.argv[1:], ROOT))
