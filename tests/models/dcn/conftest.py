"""The compiled kernels are built once for all these tests; where they cannot be, tests say why."""

from __future__ import annotations

import pytest

from centernet.models.networks.DCNv2 import compiled


@pytest.fixture(scope="session", params=["compiled", "torchvision", "plain"])
def backend(request) -> str:
    """Each backend's name."""
    if request.param == compiled.NAME and (reason := compiled.why_not()):
        pytest.skip(f"no compiled kernel: {reason}")
    return request.param
