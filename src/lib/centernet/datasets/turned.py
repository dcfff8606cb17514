"""How many photographs of a data set a camera has marked as turned."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np

from centernet.io import jpeg

LOOKED_AT = 500  # of more, so many evenly spread
HEAD = 1 << 16  # bytes: where Exif stands


def turned(paths: Sequence[Path], most: int = LOOKED_AT) -> tuple[int, int, Path | None]:
    """(how many are turned by Exif, how many were looked at, the first); only heads are read."""
    places = np.unique(np.linspace(0, len(paths) - 1, min(most, len(paths))).astype(int)).tolist()
    found = [paths[place] for place in places if _is_turned(paths[place])]
    return len(found), len(places), found[0] if found else None


def turned_lines(
    name: str, paths: Sequence[Path], upright: bool, most: int = LOOKED_AT
) -> list[str]:
    """A line where photographs are turned: how they are read, which must be as they were labelled.

    `upright` tells that they are turned before their boxes are laid on them.
    """
    if not paths:
        return []
    count, looked, first = turned(paths, most)
    if not count:
        return []
    of = f"{count} of {looked} images" + (" looked at" if looked < len(paths) else "")
    how = "turned upright, as labelling tools show them" if upright else "read as stored"
    return [f"{name}: {of} are turned by Exif, such as {first}: they are {how}"]


def _is_turned(path: Path) -> bool:
    try:
        with open(path, "rb") as file:
            head = file.read(HEAD)
    except OSError:
        return False
    return jpeg.is_jpeg(head) and jpeg.orientation(head) != 1
