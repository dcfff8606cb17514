"""Runs a line of a script of experiments/."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from centernet.builders.dry_run import explain_test
from centernet.commands.call import call
from centernet.console.exit_code import exit_code
from centernet.options.layers import parse
from centernet.options.verbs import VERBS
from centernet.runs.experiments.launch import command_of


def run(words: Sequence[str], root: Path) -> int:
    """Run `SCRIPT VERB WORDS ... -- EXTRA ...`; the exit code is that of the command it becomes."""
    command = command_of(words, root)
    print(*command.notes, f"$ {command}", sep="\n", flush=True)
    if command.awaited and "--dry_run" in command.words:
        verb = VERBS[command.verb]
        return exit_code(
            verb.program, lambda: explain_test(parse(verb, command.words, root), awaited=True)
        )
    return call(command.verb, command.words, root)
