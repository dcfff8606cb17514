"""Pascal VOC xml files as a table."""

from __future__ import annotations

import os
import re
from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import NamedTuple
from xml.etree import ElementTree

import numpy as np

from centernet.datasets.inspect import Report
from centernet.datasets.table import Table
from centernet.io import meaning
from centernet.io.door import read_bytes, shown
from centernet.io.files import read_lines
from centernet.io.listing import is_image_name
from centernet.runtime.errors import UserError


class VocList(NamedTuple):
    """One list of images of a devkit folder (VOC2007 and the like), or two plain folders."""

    root: Path  # has JPEGImages, Annotations, ImageSets/Main, unless the folders are given
    part: str  # name of the list: trainval, test, ...
    image_folder: Path | None = None
    xml_folder: Path | None = None  # given: its xml files are the list

    @property
    def path(self) -> Path:
        return self.root / "ImageSets" / "Main" / f"{self.part}.txt"

    @property
    def images(self) -> Path:
        return self.image_folder or self.root / "JPEGImages"

    @property
    def xmls(self) -> Path:
        return self.xml_folder or self.root / "Annotations"

    def stems(self, images: Mapping[str, str], report: Report) -> list[str]:
        """Names of the images without suffix, in the order of the list, each once.

        `images` are the files by name: a line may also be a file name, a path, or have a second
        column as the lists of one class have.
        """
        if self.xml_folder is not None:
            return sorted(path.stem for path in self.xml_folder.glob("*.xml"))
        found: dict[str, None] = {}
        for line in (line.strip() for line in read_lines(self.path)):
            if not line:
                continue
            stem = _stem(line, images)
            if stem != line:
                report.count("lines of the list read as meant", f"'{line}' is '{stem}'")
            if stem in found:
                report.count("images listed twice, taken once", f"'{stem}'")
            found[stem] = None
        return list(found)


def _stem(line: str, images: Mapping[str, str]) -> str:
    if line in images:
        return line
    words = line.split()
    for text in (line, words[0]):
        name = text.replace("\\", "/").rsplit("/", 1)[-1]
        for stem in (name, os.path.splitext(name)[0]):
            if stem in images:
                return stem
    return line


class _Object(NamedTuple):
    number: int  # place in its xml, from 1
    name: str
    box: tuple[float, float, float, float]  # x y width height
    difficult: bool


@dataclass
class _Columns:
    image_ids: list[str] = field(default_factory=list)
    files: list[str] = field(default_factory=list)
    sizes: list[tuple[int, ...]] = field(default_factory=list)
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
        images = image_files(voc.images)
        folder = os.path.relpath(voc.images, base)
        for stem in voc.stems(images, report):
            xml = voc.xmls / f"{stem}.xml"
            tree = _tree(xml, report)
            if tree is None:
                continue
            file = images.get(stem, f"{stem}.jpg")
            row = len(columns.files)
            columns.image_ids.append(stem)
            columns.files.append(os.path.join(folder, file))
            sides = ("height", "width")
            columns.sizes.append(tuple(_size(tree, side, file, report) for side in sides))
            columns.objects += [(row, found) for found in _objects(tree, file, report)]
    return _table(columns, class_names, report)


def class_names_of(folder: Path) -> tuple[str, ...]:
    """All class names in the xml files of `folder`, sorted; unreadable files are passed over."""
    names: set[str] = set()
    for path in sorted(folder.glob("*.xml")):
        try:
            root = parse(path)[0]
        except UserError:
            continue  # reported where the part it belongs to is read
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


def image_files(folder: Path) -> dict[str, str]:
    """{stem: file name} of the images; the xml's own <filename> often lacks or mistakes it."""
    try:
        with os.scandir(folder) as entries:
            names = sorted((entry.name for entry in entries), reverse=True)
    except OSError:
        raise UserError(f"{folder}: no such folder of images") from None
    return {os.path.splitext(name)[0]: name for name in names if is_image_name(name)}


def parse(path: Path) -> tuple[ElementTree.Element, str]:
    """The root of an xml file and what was unusual about its text, "" for nothing.

    UserError, in a line, for a file that is missing or no xml.
    """
    data = read_bytes(path, "xml file")
    try:
        return ElementTree.fromstring(data), ""
    except (ElementTree.ParseError, ValueError, LookupError, RecursionError) as error:
        told = str(error).splitlines()[0]
    try:  # of a tool that writes its names in the encoding of a Western Windows
        data.decode("utf-8")
    except UnicodeDecodeError:
        with suppress(ElementTree.ParseError, ValueError, LookupError, RecursionError):
            text = re.sub(r"^\s*<\?xml.*?\?>", "", data.decode("cp1252", "replace"), flags=re.S)
            return ElementTree.fromstring(text), "xml files that are not UTF-8, read as cp1252"
    raise UserError(f"{path.name}: {told}")


def _tree(path: Path, report: Report) -> ElementTree.Element | None:
    try:
        there = path.is_file()
    except (OSError, ValueError):  # too long a name, or a NUL in it
        there = False
    if not there:
        report.drop(f"image '{path.stem}'", "missing xml", f"no {path}")
        return None
    try:
        root, unusual = parse(path)
    except UserError as error:
        report.drop(f"image '{path.stem}'", "unreadable xml", str(error))
        return None
    if unusual:
        report.count(unusual, path.name)
    return root


def _size(tree: ElementTree.Element, side: str, file: str, report: Report) -> int:
    """Pixels of a side, 0 when the xml does not say; what is no size is reported."""
    text = (tree.findtext(f"size/{side}") or "").strip()
    if not text:
        return 0
    try:
        size = meaning.whole(text)
    except ValueError:
        size = -1
    if not 0 <= size < 2**31:
        report.count(f"<{side}> is no size, so it is not checked", f"{shown(text)} of '{file}'")
        return 0
    if not text.isdigit():
        report.count(f"<{side}> read as meant", shown(text))
    return size


def _objects(tree: ElementTree.Element, file: str, report: Report) -> Iterator[_Object]:
    for number, node in enumerate(tree.iterfind("object"), 1):
        what = f"annotation {number}, '{file}'"
        try:
            x1, y1, x2, y2 = (
                meaning.number((node.findtext(f"bndbox/{side}") or "").strip())
                for side in ("xmin", "ymin", "xmax", "ymax")
            )
        except ValueError:
            report.drop(what, "no box", "its bndbox lacks one of four numbers")
            continue
        if x2 < x1 or y2 < y1:
            report.count("boxes with corners swapped, put in order", what)
            (x1, x2), (y1, y2) = sorted((x1, x2)), sorted((y1, y2))
        if x2 <= x1 or y2 <= y1:
            side, extent = ("width", x2 - x1) if x2 <= x1 else ("height", y2 - y1)
            report.drop(what, "without area", f"{side} {extent:g}")
            continue
        name = (node.findtext("name") or "").strip()
        text = (node.findtext("difficult") or "").strip()
        try:
            difficult = meaning.truth(text)
        except ValueError:
            report.drop(what, "wrong difficult", f"<difficult> is {shown(text)}, not 0 or 1")
            continue
        if text not in ("0", "1", ""):
            report.count("<difficult> read as meant", shown(text))
        yield _Object(number, name, (x1 - 1, y1 - 1, x2 - x1 + 1, y2 - y1 + 1), difficult)
