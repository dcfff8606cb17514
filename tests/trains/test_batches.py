"""Sampling, loading, seeding and the learning rate: the order of things in an epoch."""

from __future__ import annotations

import os
import random
import threading
from itertools import chain

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch.utils._pytree import tree_leaves

from centernet.runtime.errors import UserError
from centernet.trains import loader
from centernet.trains.distributed import Processes
from centernet.trains.loader import EpochLoader
from centernet.trains.sampler import BatchSampler
from centernet.trains.seeds import seed_everything
from tests.trains.tiny import SEED, make_data, make_model


def epoch_of(sampler: BatchSampler, epoch: int) -> list[list[int]]:
    sampler.set_epoch(epoch)
    return list(sampler)


@given(
    length=st.integers(1, 60),
    batch=st.integers(1, 20),
    world=st.integers(1, 4),
    epoch=st.integers(0, 5),
    drop_last=st.booleans(),
)
def test_batches_do_not_depend_on_the_number_of_processes(
    length: int, batch: int, world: int, epoch: int, drop_last: bool
) -> None:
    if batch < world or (drop_last and length < batch):
        with pytest.raises(UserError):
            BatchSampler(length, batch, seed=1, drop_last=drop_last, processes=Processes(0, world))
        return
    alone = epoch_of(BatchSampler(length, batch, seed=1, drop_last=drop_last), epoch)
    shares = []
    for rank in range(world):
        sampler = BatchSampler(
            length, batch, seed=1, drop_last=drop_last, processes=Processes(rank, world)
        )
        share = epoch_of(sampler, epoch)
        assert len(share) == len(sampler)
        shares.append(share)
    for number, whole in enumerate(alone):
        parts = [share[number] for share in shares if number < len(share)]
        assert all(parts)
        assert list(chain(*parts)) == whole
    seen = list(chain(*alone))
    assert len(seen) == len(set(seen)) == (length // batch * batch if drop_last else length)


def test_order_is_of_seed_and_epoch() -> None:
    first = BatchSampler(40, 4, seed=1)
    again = BatchSampler(40, 4, seed=1)
    epoch_of(again, 7)
    assert epoch_of(first, 3) == epoch_of(again, 3)
    assert epoch_of(first, 3) != epoch_of(first, 4)
    assert epoch_of(first, 3) != epoch_of(BatchSampler(40, 4, seed=2), 3)
    assert epoch_of(BatchSampler(4, 2, seed=1, shuffle=False), 3) == [[0, 1], [2, 3]]


def test_too_few_images_for_a_batch() -> None:
    with pytest.raises(UserError, match=r"has 3 images, fewer than one batch of 8; use --batch"):
        BatchSampler(3, 8, seed=1)


@pytest.mark.parametrize("workers", [1, 2])
def test_samples_do_not_depend_on_workers(workers: int) -> None:
    task, _ = make_model()
    plain = EpochLoader(make_data(task), 5, seed=SEED)
    other = EpochLoader(make_data(task), 5, seed=SEED, workers=workers)
    for epoch in (2, 1):
        for a, b in zip(plain.epoch(epoch), other.epoch(epoch), strict=True):
            assert list(a) == list(b)
            pairs = zip(tree_leaves(a), tree_leaves(b), strict=True)
            assert all(torch.equal(one, other) for one, other in pairs)


def test_epochs_are_augmented_differently() -> None:
    loader = EpochLoader(make_data(make_model()[0]), 12, seed=SEED, shuffle=False)
    first, second = (next(loader.epoch(epoch))["inputs"]["image"] for epoch in (1, 2))
    assert not any(torch.equal(a, b) for a, b in zip(first, second, strict=True))


def test_loading_leaves_the_global_generator_alone() -> None:
    loader = EpochLoader(make_data(make_model()[0]), 4, seed=SEED, workers=1)
    torch.manual_seed(0)
    expected = torch.rand(1)
    torch.manual_seed(0)
    list(loader.epoch(1))
    assert torch.equal(torch.rand(1), expected)


class Telling(torch.utils.data.Dataset):
    """Samples that tell the process and the epoch that they were made in."""

    epoch = 0

    def __len__(self) -> int:
        return 6

    def set_epoch(self, epoch: int) -> None:
        self.epoch = epoch

    def __getitem__(self, index: int) -> dict[str, int]:
        return {"process": os.getpid(), "epoch": self.epoch, "index": index}


def test_workers_live_until_the_last_epoch() -> None:
    loader = EpochLoader(Telling(), 2, seed=SEED, workers=2)
    epochs = [list(loader.epoch(epoch, until=3)) for epoch in (1, 2, 3)]
    processes = [{int(p) for batch in batches for p in batch["process"]} for batches in epochs]
    assert processes[0] == processes[1] == processes[2]
    assert len(processes[0]) == 2
    for epoch, batches in zip((1, 2, 3), epochs, strict=True):
        assert {int(e) for batch in batches for e in batch["epoch"]} == {epoch}
        alone = EpochLoader(Telling(), 2, seed=SEED).epoch(epoch)
        assert [b["index"].tolist() for b in batches] == [b["index"].tolist() for b in alone]


def test_an_epoch_out_of_turn_begins_anew() -> None:
    loader = EpochLoader(Telling(), 2, seed=SEED, workers=1)
    list(loader.epoch(1, until=9))
    next(loader.epoch(2, until=9))  # left early
    again = list(loader.epoch(2, until=9))
    limited = list(loader.epoch(3, limit=1, until=9))
    assert [len(again), len(limited)] == [3, 1]
    assert {int(e) for batch in again for e in batch["epoch"]} == {2}
    assert limited[0]["epoch"].tolist() == [3, 3]


class Drawing(torch.utils.data.Dataset):
    """Samples of the generators that a worker was started with."""

    def __len__(self) -> int:
        return 4

    def set_epoch(self, epoch: int) -> None:
        pass

    def __getitem__(self, index: int) -> dict[str, float]:
        return dict(enumerate(draws()))


def test_workers_are_seeded_by_the_epoch() -> None:
    loader, resumed = (EpochLoader(Drawing(), 2, seed=SEED, workers=1) for _ in range(2))
    first, second = list(loader.epoch(1)), list(loader.epoch(2))
    assert str(list(resumed.epoch(2))) == str(second) != str(first)


def draws() -> list[float]:
    return [random.random(), float(np.random.rand()), float(torch.rand(()))]  # noqa: NPY002


def test_one_seed_for_all_generators() -> None:
    seed_everything(3, 1, 0)
    first = draws()
    seed_everything(3, 1, 1)
    second = draws()
    seed_everything(3, 1, 0)
    assert draws() == first
    assert all(a != b for a, b in zip(first, second, strict=True))


def test_a_worker_says_nothing_of_a_main_process_that_is_gone(
    capsys: pytest.CaptureFixture[str],
) -> None:
    """Another thread's broken connection is passed over, and no other exception is."""

    def raised(error: Exception, thread: bool) -> str:
        def hook() -> None:
            loader._without_hang_ups(type(error), error, None)

        if thread:
            other = threading.Thread(target=hook)
            other.start()
            other.join()
        else:
            hook()
        return capsys.readouterr().err

    assert raised(EOFError(), thread=True) == raised(ConnectionResetError(), thread=True) == ""
    assert "ValueError: wrong" in raised(ValueError("wrong"), thread=True)
    assert "EOFError" in raised(EOFError(), thread=False)
