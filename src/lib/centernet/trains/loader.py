"""The batches of an epoch, from workers whose draws do not depend on how many they are."""

from __future__ import annotations

import re
import signal
from collections.abc import Iterator
from itertools import islice
from typing import Any, Protocol

import cv2
import torch
from torch.utils.data import DataLoader

from centernet.runtime.errors import UserError
from centernet.trains.distributed import ALONE, Processes
from centernet.trains.sampler import BatchSampler
from centernet.trains.seeds import mixed

Batch = dict[str, Any]


class EpochData(Protocol):
    """Samples that depend on (epoch, index) alone, such as `centernet.trains.samples.Dataset`."""

    def __len__(self) -> int: ...

    def __getitem__(self, index: int) -> dict[str, Any]: ...

    def set_epoch(self, epoch: int) -> None: ...


class EpochLoader:
    """Reads `data` in batches of `batch_size` images over all processes; see BatchSampler.

    `workers` are processes that prepare samples ahead; 0 prepares them in this one. `pin` puts
    batches into memory from which a GPU copies without waiting.
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
    ) -> None:
        self.data, self.batch_size = data, batch_size
        self.sampler = BatchSampler(
            len(data),
            batch_size,
            seed=seed,
            shuffle=shuffle,
            drop_last=drop_last,
            processes=processes,
        )
        self._seed = seed
        # Workers are seeded from it; drawing from the global one would disturb that.
        self._generator = torch.Generator()
        self._loader = DataLoader(
            data,
            batch_sampler=self.sampler,
            num_workers=workers,
            pin_memory=pin,
            worker_init_fn=_settle_in,
            generator=self._generator,
        )

    def __len__(self) -> int:
        return len(self.sampler)

    def epoch(self, epoch: int, limit: int = -1) -> Iterator[Batch]:
        """The batches of `epoch`, at most `limit` if that is positive.

        A UserError of a worker arrives as itself: one line.
        """
        self.data.set_epoch(epoch)
        self.sampler.set_epoch(epoch)
        self._generator.manual_seed(mixed(self._seed, epoch, self.sampler.processes.rank))
        batches = iter(self._loader) if limit <= 0 else islice(self._loader, limit)
        try:
            yield from batches
        except UserError as error:
            raise UserError(_in_one_line(str(error))) from error
        except RuntimeError as error:
            if "DataLoader worker" not in str(error):
                raise
            raise UserError(
                "a process that reads images was ended by the system, most likely for want of"
                " memory; use fewer --num_workers (0 reads in the main process)"
            ) from error


def _in_one_line(message: str) -> str:
    """The message alone, where DataLoader has wrapped it in the worker's traceback."""
    if not message.startswith("Caught "):
        return message
    return re.sub(r"^[\w.]+: ", "", message.strip().splitlines()[-1])


def _settle_in(worker: int) -> None:
    cv2.setNumThreads(0)  # workers are the parallelism; threads of threads only wait for each other
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is the main process's, which ends them
