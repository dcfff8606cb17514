"""How long each stage of detection takes, per image."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager

import torch

STAGES = ("load", "pre", "net", "dec", "post", "merge")


class Timings:
    """Seconds spent in the six stages, summed over `images`; `tot` is their sum.

    load: reading the file. pre: resizing and normalising. net: the network, its activations and
    the mean over the mirrored image. dec: peaks to boxes. post: boxes to image pixels. merge: over
    test scales. Stages that other threads did ahead count as the work they were, so `tot` can be
    more than the time that passed.
    """

    def __init__(self, device: torch.device | None = None) -> None:
        self.images = 0
        self._seconds = dict.fromkeys(STAGES, 0.0)
        self._device = device

    @contextmanager
    def stage(self, name: str) -> Iterator[None]:
        """Add the time of the block to stage `name`; waits for a CUDA device, and only for one."""
        self._wait()
        start = time.perf_counter()
        yield
        self._wait()
        self.add(name, time.perf_counter() - start)

    def add(self, name: str, seconds: float) -> None:
        """Add time that was measured elsewhere."""
        self._seconds[name] += seconds

    def _wait(self) -> None:
        if self._device is not None and self._device.type == "cuda":
            torch.cuda.synchronize(self._device)

    def mean(self) -> dict[str, float]:
        """Seconds an image: tot, load, pre, net, dec, post, merge."""
        each = {name: total / max(self.images, 1) for name, total in self._seconds.items()}
        return {"tot": sum(each.values()), **each}

    def __str__(self) -> str:
        return " | ".join(f"{name} {1000 * value:.1f} ms" for name, value in self.mean().items())
