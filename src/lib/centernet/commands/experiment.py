"""The command behind the scripts of experiments/: runs one of their lines."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from centernet import cli
from centernet.builders.dry_run import explain_test
from centernet.opts import opts
from centernet.runs.experiments.launch import Command, command_of
from centernet.runs.experiments.script import PROGS


def experiment(
    argv: Sequence[str], root: str | Path | None = None, prog: str = "experiment.py"
) -> int:
    """Run `SCRIPT VERB WORDS ... -- EXTRA ...`; the exit code is that of the command it becomes."""
    root = Path.cwd() if root is None else Path(root)
    commands: list[Command] = []
    code = cli.exit_code(prog, lambda: commands.append(command_of(argv, root)))
    if code:
        return code
    (command,) = commands
    print(*command.notes, f"$ {command}", sep="\n", flush=True)
    if command.awaited and "--dry_run" in command.words:
        name = PROGS[command.verb]
        options = opts(command.verb, root, name)
        return cli.exit_code(name, lambda: explain_test(options.parse(command.words), awaited=True))
    return cli.VERBS[command.verb](command.words, root)
