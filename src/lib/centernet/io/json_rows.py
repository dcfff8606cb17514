"""A json list written row by row: memory does not grow with it."""

from __future__ import annotations

import json
from contextlib import AbstractContextManager, ExitStack
from pathlib import Path
from textwrap import indent
from types import TracebackType
from typing import Any, TextIO

from centernet.io.files import atomic_write


class JsonRows(AbstractContextManager["JsonRows"]):
    """The file that json.dumps(rows, indent=1) would be, its rows written as they come.

    It appears under its name when the block ends, also by an exception: what was written until
    then is kept. Without a row there is no file.
    """

    def __init__(self, path: Path) -> None:
        self.path = Path(path)
        self.rows = 0
        self._open = ExitStack()
        self._file: TextIO | None = None

    def add(self, row: Any) -> None:
        """Append one row."""
        if self._file is None:
            temporary = self._open.enter_context(atomic_write(self.path))
            self._file = self._open.enter_context(temporary.open("w", encoding="utf-8"))
        self._file.write("[\n" if self.rows == 0 else ",\n")
        self._file.write(indent(json.dumps(row, indent=1), " "))
        self._file.flush()
        self.rows += 1

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        if self._file is not None:
            self._file.write("\n]\n")
        self._open.close()
