"""Folders of images with YOLO's text labels.

A label file has the name of its image and one line an object: the class index from 0, then centre
x, centre y, width and height, or a polygon x y x y ..., all as parts of the picture's width and
height. Keypoints after a box (`kpt_shape` in data.yaml) are passed over. An image without a label
file has no object. The pictures are taken upright, as the tools that write such labels show them.
"""

from __future__ import annotations

import math
import os
from collections.abc import Collection, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from centernet.datasets.inspect import Report, checked
from centernet.datasets.source import Info
from centernet.datasets.table import Table
from centernet.datasets.table_source import TableSource
from centernet.datasets.yolo_names import read_data_yaml
from centernet.io.files import read_lines
from centernet.io.image import SUFFIXES, ImageError, image_size
from centernet.runtime.errors import UserError
from centernet.structures.masks import MIN_NUMBERS, Masks

_PARTS = {"train": ("train",), "val": ("val", "valid", "validation"), "test": ("test",)}
_YAMLS = ("data.yaml", "data.yml", "dataset.yaml")


class _Picture(NamedTuple):
    file: str  # relative to the folder of the data set
    size: tuple[int, int]  # height, width
    lines: list[str]  # of its label file


class _Row(NamedTuple):
    image: int
    line: int  # in the label file, from 1
    category: int
    box: tuple[float, float, float, float]  # x y width height, pixels
    polygon: list[float]  # x y x y ..., pixels; empty for a plain box


def is_yolo_folder(root: Path) -> bool:
    """Whether `root` has one of the layouts that are read here."""
    names = (*_YAMLS, "classes.txt", "images", "train/images", "images/train", "train.txt")
    has_labels = any((root / n).is_dir() for n in ("labels", "train/labels", "valid/labels"))
    return has_labels and any((root / name).exists() for name in names)


def open_yolo(
    root: Path,
    split: str,
    *,
    wanted: Collection[str] | None = None,
    strict: bool = False,
    coco_eval: str = "pycocotools",
) -> TableSource:
    """The `split` of `root`: as data.yaml says, images/<split>, <split>/images or <split>.txt.

    Class names come from data.yaml or classes.txt; without them a class is called by its number.
    """
    report = Report(root.name, strict)
    described = _described(root)
    files = _image_files(root, split, described)
    names = described.get("names") or _classes_txt(root)
    pictures = _pictures(root, files, report)
    files, sizes = [p.file for p in pictures], [p.size for p in pictures]
    joints = math.prod(described.get("kpt_shape", [0]))
    if joints:
        report.notes.append(
            f"{root.name}: the keypoints of its labels are not read, only the boxes"
        )
    rows = [row for n, picture in enumerate(pictures) for row in _rows(picture, n, joints, report)]
    if not names:
        names = [str(n) for n in range(_highest_class(root) + 1)]
    known = [row for row in rows if _is_known(row, files, len(names), report)]
    table = checked(_table(files, sizes, known), root, report)
    provides = frozenset({"boxes"} if table.masks is None else {"boxes", "masks", "extremes"})
    ids = tuple(range(len(names)))
    info = Info(name=root.name, class_names=tuple(names), category_ids=ids, provides=provides)
    return TableSource(info, table, root, report, wanted=wanted, upright=True, coco_eval=coco_eval)


def _described(root: Path) -> dict[str, Any]:
    for name in _YAMLS:
        if (root / name).is_file():
            return read_data_yaml(root / name)
    return {}


def _classes_txt(root: Path) -> list[str]:
    for path in (root / "classes.txt", root / "labels" / "classes.txt"):
        if path.is_file():
            return [line.strip() for line in read_lines(path) if line.strip()]
    return []


def _image_files(root: Path, split: str, described: dict[str, Any]) -> list[str]:
    """Image files of the part, relative to `root`."""
    tried = []
    for candidate in _candidates(root, split, described):
        tried.append(os.path.relpath(candidate, root))
        if candidate.is_dir():
            found = sorted(p for p in candidate.rglob("*") if p.suffix.lower() in SUFFIXES)
        elif candidate.is_file():
            lines = read_lines(candidate)
            found = [candidate.parent / line.strip() for line in lines if line.strip()]
        else:
            continue
        if found:
            return [os.path.relpath(path, root) for path in found]
    raise UserError(
        f"{root} is a YOLO folder without its {split} part; looked for images in "
        f"{', '.join(dict.fromkeys(tried))}"
    )


def _candidates(root: Path, split: str, described: dict[str, Any]) -> list[Path]:
    parts = _PARTS[split]
    stated = [described[part] for part in parts if isinstance(described.get(part), str)]
    base = root / str(described.get("path") or "")
    # Exported files often state paths of the machine they came from, or from one level deeper.
    candidates = [path for s in stated for path in (base / s, root / s, root / s.lstrip("./"))]
    for part in parts:
        candidates += [root / "images" / part, root / part / "images", root / f"{part}.txt"]
    return candidates


def _pictures(root: Path, files: Sequence[str], report: Report) -> list[_Picture]:
    """The images that can be read, and whose labels can be, if they have any."""
    found = []
    for file in files:
        label = _label_file(root, file)
        try:
            size = image_size(root / file, upright=True)
            lines = read_lines(label) if label.is_file() else []
        except UserError as error:
            what = "image" if isinstance(error, ImageError) else "label"
            report.drop(f"image '{file}'", f"unreadable {what}", str(error))
        else:
            found.append(_Picture(file, size, lines))
    if files and not found:
        raise UserError(f"{root}: none of its {len(files)} images can be read")
    return found


def _label_file(root: Path, file: str) -> Path:
    """The label beside the image: the last folder called images replaced by labels."""
    parts = list(Path(file).with_suffix(".txt").parts)
    places = [place for place, part in enumerate(parts[:-1]) if part == "images"]
    if places:
        parts[places[-1]] = "labels"
    return root.joinpath(*parts)


def _rows(picture: _Picture, image: int, joints: int, report: Report) -> list[_Row]:
    """The objects of `picture`, number `image`; each line ends with `joints` numbers of keypoints.

    Without these it may be a polygon.
    """
    rows = []
    height, width = picture.size
    for number, line in enumerate(picture.lines, 1):
        fields = line.split()
        if not fields:
            continue
        try:
            category, values = int(float(fields[0])), [float(field) for field in fields[1:]]
        except (ValueError, OverflowError):
            category, values = -1, []
        if joints and len(values) == 4 + joints:
            values = values[:4]
        if len(values) == 4:
            x, y, w, h = values
            box = (x - w / 2) * width, (y - h / 2) * height, w * width, h * height
            rows.append(_Row(image, number, category, box, []))
        elif not joints and len(values) >= MIN_NUMBERS and len(values) % 2 == 0:
            points = np.array(values).reshape(-1, 2) * (width, height)
            (x1, y1), (x2, y2) = points.min(axis=0), points.max(axis=0)
            box = float(x1), float(y1), float(x2 - x1), float(y2 - y1)
            rows.append(_Row(image, number, category, box, points.ravel().tolist()))
        else:
            label = Path(picture.file).with_suffix(".txt").name
            detail = f"line {number} of {label} is neither a class with four numbers nor a polygon"
            report.drop(f"annotation {number}, '{picture.file}'", "malformed line", detail)
    return rows


def _is_known(row: _Row, files: Sequence[str], count: int, report: Report) -> bool:
    if 0 <= row.category < count:
        return True
    detail = f"class {row.category} of {count} (0 to {count - 1})"
    report.drop(f"annotation {row.line}, '{files[row.image]}'", "unknown class", detail)
    return False


def _highest_class(root: Path) -> int:
    """Over the labels of all parts, so that training and validation have the same classes."""
    highest = -1
    for path in root.rglob("*.txt"):
        if "labels" not in path.parts:
            continue
        for line in _lines_if_text(path):
            first = line.split(maxsplit=1)[:1]
            if first and first[0].isdigit():
                highest = max(highest, int(first[0]))
    return highest


def _lines_if_text(path: Path) -> list[str]:
    try:
        return read_lines(path)
    except UserError:
        return []  # reported where the part it belongs to is read


def _table(files: Sequence[str], sizes: Sequence[tuple[int, int]], rows: Sequence[_Row]) -> Table:
    boxes = np.array([row.box for row in rows], np.float64).reshape(-1, 4)
    masks = None
    if rows and all(row.polygon for row in rows):
        masks = Masks([[row.polygon] for row in rows], [sizes[row.image] for row in rows])
    return Table(
        image_ids=list(files),
        files=np.array(files, np.str_),
        sizes=np.array(sizes, np.int64).reshape(-1, 2),
        image=np.array([row.image for row in rows], np.int64),
        ids=np.array([row.line for row in rows], np.int64),
        classes=np.array([row.category for row in rows], np.int64),
        boxes=boxes,
        areas=boxes[:, 2] * boxes[:, 3],
        crowd=np.zeros(len(rows), bool),
        masks=masks,
    )
