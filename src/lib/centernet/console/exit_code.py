"""How a command ends."""

from __future__ import annotations

import os
import select
import signal
import sys
from collections.abc import Callable

from centernet.console.ended import ended_by, tell
from centernet.runtime.errors import UserError, in_words

INTERRUPTED = 128  # and the signal's number, as shells report it
BROKEN_PIPE = 141  # as shells report a program that SIGPIPE ended


def exit_code(prog: str, work: Callable[[], None]) -> int:
    """The exit code of `work`: 0, or 130 (Ctrl-C) and 143 (SIGTERM) when it was interrupted.

    A mistake of the user's, a full disk or a folder that may not be written to is 2 and one
    line that begins `prog`. 141, without a word, when nobody reads on (`main.py ctdet --help |
    head`).
    """
    came: list[int] = []
    try:
        try:
            with in_words(), ended_by() as came:
                work()
        finally:
            sys.stdout.flush()  # here, where a closed pipe can still be answered
    except UserError as error:
        print(f"{prog}: {error}", file=sys.stderr)
        return 2
    except KeyboardInterrupt as error:
        tell(error, prog)
        return INTERRUPTED + (came[0] if came else signal.SIGINT)
    except BrokenPipeError:
        if not nobody_reads():
            raise  # another pipe: of a worker process, say
        # Python flushes once more at its end: into nothing.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return BROKEN_PIPE
    return 0


def nobody_reads() -> bool:
    """Whether standard output is a pipe whose other end is closed."""
    if not hasattr(select, "poll"):
        return False  # Windows, which reports it in another way
    poll = select.poll()
    poll.register(sys.stdout.fileno(), 0)
    return any(event & (select.POLLERR | select.POLLHUP) for _, event in poll.poll(0))
