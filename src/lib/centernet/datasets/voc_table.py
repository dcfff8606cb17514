"""Pascal VOC xml files as a table."""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import NamedTuple
from xml.etree import ElementTree

import numpy as np

from centernet.datasets.inspect import Report
from centernet.datasets.table import Table
from centernet.io.files import read_lines
from centernet.io.image import SUFFIXES
from centernet.runtime.errors import UserError


class VocList(NamedTuple):
    """One list of images of a devkit folder (VOC2007 and the like)."""

    root: Path  # has JPEGImages, Annotations, ImageSets/Main
    part: str  # name of the list: trainval, test, ...

    @property
    def path(self) -> Path:
        return self.root / "ImageSets" / "Main" / f"{self.part}.txt"

    def stems(self) -> list[str]:
        """Names of the images without suffix, in the order of the list."""
        return [line.strip() for line in read_lines(self.path) if line.strip()]


class _Object(NamedTuple):
    number: int  # place in its xml, from 1
    name: str
    box: tuple[float, float, float, float]  # x y width height
    difficult: bool


@dataclass
class _Columns:
    image_ids: list[str] = field(default_factory=list)
    files: list[str] = field(default_factory=list)
    sizes: list[tuple[int, int]] = field(default_factory=list)
    objects: list[tuple[int, _Object]] = field(default_factory=list)  # with the row of the image


def read_voc(
    lists: Sequence[VocList], base: Path, class_names: Sequence[str], report: Report
) -> Table:
    """The images of `lists` in one table, files relative to `base`, classes as in `class_names`.

    Corners in the xml are pixel indices that count from 1, both within the box: 1 to 3 becomes
    x 0, width 3. Difficult objects are ordinary ones for training; in evaluation they count
    neither way (`crowd`). What cannot be read is reported and left out.
    """
    columns = _Columns()
    for voc in lists:
        images = _image_files(voc.root / "JPEGImages")
        folder = os.path.relpath(voc.root / "JPEGImages", base)
        for stem in voc.stems():
            xml = voc.root / "Annotations" / f"{stem}.xml"
            tree = _tree(xml, report)
            if tree is None:
                continue
            file = images.get(stem, f"{stem}.jpg")
            row = len(columns.files)
            columns.image_ids.append(stem)
            columns.files.append(os.path.join(folder, file))
            columns.sizes.append((_size(tree, "height"), _size(tree, "width")))
            columns.objects += [(row, found) for found in _objects(tree, file, report)]
    return _table(columns, class_names, report)


def class_names_of(folder: Path) -> tuple[str, ...]:
    """All class names in the xml files of `folder`, sorted; unreadable files are passed over."""
    names: set[str] = set()
    for path in folder.glob("*.xml"):
        try:
            root = ElementTree.parse(path).getroot()
        except ElementTree.ParseError:
            continue
        names |= {(found.findtext("name") or "").strip() for found in root.iterfind("object")}
    return tuple(sorted(names - {""}))


def _table(columns: _Columns, class_names: Sequence[str], report: Report) -> Table:
    places = {name: place for place, name in enumerate(class_names)}
    known = []
    for row, found in columns.objects:
        if found.name in places:
            known.append((row, found))
        else:
            what = f"annotation {found.number}, '{columns.files[row]}'"
            report.drop(what, "unknown class", f"class '{found.name}' is not one of the data set's")
    boxes = np.array([found.box for _, found in known], np.float64).reshape(-1, 4)
    return Table(
        image_ids=columns.image_ids,
        files=np.array(columns.files, np.str_),
        sizes=np.array(columns.sizes, np.int64).reshape(-1, 2),
        image=np.array([row for row, _ in known], np.int64),
        ids=np.array([found.number for _, found in known], np.int64),
        classes=np.array([places[found.name] for _, found in known], np.int64),
        boxes=boxes,
        areas=boxes[:, 2] * boxes[:, 3],
        crowd=np.array([found.difficult for _, found in known], bool),
    )


def _image_files(folder: Path) -> dict[str, str]:
    """{stem: file name} of the images; the xml's own <filename> often lacks or mistakes it."""
    try:
        with os.scandir(folder) as entries:
            names = sorted((entry.name for entry in entries), reverse=True)
    except OSError:
        raise UserError(f"{folder}: no such folder of images") from None
    split = [os.path.splitext(name) for name in names]
    return {stem: stem + suffix for stem, suffix in split if suffix.lower() in SUFFIXES}


def _tree(path: Path, report: Report) -> ElementTree.Element | None:
    try:
        return ElementTree.parse(path).getroot()
    except FileNotFoundError:
        report.drop(f"image '{path.stem}'", "missing xml", f"no {path}")
    except (ElementTree.ParseError, OSError) as error:
        report.drop(f"image '{path.stem}'", "unreadable xml", f"{path.name}: {error}")
    return None


def _size(tree: ElementTree.Element, side: str) -> int:
    """Pixels of a side, 0 when the xml does not tell."""
    text = (tree.findtext(f"size/{side}") or "").strip()
    return int(text) if text.isdigit() else 0


def _objects(tree: ElementTree.Element, file: str, report: Report) -> Iterator[_Object]:
    for number, node in enumerate(tree.iterfind("object"), 1):
        what = f"annotation {number}, '{file}'"
        try:
            x1, y1, x2, y2 = (
                float(node.findtext(f"bndbox/{side}") or "")
                for side in ("xmin", "ymin", "xmax", "ymax")
            )
        except ValueError:
            report.drop(what, "no box", "its bndbox lacks one of four numbers")
            continue
        if x2 <= x1 or y2 <= y1:
            side, extent = ("width", x2 - x1) if x2 <= x1 else ("height", y2 - y1)
            report.drop(what, "without area", f"{side} {extent:g}")
            continue
        name = (node.findtext("name") or "").strip()
        difficult = (node.findtext("difficult") or "").strip() == "1"
        yield _Object(number, name, (x1 - 1, y1 - 1, x2 - x1 + 1, y2 - y1 + 1), difficult)
