"""Settings of every test: one thread each, so that numbers do not depend on the machine's cores."""

from __future__ import annotations

import cv2
import pytest
import torch


@pytest.fixture(autouse=True, scope="session")
def _few_threads() -> None:
    torch.set_num_threads(min(2, torch.get_num_threads()))
    cv2.setNumThreads(1)
