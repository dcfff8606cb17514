"""A run that has not been validated yet is resumed like any other."""

from __future__ import annotations

import pytest

from centernet.runtime.errors import UserError
from centernet.trains.checkpoints import _check


def test_no_metric_yet_is_no_fault() -> None:
    _check({"best": {"metric": "AP", "value": None, "stale": 0}}, "model_last.pth")
    with pytest.raises(UserError, match=r"model_last\.pth: training: best is"):
        _check({"best": {"metric": "AP", "value": "high", "stale": 0}}, "model_last.pth")
