"""`njit`: numba's compiler with the compiled code kept between runs, where it can be kept."""

from __future__ import annotations

import hashlib
import os
import re
import shutil
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from functools import cache
from pathlib import Path
from typing import Any

import numba

from centernet.runtime.private import cache_folder

PACKAGE = Path(__file__).parents[1]
OPTIONS: dict[str, Any] = {"nogil": True, "error_model": "numpy"}
_settings: Any = numba.config  # its names are made when it is imported
_IMPORTED = re.compile(r"^from centernet\.([\w.]+) import", re.MULTILINE)
UNUSED = 30 * 24 * 3600.0  # seconds after which the code of other sources is deleted


def njit(function: Callable[..., Any]) -> Callable[..., Any]:
    """Compile `function` on its first call, without the GIL and with division as in C.

    The machine code is kept in the user's cache folder, in a folder named by the content of every
    source of the package that holds compiled functions: numba itself looks at the file of
    `function` alone and would go on with a callee of another module as it was. (It does so for
    compiled functions outside the package that call one another across files: keep those in one
    file.) Where no folder can be written, `function` is compiled again in every process.
    """
    if folder := _folder():
        try:
            with _cached_in(folder):
                compiled = numba.njit(cache=True, **OPTIONS)(function)
        except RuntimeError as error:
            if "cannot cache" not in str(error):
                raise
        else:
            if _inside(compiled.stats.cache_path, folder):
                return compiled  # type: ignore[no-any-return]
    return numba.njit(**OPTIONS)(function)  # type: ignore[no-any-return]


def sources(package: Path = PACKAGE) -> list[Path]:
    """The files of the package that hold compiled functions, and those that they import from.

    numba writes the constants that a function names into its code, so these files count too.
    """
    holders = [path for path in package.rglob("*.py") if b"njit" in path.read_bytes()]
    found = set(holders)
    for path in holders:
        for name in _IMPORTED.findall(path.read_text(encoding="utf-8")):
            module = package.joinpath(*name.split("."))
            found |= {module.with_suffix(".py"), module / "__init__.py"}
    return sorted(path for path in found if path.is_file())


def fingerprint(package: Path = PACKAGE) -> str:
    """16 hexadecimal digits that follow the content of all `sources`."""
    digest = hashlib.sha256()
    for path in sources(package):
        digest.update(f"{path.relative_to(package)}\0".encode() + path.read_bytes() + b"\0")
    return digest.hexdigest()[:16]


@cache
def _folder() -> Path | None:
    """The cache of these sources, made; None where it cannot be written."""
    chosen = _settings.CACHE_DIR  # NUMBA_CACHE_DIR, where other programs keep theirs too
    folder = cache_folder("numba", str(Path(chosen) / "centernet") if chosen else None)
    folder /= fingerprint()
    try:
        if not folder.exists():
            folder.mkdir(parents=True, mode=0o700, exist_ok=True)
            _forget_others(folder)
        os.utime(folder)
    except OSError:
        return None
    return folder


def _forget_others(folder: Path) -> None:
    """Delete what other versions of the sources left and nobody has used for long."""
    before = time.time() - UNUSED
    for other in folder.parent.iterdir():
        with suppress(OSError):
            named = len(other.name) == len(folder.name) and other.is_dir()
            if named and other.stat().st_mtime < before:
                shutil.rmtree(other)


@contextmanager
def _cached_in(folder: Path) -> Iterator[None]:
    """numba's setting is read when a function is decorated; it is the user's again afterwards."""
    before = _settings.CACHE_DIR
    _settings.CACHE_DIR = str(folder)
    try:
        yield
    finally:
        _settings.CACHE_DIR = before


def _inside(path: str | None, folder: Path) -> bool:
    return path is not None and Path(path).is_relative_to(folder)
