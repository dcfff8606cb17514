"""A json file that holds a list and grows by its entries."""

from __future__ import annotations

import json
from pathlib import Path
from types import TracebackType
from typing import Any, TextIO

from centernet.runtime.errors import WriteError, refusal

_END = "\n]\n"


class JsonList:
    """The list in the file at `path`, which must not exist; a context manager.

    After every entry the file is a whole json document again, so a program that is killed leaves
    what it had come to, and none of it has to stay in memory. The file is made with the first
    entry.
    """

    def __init__(self, path: str | Path) -> None:
        self.path = Path(path).absolute()
        self.count = 0
        self._file: TextIO | None = None
        self._end = 0  # where the bracket that closes the list begins

    def append(self, entry: Any) -> None:
        """Write `entry`; WriteError, which names the file, when the disk is full."""
        text = json.dumps(entry, indent=1)
        try:
            if self._file is None:
                self.path.parent.mkdir(parents=True, exist_ok=True)
                self._file = open(self.path, "x", encoding="utf-8")  # noqa: SIM115 (closed at exit)
                self._file.write("[\n")
            else:
                self._file.seek(self._end)
                self._file.write(",\n")
            self._file.write(text)
            self._end = self._file.tell()
            self._file.write(_END)
            self._file.flush()
        except OSError as error:
            line = refusal(error, self.path)
            if line is None:
                raise
            raise WriteError(line) from error
        self.count += 1

    def __enter__(self) -> JsonList:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        if self._file is not None:
            self._file.close()
