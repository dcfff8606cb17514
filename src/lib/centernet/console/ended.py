"""The signals that end a command, which it answers in one way."""

from __future__ import annotations

import os
import signal
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType

from centernet.runtime.errors import Interrupted

AGAIN = "interrupted; nothing that was there is lost: the same command begins again"


@contextmanager
def ended_by() -> Iterator[list[int]]:
    """Let SIGTERM raise KeyboardInterrupt as Ctrl-C does; the list tells which signal came.

    The second is passed over, so that what is written in answer is written: under torchrun Ctrl-C
    comes from the terminal and from torchrun. A process forked from this one ends by the signal.
    """
    came: list[int] = []
    if threading.current_thread() is not threading.main_thread():
        yield came  # Python lets no other thread set what a signal does
        return
    process = os.getpid()

    def answer(number: int, frame: FrameType | None) -> None:
        if os.getpid() != process:
            signal.signal(number, signal.SIG_DFL)
            os.kill(os.getpid(), number)
            return
        came.append(number)
        if len(came) != 2:
            raise KeyboardInterrupt

    before = {}
    for number in (signal.SIGINT, signal.SIGTERM):
        old = signal.getsignal(number)
        if old not in (signal.SIG_IGN, None):  # ignored as nohup and shells with & ask
            before[number] = signal.signal(number, answer)
    try:
        yield came
    finally:
        for number, old in before.items():
            signal.signal(number, old)


def tell(error: KeyboardInterrupt, prog: str) -> None:
    """Say on stderr how to go on, unless that was said."""
    if not isinstance(error, Interrupted):
        print(f"{prog}: {AGAIN}", file=sys.stderr)
