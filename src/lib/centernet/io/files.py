"""Writing files so that a killed process never leaves half of one; reading a user's text files."""

from __future__ import annotations

import hashlib
import os
import re
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from centernet.runtime.errors import UserError, WriteError, refusal

_TEMPORARY = re.compile(r"\..+\.(\d{1,10})\.tmp(\.\w+)?")  # see atomic_write


@contextmanager
def atomic_write(path: str | Path) -> Iterator[Path]:
    """Yield a temporary path beside `path`; rename it over `path` when the block ends well.

    The temporary file is flushed to the disk before the rename, keeps the suffix of `path` (writers
    such as cv2.imwrite choose the format by it) and is removed when the block raises. WriteError,
    which is an OSError too, when the disk is full or the folder may not be written to.
    """
    path = Path(path)
    temporary = path.with_name(f".{path.stem}.{os.getpid()}.tmp{path.suffix}")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        yield temporary
        with open(temporary, "rb+") as handle:
            os.fsync(handle.fileno())
        os.replace(temporary, path)
    except UserError:
        raise
    except OSError as error:
        line = refusal(error, path)
        if line is None:
            raise
        raise WriteError(line.replace(str(temporary), str(path))) from error
    finally:
        with suppress(OSError):  # of a folder that cannot be written to
            temporary.unlink(missing_ok=True)


def clear_temporary(folder: str | Path) -> None:
    """Remove what `atomic_write` left in `folder` when its process was killed.

    The temporary files of other processes that are alive are theirs.
    """
    for path in Path(folder).glob(".*.tmp*"):
        found = _TEMPORARY.fullmatch(path.name)
        if found and (int(found[1]) == os.getpid() or not _alive(int(found[1]))):
            with suppress(OSError):
                path.unlink(missing_ok=True)


def _alive(process: int) -> bool:
    if os.name == "nt":
        return True  # os.kill would end it there
    try:
        os.kill(process, 0)
    except (ProcessLookupError, OverflowError):
        return False
    except PermissionError:
        return True
    return True


def write_text(path: str | Path, text: str) -> Path:
    """Write `text` (UTF-8) to `path` atomically and return the path."""
    with atomic_write(path) as temporary:
        temporary.write_text(text, encoding="utf-8")
    return Path(path)


def digest_of(path: str | Path, kind: str = "sha256") -> str:
    """The hexadecimal digest of a file; `kind` is "sha256" or "md5"."""
    digest = hashlib.new(kind, usedforsecurity=False)
    with open(path, "rb") as file:
        while block := file.read(1 << 20):
            digest.update(block)
    return digest.hexdigest()


def read_lines(path: str | Path) -> list[str]:
    """Lines of a user's text file: UTF-8, with a byte order mark (as Windows writes) or without.

    UserError when it cannot be read or is in another encoding.
    """
    try:
        return Path(path).read_text(encoding="utf-8-sig").splitlines()
    except OSError as error:
        raise UserError(f"{path}: cannot be read ({error.strerror})") from None
    except UnicodeDecodeError as error:
        raise UserError(f"{path}: not text in UTF-8 ({error.reason}); save it as UTF-8") from None


def free_path(path: Path) -> Path:
    """`path`, or the first of path_2, path_3 ... that does not exist."""
    stem, number = path.stem, 1
    while path.exists():
        number += 1
        path = path.with_name(f"{stem}_{number}{path.suffix}")
    return path
