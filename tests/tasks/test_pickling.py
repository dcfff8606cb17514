"""Tasks travel to loading processes: on Windows and macOS these are started afresh."""

from __future__ import annotations

import pickle

import pytest
import torch

from centernet.datasets.published import PUBLISHED
from centernet.tasks import TASKS


@pytest.mark.parametrize("name", TASKS)
def test_a_task_travels(name: str) -> None:
    kind = TASKS[name]
    task = kind(PUBLISHED[kind.Options.default_dataset])
    copy = pickle.loads(pickle.dumps(task))
    assert list(copy.heads) == list(task.heads)
    assert copy.terms == task.terms
    for head, own in zip(copy.heads.values(), task.heads.values(), strict=True):
        assert (head.channels, head.bias, head.pooling) == (own.channels, own.bias, own.pooling)
        if own.flip is not None:
            maps = torch.randn(1, own.channels, 2, 3)
            torch.testing.assert_close(head.flip(maps), own.flip(maps))
