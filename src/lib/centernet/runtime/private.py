"""Folders for compiled code, from which nothing is loaded that another user could have put there.

Whatever is loaded from such a folder runs with the rights of who loads it. So a folder counts only
where it belongs to the user (or to root) and nobody else may write to it, nor rename it away.
"""

from __future__ import annotations

import atexit
import os
import shutil
import stat
import sys
import tempfile
from functools import cache
from pathlib import Path

CACHE = "CENTERNET_CACHE"
OTHERS = {"inductor": "TORCHINDUCTOR_CACHE_DIR", "triton": "TRITON_CACHE_DIR"}


def cache_folder(name: str = "", chosen: str | None = None) -> Path:
    """Where compiled code is kept: `chosen`, else CENTERNET_CACHE, else the user's cache folder.

    `name` is a folder inside it. Nothing is created but, where the folder is not the user's own, a
    private one in the folder for temporary files, which one line on stderr tells.
    """
    if chosen:
        folder = Path(chosen)
    elif own := os.environ.get(CACHE):
        folder = Path(own) / name
    else:
        home = os.environ.get("XDG_CACHE_HOME")
        folder = (Path(home) if home else Path.home() / ".cache") / "centernet" / name
    if why := why_not_private(folder):
        return _instead(folder, why) / name
    return folder


def keep_compilers_private() -> None:
    """Let PyTorch's compiler and Triton keep their results in our cache folder too.

    PyTorch's own choice is a folder in /tmp that whoever comes first may make. A folder that the
    environment names is left, unless another user may write to it.
    """
    for name, variable in OTHERS.items():
        os.environ[variable] = str(cache_folder(name, os.environ.get(variable)))


def why_not_private(path: Path) -> str | None:
    """Why another user could put a file at `path` or exchange it: one line, else None.

    A path that is not there yet, or cannot be read, is checked by the folders above it.
    """
    if not hasattr(os, "getuid"):  # Windows: a user's folders are the user's by default
        return None
    path = Path(os.path.realpath(path))
    for place in (path, *path.parents):
        try:
            found = place.stat()
        except OSError:  # not there, or nothing that this user can load from
            continue
        if found.st_uid not in (os.getuid(), 0):
            return f"{place} belongs to another user"
        mine_to_keep = place != path and bool(found.st_mode & stat.S_ISVTX)  # as /tmp is
        if _others_write(found) and not mine_to_keep:
            return f"other users may write to {place} (mode {stat.S_IMODE(found.st_mode):o})"
    return None


def _others_write(found: os.stat_result) -> bool:
    if found.st_mode & stat.S_IWOTH:
        return True
    return bool(found.st_mode & stat.S_IWGRP) and not _only_mine(found.st_gid)


@cache
def _only_mine(group: int) -> bool:
    """Whether `group` is root's or the one that many systems give to each user alone."""
    import grp
    import pwd

    if group == 0:
        return True
    try:
        name, user = grp.getgrgid(group), pwd.getpwuid(os.getuid())
    except KeyError:
        return False
    private = group == user.pw_gid and name.gr_name == user.pw_name
    return private and set(name.gr_mem) <= {user.pw_name}


@cache
def _instead(folder: Path, why: str) -> Path:
    """A folder of the user's alone, logged once a process."""
    place = Path(tempfile.gettempdir()) / f"centernet-{os.getuid()}"
    try:
        place.mkdir(mode=0o700, exist_ok=True)
        usable = place.stat().st_uid == os.getuid() and why_not_private(place) is None
    except OSError:
        usable = False
    if not usable:
        place = Path(tempfile.mkdtemp(prefix="centernet-"))
        atexit.register(shutil.rmtree, place, ignore_errors=True)
    print(
        f"compiled code is kept in {place}, not in {folder}: {why}; set {CACHE} to a folder of "
        "your own",
        file=sys.stderr,
        flush=True,
    )
    return place
