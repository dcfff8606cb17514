"""The image files of a folder, and what was passed over there."""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

from centernet.io.image import SUFFIXES

# What lies beside images and is no image: labels, lists, caches, descriptions.
BESIDE = frozenset(
    {".txt", ".xml", ".json", ".csv", ".tsv", ".yaml", ".yml", ".md", ".cache", ".npy", ".npz",
     ".pkl", ".html", ".log", ".names", ".data", ".db", ".ini", ".rst", ".pdf", ".py", ".sh", ""}
)  # fmt: skip


def is_image_name(name: str) -> bool:
    """Whether a file of this name is read as an image; names that begin with a dot are not."""
    suffix = os.path.splitext(name)[1].strip().lower()
    return suffix in SUFFIXES and not name.startswith(".")


def list_images(folder: Path, passed: Counter[str] | None = None) -> list[Path]:
    """The images beneath `folder`, sorted; links are followed, hidden files and folders are not.

    `passed` counts the files with other suffixes than those of images and of what belongs to them.
    """
    found = []
    for path in _files(folder):
        if is_image_name(path.name):
            found.append(path)
        elif passed is not None:
            suffix = path.suffix.strip().lower()
            if suffix not in BESIDE:
                passed[suffix] += 1
    return sorted(found)


def passed_over(passed: Counter[str]) -> str:
    """ "3 files passed over (.heic 2, .mp4 1)"; "" when there were none."""
    if not passed:
        return ""
    kinds = ", ".join(f"{suffix} {count}" for suffix, count in passed.most_common(8))
    files = "file" if passed.total() == 1 else "files"
    return f"{passed.total()} {files} passed over ({kinds})"


def _files(folder: Path) -> Iterator[Path]:
    seen: set[str] = set()
    for base, folders, files in os.walk(folder, followlinks=True):
        real = os.path.realpath(base)
        if real in seen:  # a link to a folder above
            folders.clear()
            continue
        seen.add(real)
        folders[:] = sorted(name for name in folders if not name.startswith("."))
        for name in files:
            if not name.startswith("."):
                yield Path(base, name)
