"""How far a long transfer is: a bar on a terminal, a line now and then elsewhere."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable
from types import TracebackType
from typing import TextIO

from progress.bar import Bar

MEGABYTE = 1e6
SECONDS = 15.0  # between two lines where there is no terminal

Log = Callable[[str], None]


class Meter:
    """Bytes done of `total` (None when nobody knows it), shown while the block lasts."""

    def __init__(
        self, label: str, total: int | None, log: Log = print, stream: TextIO | None = None
    ) -> None:
        self.label, self.total, self.done = label, total, 0
        self._log = log
        self._shown = time.monotonic()
        stream = sys.stderr if stream is None else stream
        self._bar = None
        if total and stream.isatty():
            suffix = f"%(percent)d%% of {megabytes(total)}, %(eta_td)s left"
            self._bar = Bar(label, max=total, suffix=suffix, file=stream)

    def __enter__(self) -> Meter:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        if self._bar is not None:
            self._bar.finish()

    def reach(self, done: int) -> None:
        """Say that the first `done` bytes are there."""
        self.done = done
        now = time.monotonic()
        if self._bar is not None:
            if now - self._shown >= 0.1 or done == self.total:
                self._bar.goto(done)
                self._shown = now
        elif now - self._shown >= SECONDS:
            self._log(f"{self.label}: {self}")
            self._shown = now

    def __str__(self) -> str:
        whole = f" of {megabytes(self.total)}" if self.total else ""
        return f"{megabytes(self.done)}{whole}"


def megabytes(count: int) -> str:
    """`count` bytes for the eye; below a megabyte as the exact number."""
    if count < MEGABYTE:
        return f"{count} bytes"
    return f"{count / 1e9:.2f} GB" if count >= 1e9 else f"{count / MEGABYTE:.1f} MB"
