"""The batches of an epoch, from workers whose draws do not depend on how many they are."""

from __future__ import annotations

import re
import signal
import sys
import threading
from collections.abc import Iterator
from itertools import islice
from types import TracebackType
from typing import Any, Protocol

import cv2
import numpy as np
import torch
from numpy.typing import NDArray
from torch.utils.data import DataLoader, get_worker_info
from torch.utils.data import Dataset as TorchDataset

from centernet.runtime.errors import UserError
from centernet.runtime.parent import end_with_parent
from centernet.trains.distributed import ALONE, Processes
from centernet.trains.sampler import BatchSampler
from centernet.trains.seeds import mixed, seed_everything

Batch = dict[str, Any]


class EpochData(Protocol):
    """Samples that depend on (epoch, index) alone, such as `centernet.trains.samples.Dataset`."""

    def __len__(self) -> int: ...

    def __getitem__(self, index: int) -> dict[str, Any]: ...

    def set_epoch(self, epoch: int) -> None: ...


class EpochLoader:
    """Reads `data` in batches of `batch_size` images over all processes; see BatchSampler.

    `workers` are processes that prepare samples ahead; 0 prepares them in this one. They live on
    from epoch to epoch and begin the next one while the last batches of this one are learned from.
    `repeats` says how often each image is seen in an epoch (see BatchSampler).
    `pin` puts batches into memory from which a GPU copies without waiting.
    """

    def __init__(
        self,
        data: EpochData,
        batch_size: int,
        *,
        seed: int = 317,
        shuffle: bool = True,
        drop_last: bool = True,
        workers: int = 0,
        pin: bool = False,
        processes: Processes = ALONE,
        repeats: NDArray[np.float64] | None = None,
    ) -> None:
        self.data, self.batch_size = data, batch_size
        self.sampler = BatchSampler(
            len(data),
            batch_size,
            seed=seed,
            shuffle=shuffle,
            drop_last=drop_last,
            processes=processes,
            repeats=repeats,
        )
        self._seed, self._workers, self._pin = seed, workers, pin
        self._stream: Iterator[Batch] | None = None
        self._next: tuple[int, int, int] | None = None  # (epoch, limit, until) of the stream

    def __len__(self) -> int:
        return len(self.sampler)

    def epoch(self, epoch: int, limit: int = -1, until: int | None = None) -> Iterator[Batch]:
        """The batches of `epoch`, at most `limit` if that is positive.

        `until` is the last epoch that will be asked for, one after another: the workers live until
        then. A UserError of a worker arrives as itself: one line.
        """
        until = epoch if until is None else until
        if self._stream is None or self._next != (epoch, limit, until):
            self._stream = self._start(epoch, limit, until)
        count = len(self) if limit <= 0 else min(limit, len(self))
        stream, self._stream = self._stream, None  # an epoch that is left early ends it
        try:
            yield from islice(stream, count)
        except UserError as error:
            raise UserError(_in_one_line(str(error))) from error
        except RuntimeError as error:
            if "DataLoader worker" not in str(error):
                raise
            raise UserError(
                "a process that reads images was ended by the system, most likely for want of"
                " memory; use fewer --num_workers (0 reads in the main process)"
            ) from error
        if epoch < until:
            self._stream, self._next = stream, (epoch + 1, limit, until)

    def close(self) -> None:
        """End the workers; another epoch starts new ones."""
        self._stream = self._next = None

    def _start(self, epoch: int, limit: int, until: int) -> Iterator[Batch]:
        generator = torch.Generator()  # drawing from the global one would disturb that
        generator.manual_seed(mixed(self._seed, epoch, self.sampler.processes.rank))
        return iter(
            DataLoader(
                _Keyed(self.data, self._seed),
                batch_sampler=_Epochs(self.sampler, range(epoch, until + 1), limit),
                num_workers=self._workers,
                pin_memory=self._pin,
                worker_init_fn=_settle_in,
                generator=generator,
            )
        )


class _Epochs:
    """The batches of several epochs, of keys (epoch, index)."""

    def __init__(self, sampler: BatchSampler, epochs: range, limit: int) -> None:
        self.sampler, self.epochs, self.limit = sampler, epochs, limit

    def __iter__(self) -> Iterator[list[tuple[int, int]]]:
        for epoch in self.epochs:
            self.sampler.set_epoch(epoch)
            batches = islice(self.sampler, self.limit if self.limit > 0 else None)
            for batch in batches:
                yield [(epoch, index) for index in batch]


class _Keyed(TorchDataset):
    """The samples of `data` by (epoch, index).

    A worker's global generators are seeded again for each, for libraries that draw from them: which
    worker makes a sample, and what it made before, does not matter.
    """

    def __init__(self, data: EpochData, seed: int) -> None:
        self.data, self.seed = data, seed

    def __getitem__(self, key: tuple[int, int]) -> dict[str, Any]:
        epoch, index = key
        if get_worker_info() is not None:
            seed_everything(self.seed, epoch, index)
        self.data.set_epoch(epoch)
        return self.data[index]


def _in_one_line(message: str) -> str:
    """The message alone, where DataLoader has wrapped it in the worker's traceback."""
    if not message.startswith("Caught "):
        return message
    return re.sub(r"^[\w.]+: ", "", message.strip().splitlines()[-1])


def _settle_in(worker: int) -> None:
    cv2.setNumThreads(0)  # workers are the parallelism; threads of threads only wait for each other
    end_with_parent()
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is the main process's, which ends them
    sys.excepthook = _without_hang_ups


def _without_hang_ups(
    kind: type[BaseException], error: BaseException, trace: TracebackType | None
) -> None:
    """As Python's, but for a thread whose other end has gone.

    The thread that hands memory over to the main process prints a traceback when that one is
    interrupted while it is taking it.
    """
    main = threading.current_thread() is threading.main_thread()
    if main or not issubclass(kind, EOFError | ConnectionError):
        sys.__excepthook__(kind, error, trace)
