"""Open Images' csv of boxes: a row a box, its sides as fractions of the image."""

from __future__ import annotations

import csv
from collections.abc import Collection
from pathlib import Path

from centernet.datasets.inspect import Report
from centernet.datasets.named_boxes import NamedBox, Picture, open_named_boxes, size_of
from centernet.datasets.table_source import TableSource
from centernet.io import meaning
from centernet.io.door import shown
from centernet.io.files import read_lines
from centernet.io.listing import list_images
from centernet.runtime.errors import UserError

COLUMNS = ("ImageID", "LabelName", "XMin", "XMax", "YMin", "YMax")
LONGEST = 10_000  # characters of a field


def openimages_file(root: Path, parts: Collection[str]) -> Path | None:
    """The csv of a part's boxes, by the names that its owners give it or <part>.csv."""
    names = {"val": "validation", "valid": "validation"}
    for part in parts:
        whole = names.get(part, part)
        for name in (f"{whole}-annotations-bbox.csv", f"oidv6-{whole}-annotations-bbox.csv",
                     f"{part}.csv", f"{part}/annotations.csv"):  # fmt: skip
            if (root / name).is_file() and _header(root / name)[:1] == ["ImageID"]:
                return root / name
    return None


def open_openimages(
    root: Path,
    path: Path,
    parts: Collection[str],
    *,
    wanted: Collection[str] | None = None,
    strict: bool = False,
    coco_eval: str = "pycocotools",
) -> TableSource:
    """The rows of `path` with the images of `root`/<part>, images/<part> or images.

    Classes are those of class-descriptions*.csv, by their names there; else those of the rows of
    all csv files of boxes. Groups (IsGroupOf) count neither way in evaluation.
    """
    report = Report(root.name, strict)
    columns = _columns(path)
    titles = _titles(root)
    folders = [f for part in parts for f in (root / part, root / "images" / part)]
    folder = next((f for f in (*folders, root / "images") if f.is_dir()), root)
    images = {image.stem: image for image in list_images(folder)}
    sizes: dict[str, tuple[int, int] | None] = {}
    found: dict[str, list[NamedBox]] = {}
    for number, row in enumerate(_rows(path), 2):
        what = f"row {number} of {path.name}"
        if len(row) <= max(columns.values()):
            report.drop(what, "too few fields", f"{len(row)} fields")
            continue
        name = row[columns["ImageID"]]
        if name not in images:
            report.drop(what, "missing image", f"no image {shown(name)} in {folder}")
            continue
        if name not in sizes:
            sizes[name] = size_of(images[name], images[name].name, report)
        size = sizes[name]
        if size is None:
            continue
        try:
            x1, x2, y1, y2 = (meaning.number(row[columns[key]]) for key in COLUMNS[2:])
            group = "IsGroupOf" in columns and meaning.truth(row[columns["IsGroupOf"]])
        except ValueError:
            report.drop(what, "no box", "its sides are no numbers")
            continue
        label = row[columns["LabelName"]]
        box = (x1 * size[1], y1 * size[0], (x2 - x1) * size[1], (y2 - y1) * size[0])
        one = NamedBox(number, titles.get(label, label), box, [], group)
        found.setdefault(name, []).append(one)
    pictures = [
        Picture(images[name], size, found.get(name, []))
        for name, size in sorted(sizes.items())
        if size is not None
    ]
    names = list(dict.fromkeys(titles.values())) or sorted(_labels(root))
    return open_named_boxes(root, pictures, names, report, wanted=wanted, coco_eval=coco_eval)


def _columns(path: Path) -> dict[str, int]:
    header = _header(path)
    missing = [name for name in COLUMNS if name not in header]
    if missing:
        raise UserError(f"{path}: no column '{missing[0]}': not Open Images' csv of boxes")
    return {name: header.index(name) for name in (*COLUMNS, "IsGroupOf") if name in header}


def _header(path: Path) -> list[str]:
    with path.open("rb") as file:
        first = file.readline(LONGEST).removeprefix(b"\xef\xbb\xbf")
    return [field.strip() for field in first.decode("utf-8", "replace").strip().split(",")]


def _rows(path: Path) -> list[list[str]]:
    try:
        return [row for row in csv.reader(read_lines(path)[1:]) if row]
    except csv.Error as error:
        raise UserError(f"{path}: not csv ({error})") from None


def _titles(root: Path) -> dict[str, str]:
    for path in sorted(root.glob("*class-descriptions*.csv")):
        rows = csv.reader(read_lines(path))
        return {row[0]: row[1] for row in rows if len(row) >= 2 and row[0] != "LabelName"}
    return {}


def _labels(root: Path) -> set[str]:
    """The labels of all csv files of boxes, so that the parts have the same classes."""
    found: set[str] = set()
    for path in sorted(root.rglob("*.csv")):
        header = _header(path)
        if header[:1] == ["ImageID"] and "LabelName" in header:
            place = header.index("LabelName")
            found |= {row[place] for row in _rows(path) if len(row) > place}
    return found
