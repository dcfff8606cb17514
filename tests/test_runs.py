"""`python -m tests`: which runs of pytest it makes, and their exit code."""

from __future__ import annotations

import subprocess
from types import SimpleNamespace

import pytest

from tests import __main__ as runs


@pytest.mark.parametrize(
    ("codes", "expected"),
    [([0, 0, 0], 0), ([0, 5, 5], 0), ([0, 1, 0], 1), ([2, 1, 0], 2), ([5, 5, 5], 5)],
)
def test_the_first_code_that_is_not_zero(
    monkeypatch: pytest.MonkeyPatch, codes: list[int], expected: int
) -> None:
    commands: list[list[str]] = []
    left = iter(codes)

    def run(command: list[str]) -> SimpleNamespace:
        commands.append(command)
        return SimpleNamespace(returncode=next(left))

    monkeypatch.setattr(subprocess, "run", run)
    assert runs.main(["-ra", "-m", "slow", "-k", "nms"]) == expected
    marks = [command[command.index("-m", 2) + 1] for command in commands]
    assert marks == [f"({kind}) and (slow)" for kind, _ in runs.RUNS]
    assert all(command[-3:] == ["-ra", "-k", "nms"] for command in commands)
    assert "-n" not in commands[-1]  # what is heavy runs alone
