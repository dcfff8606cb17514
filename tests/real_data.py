"""Where the small real data sets lie, for tests that want more than made-up images."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]


def folder(name: str) -> Path:
    """Folder `name` of the sample data, or a skip of the test that says where it was looked for.

    The sample data is the folder that CENTERNET_DATA names, by default `../shared/data` beside
    the project.
    """
    root = Path(os.environ.get("CENTERNET_DATA") or ROOT.parent / "shared" / "data")
    path = root / name
    if not path.is_dir():
        pytest.skip(f"sample data absent: {path} (CENTERNET_DATA names another folder)")
    return path
