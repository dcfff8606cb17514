"""Unpacking archives of others: only plain files and folders, none of them outside the target.

Names and kinds of all members are looked at before the first byte is written. Nothing is executed,
linked or given the rights and owners that the archive states.
"""

from __future__ import annotations

import lzma
import os
import shutil
import stat
import struct
import tarfile
import zipfile
import zlib
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import IO, Any

from centernet.io.meter import Log, Meter
from centernet.runtime.errors import UserError

BLOCK = 1 << 20  # bytes copied at a time
Place = Callable[[str], str | None]
# What the readers raise; RuntimeError and its NotImplementedError: encrypted, packed unknown ways.
DAMAGE = (
    *(zipfile.BadZipFile, tarfile.TarError, zlib.error, lzma.LZMAError, struct.error),
    *(EOFError, RuntimeError, ValueError, OverflowError, LookupError, AttributeError, TypeError),
)


@dataclass(frozen=True)
class Member:
    """A file in an archive: its name there, its bytes, and what opens it."""

    name: str
    size: int
    handle: Any


def unpack(
    path: str | Path, folder: str | Path, *, place: Place = lambda name: name, log: Log = print
) -> int:
    """Unpack the .zip or .tar(.gz) at `path` into `folder`; the number of files that are its own.

    `place` says under which relative name a member is put, None to leave it out. A file that is
    there in its size already is left alone, so that an interrupted call can be repeated. All others
    are unpacked into a fresh folder in `folder` and moved to their places when it is whole.

    Raises UserError, and puts nothing in its place, when a member would lie outside of `folder`, on
    or beyond a link that is there, or is a link or a device itself, when it is larger than it says,
    when the archive is damaged, or when it does not fit on the disk.
    """
    path, folder = Path(path), Path(folder)
    try:
        with _opened(path) as (members, open_member):
            placed = [
                (member, folder / _plain(path, name))
                for member in members
                if (name := place(_plain(path, member.name))) is not None
            ]
            total = sum(member.size for member, _ in placed)
            _check_links(path, folder, [target for _, target in placed])
            _check_room(path, folder, placed)
            with (
                Meter(f"unpacking {path.name}", total, log) as meter,
                _fresh(folder / f".{path.name}.unpacking") as fresh,
            ):
                for member, target in placed:
                    _write(member, target, fresh / target.relative_to(folder), open_member)
                    meter.reach(meter.done + member.size)
                _move(fresh, folder, path)
    except UserError:
        raise
    except DAMAGE as error:
        why = (str(error) or type(error).__name__).splitlines()[0].rstrip(":")
        raise UserError(
            f"{path}: not an archive, or a damaged one ({why}); delete it and fetch it again"
        ) from error
    except OSError as error:
        where = error.filename or folder
        raise UserError(f"{where}: cannot be unpacked ({error.strerror or error})") from error
    return len(placed)


def _plain(path: Path, name: str) -> str:
    """`name` as a relative path with slashes; UserError when it leads out of the folder."""
    parts = PurePosixPath(name.replace("\\", "/")).parts
    if not parts or name.startswith(("/", "\\")) or ".." in parts or ":" in parts[0]:
        raise UserError(f"{path}: member {name!r} lies outside of the folder; nothing was unpacked")
    return "/".join(parts)


def _check_links(path: Path, folder: Path, targets: list[Path]) -> None:
    """Raise UserError where a link that is there already stands on the way to a target."""
    seen: set[Path] = set()
    for target in targets:
        for place in (target, *target.parents):
            if place == folder or place in seen:
                break
            seen.add(place)
            if place.is_symlink():
                raise UserError(
                    f"{path}: {place} is a link, and nothing is unpacked through one; remove it"
                )


@contextmanager
def _fresh(folder: Path) -> Iterator[Path]:
    """An empty folder that is gone afterwards; what a killed process left of it goes first."""
    if folder.is_symlink():
        folder.unlink()
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    try:
        yield folder
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def _move(fresh: Path, folder: Path, path: Path) -> None:
    files = [source for source in sorted(fresh.rglob("*")) if source.is_file()]
    _check_links(path, folder, [folder / source.relative_to(fresh) for source in files])
    for source in files:
        target = folder / source.relative_to(fresh)
        target.parent.mkdir(parents=True, exist_ok=True)
        os.replace(source, target)


def _check_room(path: Path, folder: Path, placed: list[tuple[Member, Path]]) -> None:
    missing = sum(m.size for m, target in placed if not _there(m, target))
    existing = next(p for p in (folder.absolute(), *folder.absolute().parents) if p.exists())
    free = shutil.disk_usage(existing).free
    if missing > free:
        raise UserError(f"{path}: needs {missing} bytes in {folder}, where {free} are free")


def _there(member: Member, target: Path) -> bool:
    return target.is_file() and target.stat().st_size == member.size


def _write(
    member: Member, target: Path, fresh: Path, open_member: Callable[[Any], IO[bytes]]
) -> None:
    """Write the member to `fresh`, no byte more than it announces, unless `target` has it."""
    if _there(member, target):
        return
    fresh.parent.mkdir(parents=True, exist_ok=True)
    done = 0
    with open_member(member.handle) as source, open(fresh, "wb") as file:
        while block := source.read(min(BLOCK, member.size - done + 1)):
            done += len(block)
            if done > member.size:
                raise zipfile.BadZipFile(f"member {member.name!r} is longer than it says")
            file.write(block)
    if done != member.size:
        raise zipfile.BadZipFile(f"member {member.name!r} is shorter than it says")


@contextmanager
def _opened(path: Path) -> Iterator[tuple[list[Member], Callable[[Any], IO[bytes]]]]:
    """The files of an archive and what opens one of them; UserError for links and devices."""
    if zipfile.is_zipfile(path):
        with zipfile.ZipFile(path) as archive:
            yield [_zipped(path, i) for i in archive.infolist() if not i.is_dir()], archive.open
    else:
        with tarfile.open(path) as tar:
            yield [_tarred(path, i) for i in tar.getmembers() if not i.isdir()], _opener(tar)


def _opener(tar: tarfile.TarFile) -> Callable[[tarfile.TarInfo], IO[bytes]]:
    def opened(info: tarfile.TarInfo) -> IO[bytes]:
        file = tar.extractfile(info)
        assert file is not None  # `_tarred` lets only files pass
        return file

    return opened


def _zipped(path: Path, info: zipfile.ZipInfo) -> Member:
    mode = info.external_attr >> 16
    if stat.S_IFMT(mode) not in (0, stat.S_IFREG):
        raise _not_a_file(path, info.filename)
    return Member(info.filename, info.file_size, info)


def _tarred(path: Path, info: tarfile.TarInfo) -> Member:
    if not info.isreg():
        raise _not_a_file(path, info.name)
    return Member(info.name, info.size, info)


def _not_a_file(path: Path, name: str) -> UserError:
    return UserError(f"{path}: member {name!r} is a link or a device; nothing was unpacked")
