"""Which images make up each batch of an epoch."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray
from torch.utils.data import Sampler

from centernet.runtime.errors import UserError
from centernet.trains.distributed import ALONE, Processes
from centernet.trains.repeats import drawn


class BatchSampler(Sampler[list[int]]):
    """This process's share of every batch of an epoch.

    The order of the images depends on (seed, epoch) alone, and a batch is cut into shares only
    after it has been composed: it holds the same images however many processes there are, and a
    resumed run sees the batches it would have seen.
    """

    def __init__(
        self,
        length: int,
        batch_size: int,
        *,
        seed: int,
        shuffle: bool = True,
        drop_last: bool = True,
        processes: Processes = ALONE,
        repeats: NDArray[np.float64] | None = None,
    ) -> None:
        """`batch_size` counts the images of all processes together; `length` those of the data.

        `repeats` (length,) says how often each image is seen in an epoch, in the mean.
        `drop_last` leaves out the last images of an epoch that do not fill a batch. UserError if
        there would be no batch, or fewer images in one than processes.
        """
        images, length = length, length if repeats is None else int(repeats.sum())
        if batch_size < processes.world:
            raise UserError(
                f"batch size {batch_size} is less than one image for each of {processes.world}"
                f" processes; use --batch_size {processes.world} or more"
            )
        if drop_last and length < batch_size:
            raise UserError(
                f"the data set has {images} images, fewer than one batch of {batch_size};"
                f" use --batch_size {length} or less"
            )
        self.length, self.batch_size, self.seed = length, batch_size, seed
        self.shuffle, self.drop_last, self.processes = shuffle, drop_last, processes
        self.repeats, self.epoch = repeats, 0

    def set_epoch(self, epoch: int) -> None:
        """Choose the epoch whose order follows."""
        self.epoch = epoch

    def __len__(self) -> int:
        """Batches of an epoch; without `drop_last` a process may have no share in the last."""
        full, rest = divmod(self.length, self.batch_size)
        own_rest = rest > self.processes.rank
        return full + (own_rest and not self.drop_last)

    def order(self) -> NDArray[np.int64]:
        """All images in the order of this epoch."""
        if not self.shuffle:
            return np.arange(self.length)
        rng = np.random.default_rng([self.seed, self.epoch])
        return rng.permutation(self.length) if self.repeats is None else drawn(self.repeats, rng)

    def __iter__(self) -> Iterator[list[int]]:
        order = self.order()
        for start in range(0, len(self) * self.batch_size, self.batch_size):
            batch = order[start : start + self.batch_size]
            shares = np.array_split(batch, self.processes.world)
            yield shares[self.processes.rank].tolist()
