"""What a run writes down of itself: see `provenance`."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from typing import Any

import torch

from centernet.datasets.source import Source
from centernet.io.files import digest_of
from centernet.io.run_folder import LAST
from centernet.models.checkpoint import Checkpoint
from centernet.options.options import Options
from centernet.runs.provenance import ENDED, STARTED, TESTED, Record, hardware
from centernet.trains.distributed import Processes


@contextmanager
def recorded(
    options: Options, processes: Processes, epoch: int, reached: Callable[[], int] | None = None
) -> Iterator[None]:
    """Record that training starts after `epoch` and, if the block is not left early, its end.

    `reached` tells the epoch that it ended after, by default the last one of all.
    """
    if not processes.main or epoch >= options.train.num_epochs:
        yield
        return
    record = Record(options.save_dir)
    machine = hardware(processes.device, processes.world)
    record.add(STARTED, machine, after_epoch=epoch, **_asked(options))
    yield
    weights = {"file": LAST, "sha256": digest_of(options.folder.last)}
    end = options.train.num_epochs if reached is None else reached()
    record.add(ENDED, machine, epoch=end, weights=weights, **_asked(options))


def record_test(
    options: Options,
    checkpoint: Checkpoint,
    sha256: str,
    source: Source,
    metrics: Mapping[str, float],
    device: torch.device,
) -> None:
    """Record the metrics of `checkpoint` and the file of the detections that they were taken of.

    `sha256` is the hash of its file when it was read: a training beside the test may replace it.
    """
    results = options.save_dir / source.results_name
    Record(options.save_dir).add(
        TESTED,
        hardware(device),
        epoch=checkpoint.epoch,
        weights={"file": str(checkpoint.path), "sha256": sha256},
        images=len(source),
        metrics={name: v if math.isfinite(v) else None for name, v in metrics.items()},
        results={"file": source.results_name, "sha256": digest_of(results)},
        **_asked(options),
    )


def _asked(options: Options) -> dict[str, Any]:
    flags = options.as_dict()
    # The command is recorded separately; the versions are those of the process.
    return {"command": flags.pop("command"), "flags": flags}
