"""A process that ends when the one that started it is gone."""

from __future__ import annotations

import multiprocessing
import os
import threading
import time

EVERY = 1.0  # seconds between two looks


def end_with_parent() -> None:
    """End this process at once, within seconds, when its parent has ended without ending it.

    For processes that only work for another: killed with SIGKILL, that one cannot tell them. Asked
    of the system in a thread, as what Linux offers (PR_SET_PDEATHSIG) counts the thread that
    started a process, not its process. On Windows nothing is done: the parent's number stays.
    """
    if os.name == "nt":
        return
    starter = multiprocessing.parent_process()
    parent = os.getppid() if starter is None or starter.pid is None else starter.pid
    threading.Thread(target=_watch, args=(parent,), name="parent", daemon=True).start()


def _watch(parent: int) -> None:
    while os.getppid() == parent:
        time.sleep(EVERY)
    os._exit(1)  # not sys.exit: the main thread may be waiting for what never comes
