"""The commands, each called with its words: the exit code comes back.

0 is success, 2 a mistake of the user's (one line on standard error), 130 an interruption.
"""

from __future__ import annotations

import sys
from collections.abc import Sequence
from pathlib import Path

from centernet.commands.call import call
from centernet.console.exit_code import exit_code
from centernet.options.verbs import VERBS

__all__ = ["call", "demo", "main", "test", "train"]


def train(argv: Sequence[str], root: str | Path | None = None) -> int:
    """Train a network, or with --test evaluate one as training would."""
    return call("train", argv, root)


def test(argv: Sequence[str], root: str | Path | None = None) -> int:  # noqa: PT028
    """Evaluate a network on the validation (with --trainval: test) part of a data set."""
    return call("test", argv, root)


def demo(argv: Sequence[str], root: str | Path | None = None) -> int:
    """Detect in a user's images, video or camera, and save what is found."""
    return call("demo", argv, root)


def main(argv: Sequence[str] | None = None) -> int:
    """`centernet VERB ...`, or `centernet TASK ...` to train, in the current folder."""
    words = list(sys.argv[1:] if argv is None else argv)
    if words in ([], ["-h"], ["--help"]):
        return exit_code("centernet", _usage) or (0 if words else 2)
    name = words.pop(0) if words[0] in VERBS else "train"
    return call(name, words, program=f"centernet {name}")


def _usage() -> None:
    print("usage: centernet VERB ...; centernet VERB --help says more", "", sep="\n")
    for name, verb in VERBS.items():
        print(f"  {name:<12}{verb.help}{' (takes a task)' if verb.takes_task else ''}")
