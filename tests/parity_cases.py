"""Cases recorded from the original implementations, discovered from the files of a folder.

The folder is the one that CENTERNET_PARITY names, else ../shared/parity beside the project, else
the small selection that lives here in tests/parity. Each topic is an .npz of arrays
(`<case>/in.<name>`, `<case>/out.<name>`) and a .json of parameters and tolerances.
"""

from __future__ import annotations

import importlib.util
import os
from functools import cache
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

PROJECT = Path(__file__).resolve().parents[1]


@cache
def folder() -> Path:
    """The folder of recorded numbers that this run compares with."""
    named = os.environ.get("CENTERNET_PARITY")
    if named:
        return Path(named)
    beside = PROJECT.parent / "shared" / "parity"
    return beside if beside.is_dir() else PROJECT / "tests" / "parity"


@cache
def recipe() -> ModuleType:
    """The folder's own module that makes weights, inputs and images, and reads the cases."""
    spec = importlib.util.spec_from_file_location("parity_recipe", folder() / "recipe.py")
    if spec is None or spec.loader is None:
        raise FileNotFoundError(f"{folder()} has no recipe.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def cases(topic: str, *, where: Any = None) -> list[Any]:
    """The cases of `topic` ("decode/ctdet"), as pytest parameters named after them.

    `where(case)` keeps only some. A folder without the topic gives one skipped parameter that says
    so: another selection may leave topics out.
    """
    if not (folder() / f"{topic}.npz").is_file():
        reason = f"{folder()} has no {topic}.npz (set CENTERNET_PARITY to a folder that has it)"
        return [pytest.param(None, id="absent", marks=pytest.mark.skip(reason=reason))]
    found = [c for c in recipe().load_cases(str(folder() / topic)) if where is None or where(c)]
    return [pytest.param(c, id=c.name) for c in found]
