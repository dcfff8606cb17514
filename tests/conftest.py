"""Settings of every test: few threads, so that numbers do not depend on the machine's cores; which
tests run side by side; no page drawn where no test looks at it.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

# Before the libraries that read them: beside other workers each process has one core.
if "PYTEST_XDIST_WORKER" in os.environ:
    for _name in ("OMP", "MKL", "OPENBLAS", "NUMBA"):
        os.environ.setdefault(f"{_name}_NUM_THREADS", "1")

import cv2
import pytest
import torch

from centernet.commands.jobs import report as report_job
from centernet.io.run_folder import RunFolder
from centernet.runs.report.report import write_report


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--long", action="store_true", help="many more inputs, every pair")


def pytest_configure(config: pytest.Config) -> None:
    if config.getoption("--long"):
        os.environ["CENTERNET_LONG"] = "1"  # see tests/long.py


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """What is slow runs last; `python -m tests` deals the tests to the cores."""
    items.sort(key=lambda item: _marked(item, "slow"))


def _marked(item: pytest.Item, name: str) -> bool:
    return item.get_closest_marker(name) is not None


@pytest.fixture(autouse=True, scope="session")
def _few_threads() -> None:
    torch.set_num_threads(min(2, torch.get_num_threads()))
    cv2.setNumThreads(1)


@pytest.fixture(autouse=True, scope="session")
def _no_pages() -> Iterator[None]:
    """Training and testing name the page of their run without drawing it: see `pages`."""

    def named(run: RunFolder, *_: Any) -> Path:
        return run.page

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(report_job, "write_report", named)
        yield


@pytest.fixture
def pages(monkeypatch: pytest.MonkeyPatch) -> None:
    """Draw the page of a run in this test."""
    monkeypatch.setattr(report_job, "write_report", write_report)
