"""What of the Dockerfile can be tried without Docker."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]
LINES = (ROOT / "Dockerfile").read_text(encoding="utf-8").replace("\\\n", " ").splitlines()


def steps(word: str) -> list[str]:
    return [line.partition(" ")[2] for line in LINES if line.startswith(f"{word} ")]


def test_its_command_finds_the_environment_complete(tmp_path: Path) -> None:
    """`make demo` as the image runs it would train at once: nothing is installed again."""
    if shutil.which("make") is None:
        pytest.skip("no make on this machine")
    (command,) = map(json.loads, steps("CMD"))
    assert command[:2] == ["make", "demo"]
    venv = re.fullmatch(r"VENV=(\S+)", command[2])
    assert venv is not None
    assert f"touch {venv[1]}/ready" in steps("RUN")[-1]
    here = tmp_path / "venv"
    here.mkdir()

    def said() -> str:
        words = ["make", "--dry-run", "demo", f"VENV={here}"]
        return subprocess.run(words, cwd=ROOT, capture_output=True, text=True, check=True).stdout

    assert "pip install" in said()
    (here / "ready").touch()
    sources = ("pyproject.toml", "requirements.txt", "setup.py", "external/nms.pyx")
    newest = max((ROOT / name).stat().st_mtime for name in sources)
    os.utime(here / "ready", (newest + 1, newest + 1))
    assert "pip install" not in said()
    assert re.search(rf"{here}/bin/python main\.py ctdet .*--dataset toy", said())


def test_it_runs_without_rights_on_either_base() -> None:
    assert steps("ARG") == [
        "BASE=python:3.12-slim",
        "TORCH_INDEX=https://download.pytorch.org/whl/cpu",
    ]
    assert steps("FROM") == ["${BASE} AS build", "${BASE}"]
    assert steps("USER") == ["centernet"]
    assert "build-essential" not in steps("RUN")[-2]  # the compiler stays in the first stage


def test_nothing_heavy_goes_to_the_builder() -> None:
    ignored = (ROOT / ".dockerignore").read_text(encoding="utf-8").splitlines()
    assert {".git", ".venv", "data", "exp", "models"} <= set(ignored)
