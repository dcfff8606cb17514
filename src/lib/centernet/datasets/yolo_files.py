"""Where a folder of YOLO's has the images of a part, and which label file belongs to which image.

A part is what data.yaml states, to the letter or, where it names folders of another machine, by the
end of the path; what cannot be followed is an error. Only a part that nothing states is looked for
by convention: images/<part>, <part>/images, <part>.txt and, for training, images itself.
"""

from __future__ import annotations

import os
import unicodedata
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path, PurePosixPath
from urllib.parse import unquote

from centernet.datasets.inspect import Report
from centernet.datasets.yolo_names import Described, read_described
from centernet.io.files import read_lines
from centernet.io.listing import is_image_name, list_images
from centernet.runtime.errors import UserError

PARTS = {"train": ("train",), "val": ("val", "valid", "validation"), "test": ("test",)}
YAMLS = ("data.yaml", "data.yml", "dataset.yaml")
NO_LABELS = frozenset({"classes.txt", "train.txt", "val.txt", "valid.txt", "test.txt",
                       "readme.txt", "notes.txt", "labels.txt"})  # fmt: skip


@dataclass
class Part:
    """The images of a part, relative to the root, and the label file of each (None: no object)."""

    files: list[str]
    labels: list[Path | None]
    passed: Counter[str] = field(default_factory=Counter)


def describe(root: Path) -> Described:
    """The root's data.yaml; darknet's *.data and *.names stand in for it."""
    for name in YAMLS:
        if (root / name).is_file():
            return read_described(root / name)
    described = Described()
    for path in sorted(root.glob("*.data")):
        for line in read_lines(path):
            key, _, value = (word.strip() for word in line.partition("="))
            if key in ("train", "valid", "val", "test") and value:
                described.parts[key] = [value]
        break
    return described


def class_names(root: Path, split: str) -> list[str]:
    """One a line, of the first of classes.txt, labels/classes.txt, ..., *.names; [] without any."""
    parts = [part for parts in PARTS.values() for part in parts]
    places = [root / "classes.txt", root / "labels" / "classes.txt", root / "obj.names"]
    places += [root / "labels" / part / "classes.txt" for part in parts]
    places += [root / part / "labels" / "classes.txt" for part in parts]
    places += [root / part / "classes.txt" for part in parts]
    places += sorted(root.glob("*.names"))
    for path in places:
        if path.is_file():
            return [line.strip() for line in read_lines(path) if line.strip()]
    return []


def find_part(root: Path, split: str, described: Described, report: Report) -> Part:
    """The images of `split` with their labels; UserError where there are none."""
    passed: Counter[str] = Counter()
    files = list(dict.fromkeys(_images(root, split, described, report, passed)))
    return Part(files, _labels(root, files, report), passed)


def _images(
    root: Path, split: str, described: Described, report: Report, passed: Counter[str]
) -> list[str]:
    for part in PARTS[split]:
        if part in described.parts:
            entries = described.parts[part]
            found = [
                file
                for entry in entries
                for file in _stated(root, entry, part, described, report, passed)
            ]
            return [os.path.relpath(path, root) for path in found]
    tried = []
    for candidate in _by_convention(root, split):
        tried.append(os.path.relpath(candidate, root))
        found = _read(candidate, root, passed)
        if found:
            return [os.path.relpath(path, root) for path in found]
    raise UserError(
        f"{root} is a YOLO folder without its {split} part; looked for images in "
        f"{', '.join(dict.fromkeys(tried))}"
    )


def _stated(
    root: Path, entry: str, part: str, described: Described, report: Report, passed: Counter[str]
) -> list[Path]:
    """The images of one path that data.yaml states for a part."""
    entry = entry.replace("\\", "/")
    base = root / str(described.path or "").replace("\\", "/")
    candidates = [base / entry, root / entry, root / entry.lstrip("./")]
    exact = len(candidates)
    tail = PurePosixPath(entry).parts
    candidates += [root.joinpath(*tail[n:]) for n in range(1, len(tail))]
    for place, candidate in enumerate(candidates):
        if not _there(candidate):
            continue
        found = _read(candidate, root, passed)
        if not found:
            raise UserError(f"{candidate}: no image there, which data.yaml states as '{part}'")
        if place >= exact:
            report.count("paths of data.yaml matched by their ends", f"{entry} is {candidate}")
        return found
    raise UserError(
        f"{root}: data.yaml states {part}: {entry}, which is not there; looked for"
        f" {candidates[0]} and {candidates[1]}"
    )


def _there(path: Path) -> bool:
    try:
        return path.is_dir() or path.is_file()
    except (OSError, ValueError):  # too long a name, or a NUL in it
        return False


def _read(candidate: Path, root: Path, passed: Counter[str]) -> list[Path]:
    """The images of a folder or of a list file; [] where neither is there."""
    if candidate.is_dir():
        return list_images(candidate, passed)
    if not candidate.is_file():
        return []
    lines = (line.strip() for line in read_lines(candidate))
    return [_listed(line, candidate, root) for line in lines if line and line[0] != "#"]


def _listed(line: str, listing: Path, root: Path) -> Path:
    """The image of a line of a list: beside it, or beneath the root by the end of its path."""
    parts = PurePosixPath(line.replace("\\", "/")).parts
    beside = listing.parent.joinpath(*parts)
    if _there(beside):
        return beside
    for base in (root, root / "images"):
        for n in range(len(parts)):
            if _there(base.joinpath(*parts[n:])) and parts[n:]:
                return base.joinpath(*parts[n:])
    return beside


def _by_convention(root: Path, split: str) -> list[Path]:
    candidates = []
    for part in PARTS[split]:
        candidates += [root / "images" / part, root / part / "images", root / f"{part}.txt"]
        candidates += [root / f"obj_{part}_data", root / f"{part.capitalize()}.txt"]
        if not (root / part / "images").is_dir() and (root / part / "labels").is_dir():
            candidates.append(root / part)
    names = {part for parts in PARTS.values() for part in parts}
    flat = root / "images"
    if split == "train" and flat.is_dir():
        inner = {entry.name.lower() for entry in os.scandir(flat) if entry.is_dir()}
        if not inner & names:
            candidates.append(flat)
    return candidates


def _labels(root: Path, files: Sequence[str], report: Report) -> list[Path | None]:
    """The label file of each image: of its name, or of that name in another spelling."""
    folders: dict[Path, _Folder] = {}

    def listed(folder: Path) -> _Folder:
        if folder not in folders:
            folders[folder] = _Folder(folder)
        return folders[folder]

    found: list[Path | None] = []
    for file in files:
        image = root / file
        label = None
        for folder in (_label_folder(image.parent), image.parent):
            label = listed(folder).label_of(image.name, report)
            if label is not None:
                break
        found.append(label)
    alone = [path for folder in folders.values() for path in folder.unused()]
    if alone:
        first = os.path.relpath(alone[0], root)
        report.count("label files without an image of theirs in this part", first, len(alone))
    return found


class _Folder:
    """The label files of one folder, by their names in any spelling."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.exact: dict[str, str] = {}
        self.spelt: dict[str, str] = {}
        self.used: set[str] = set()
        try:
            names = sorted(entry.name for entry in os.scandir(folder) if entry.is_file())
        except (OSError, ValueError):
            names = []
        for name in names:
            stem, suffix = os.path.splitext(name)
            if suffix.lower() != ".txt" or name.startswith(".") or name.lower() in NO_LABELS:
                continue
            self.exact.setdefault(stem, name)
            self.spelt.setdefault(_spelling(stem), name)

    def label_of(self, image: str, report: Report) -> Path | None:
        """The label of the image file `image`; one found in another spelling is counted."""
        stem = os.path.splitext(image)[0]
        name = self.exact.get(stem)
        if name is None:
            name = self.spelt.get(_spelling(stem))
            if name is not None:
                said = f"'{name}' for '{image}'"
                report.count("label files found by another spelling of the name", said)
        if name is None:
            return None
        self.used.add(name)
        return self.folder / name

    def unused(self) -> Iterator[Path]:
        """Those that no image of the part has asked for."""
        if self.used or self.folder.name.lower() != "images":
            for name in self.exact.values():
                if name not in self.used:
                    yield self.folder / name


def _spelling(stem: str) -> str:
    return unicodedata.normalize("NFC", unquote(unicodedata.normalize("NFC", stem)))


def _label_folder(images: Path) -> Path:
    """The folder of labels: the last one called images replaced by labels, in any case."""
    parts = list(images.parts)
    places = [place for place, part in enumerate(parts) if part.lower() == "images"]
    if not places:
        inner = images / "labels"
        return inner if inner.is_dir() else images
    exact = [place for place in places if parts[place] == "images"]
    at = exact[-1] if exact else places[-1]
    above = Path(*parts[:at])
    name = "labels"
    if not (above / name).is_dir() and above.is_dir():
        name = next((e.name for e in os.scandir(above) if e.name.lower() == "labels"), name)
    return above.joinpath(name, *parts[at + 1 :])


def is_listed(name: str) -> bool:
    """Whether a line of text names an image."""
    return is_image_name(PurePosixPath(name.replace("\\", "/")).name)
