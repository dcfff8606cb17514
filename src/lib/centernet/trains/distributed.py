"""Several processes that train one network: joining them, summing over them, starting them.

Each process holds the network and works on its share of every batch (DistributedDataParallel). They
are started by torchrun, or by `spawn` for `--gpus 0,1`; both describe themselves in the environment
(RANK, WORLD_SIZE, LOCAL_RANK, MASTER_ADDR, MASTER_PORT). GPUs talk through nccl, CPUs through gloo.
"""

from __future__ import annotations

import atexit
import gc
import os
import signal
import socket
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import timedelta
from importlib import import_module
from multiprocessing.process import BaseProcess
from typing import Any

import torch
import torch.distributed as dist
from torch import Tensor, multiprocessing

from centernet.console.ended import ended_by, tell
from centernet.runtime.errors import Interrupted, UserError, in_words
from centernet.runtime.parent import end_with_parent

GRACE = 4.0  # seconds that interrupted processes have to end by themselves
PATIENCE = timedelta(hours=2)  # the others wait this long while the first process evaluates


@dataclass(frozen=True)
class Processes:
    """This process among `world` of them. `rank` 0 is the one that speaks and writes."""

    rank: int = 0
    world: int = 1
    device: torch.device = field(default_factory=lambda: torch.device("cpu"))

    @property
    def main(self) -> bool:
        return self.rank == 0

    def sum(self, value: Tensor) -> Tensor:
        """The sum of `value` over all processes, in place; every process must call."""
        if self.world > 1:
            dist.all_reduce(value)
        return value

    def gather(self, value: Any) -> list[Any]:
        """`value` of every process, by rank; every process must call."""
        if self.world == 1:
            return [value]
        values = [None] * self.world
        dist.all_gather_object(values, value)
        return values

    def share(self, value: Any) -> Any:
        """`value` of the main process, in every process; every process must call."""
        if self.world == 1:
            return value
        box = [value]
        dist.broadcast_object_list(box, device=self.device)
        return box[0]


ALONE = Processes()


@contextmanager
def join(device: torch.device | str) -> Iterator[Processes]:
    """Join the processes that the environment names; a process by itself is `world` 1.

    `device` is the type wanted ("cpu" or "cuda"); with several processes each takes the GPU of its
    LOCAL_RANK. The group is left when the block ends.

    gloo's threads end with the last reference to the group; one that lives on into the end of the
    interpreter aborts the process (it may not wait for the GIL there). So nothing may hold the
    group for good, and what holds it in a circle is collected before that end.
    """
    device = torch.device(device)
    world = int(os.environ.get("WORLD_SIZE", "1"))
    if world == 1:
        yield Processes(device=device)
        return
    end_with_parent()
    rank, local = int(os.environ["RANK"]), int(os.environ.get("LOCAL_RANK", "0"))
    if device.type == "cuda":
        if local >= torch.cuda.device_count():
            raise UserError(f"process {local} finds {torch.cuda.device_count()} GPUs; start fewer")
        device = torch.device("cuda", local)
        torch.cuda.set_device(device)
    # Imported later, as DistributedDataParallel does, it takes the group for its default arguments.
    import_module("torch.distributed.nn.functional")
    atexit.register(gc.collect)
    dist.init_process_group("nccl" if device.type == "cuda" else "gloo", timeout=PATIENCE)
    try:
        yield Processes(rank, world, device)
    finally:
        dist.destroy_process_group()


def spawn(function: Callable[..., None], args: Sequence[Any], devices: Sequence[int] | int) -> None:
    """Run `function(*args)` in one new process per device and wait for all of them.

    `devices` are GPU numbers, or a number of CPU processes. `function` must be importable by name
    and calls `join` itself. A UserError in any process ends the others and is raised here.
    """
    world = devices if isinstance(devices, int) else len(devices)
    visible = None if isinstance(devices, int) else _visible(devices)
    context = multiprocessing.get_context("spawn")
    complaints = context.SimpleQueue()
    setting = (world, _free_port(), visible, complaints, function, tuple(args))
    started = multiprocessing.start_processes(
        _run, setting, nprocs=world, start_method="spawn", join=False
    )
    try:
        while not started.join():
            pass
    except KeyboardInterrupt:
        _interrupt(started.processes)
        raise Interrupted from None
    except multiprocessing.ProcessExitedException:
        if complaints.empty():
            raise
        raise UserError(complaints.get()) from None


def _interrupt(processes: Sequence[BaseProcess]) -> None:
    """Let the processes say how to go on and end; end those that do not."""
    for process in processes:
        if process.is_alive() and process.pid is not None:
            os.kill(process.pid, signal.SIGINT)
    until = time.monotonic() + GRACE
    for process in processes:
        process.join(max(0.0, until - time.monotonic()))
        if process.is_alive():
            process.kill()
            process.join()


def _run(
    rank: int,
    world: int,
    port: int,
    visible: str | None,
    complaints: Any,
    function: Callable[..., None],
    args: tuple[Any, ...],
) -> None:
    os.environ.update(RANK=str(rank), LOCAL_RANK=str(rank), WORLD_SIZE=str(world))
    os.environ.update(MASTER_ADDR="127.0.0.1", MASTER_PORT=str(port))
    if visible is not None:
        os.environ["CUDA_VISIBLE_DEVICES"] = visible
    try:
        with in_words(), ended_by():
            function(*args)
    except UserError as error:
        complaints.put(str(error))
        raise SystemExit(2) from None
    except KeyboardInterrupt as error:
        if rank == 0:
            tell(error, "main.py")
        raise SystemExit(130) from None


def _visible(gpus: Sequence[int]) -> str:
    """CUDA_VISIBLE_DEVICES for `gpus`, which count within what this process may see itself."""
    outer = os.environ.get("CUDA_VISIBLE_DEVICES")
    names = outer.split(",") if outer else None
    return ",".join(names[gpu] if names else str(gpu) for gpu in gpus)


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]
