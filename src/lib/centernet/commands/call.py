"""Calling a command with its words, in a program as from a shell."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from centernet.console.exit_code import exit_code
from centernet.options.layers import parse
from centernet.options.verbs import VERBS


def call(name: str, argv: Sequence[str], root: str | Path | None = None, program: str = "") -> int:
    """Run the command `name`; the exit code.

    0 is success, 2 a mistake of the user's (one line on standard error, which begins with
    `program`, by default the command's file), 130 an interruption. Folders data/, exp/ and models/
    lie beneath `root`, by default the current folder.
    """
    verb = VERBS[name]
    program = program or verb.program
    codes: list[int | None] = []

    def work() -> None:
        codes.append(verb.run(parse(verb, argv, root, program, _task_of)))

    return exit_code(program, work) or (codes[0] if codes else None) or 0


def _task_of(word: str) -> str | None:
    from centernet.builders.checkpoint import task_of

    return task_of(word)
