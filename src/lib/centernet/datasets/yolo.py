"""Folders of images with YOLO's text labels.

A label file has the name of its image and one line an object: the class index from 0, then centre
x, centre y, width and height, or a polygon x y x y ..., all as parts of the image's width and
height. Keypoints after a box (`kpt_shape` in data.yaml) are read where they are wanted. An image
without a label file has no object. The images are taken upright, as the tools that write such
labels show them.
"""

from __future__ import annotations

import math
import os
from collections.abc import Collection, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from centernet.datasets import skeleton
from centernet.datasets.inspect import Report, checked
from centernet.datasets.source import Info
from centernet.datasets.table import Table
from centernet.datasets.table_source import TableSource
from centernet.datasets.yolo_files import PARTS, YAMLS, Part, class_names, describe, find_part
from centernet.datasets.yolo_names import Described
from centernet.io import meaning
from centernet.io.files import read_lines
from centernet.io.image import ImageError, image_size
from centernet.io.listing import passed_over
from centernet.runtime.errors import UserError
from centernet.structures.masks import MIN_NUMBERS, Masks

MOST_CLASSES = 100_000  # of labels without names: a higher number is no class


class _Picture(NamedTuple):
    file: str  # relative to the folder of the data set
    size: tuple[int, int]  # height, width
    rows: list[tuple[int, list[float] | None]]  # line from 1, its numbers; None: malformed


class _Row(NamedTuple):
    image: int
    line: int  # in the label file, from 1
    category: int
    box: tuple[float, float, float, float]  # x y width height, pixels
    polygon: list[float]  # x y x y ..., pixels; empty for a plain box
    joints: list[float]  # x y v x y v ..., pixels; empty where they are not read


def is_yolo_folder(root: Path) -> bool:
    """Whether `root` has one of the layouts that are read here."""
    if any((root / name).is_file() for name in YAMLS):
        return True
    names = ("classes.txt", "images", "Images", "train/images", "images/train", "train.txt")
    folders = ("labels", "Labels", "train/labels", "valid/labels", "val/labels")
    has_labels = any((root / n).is_dir() for n in folders)
    darknet = any((root / name).exists() for name in ("obj.data", "obj.names", "obj_train_data"))
    return darknet or (has_labels and any((root / name).exists() for name in names))


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
    described = describe(root)
    part = find_part(root, split, described, report)
    names = described.names or class_names(root, split)
    pictures = _pictures(root, part, report)
    shape = described.kpt_shape or _undeclared(pictures, report)
    joints = wanted is not None and "keypoints" in wanted and described.kpt_shape is not None
    if shape and not joints:
        report.notes.append(
            f"{root.name}: the keypoints of its labels are not read, only the boxes"
        )
    rows = [
        row
        for n, picture in enumerate(pictures)
        for row in _rows(picture, n, shape, joints, report)
    ]
    if not names:
        names = _numbered(root, described, pictures)
    files, sizes = [p.file for p in pictures], [p.size for p in pictures]
    known = [row for row in rows if _is_known(row, files, len(names), report)]
    unlabelled = sum(label is None for label in part.labels)
    if unlabelled:
        report.facts.append(f"{root.name}: {unlabelled} images without a label file: no object")
    if passed := passed_over(part.passed):
        report.facts.append(f"{root.name}: {passed}")
    polygons = sum(bool(row.polygon) for row in known)
    if polygons:
        report.facts.append(
            f"{root.name}: {polygons} lines of more than four numbers are taken for polygons; if"
            " they are boxes with joints, say kpt_shape in data.yaml"
        )
    table = checked(_table(files, sizes, known, joints), root, report)
    kinds = {"boxes"} | ({"masks", "extremes"} if table.masks is not None else set())
    kinds |= {"keypoints"} if joints else set()
    info = Info(
        name=root.name,
        class_names=tuple(names),
        category_ids=tuple(range(len(names))),
        provides=frozenset(kinds),
        **(_skeleton(root, described, report) if joints else {}),
    )
    return TableSource(info, table, root, report, wanted=wanted, upright=True, coco_eval=coco_eval)


def _skeleton(root: Path, described: Described, report: Report) -> dict[str, Any]:
    """Joints called by their numbers, with the pairs that `flip_idx` states."""
    count = (described.kpt_shape or (0, 0))[0]
    joints = skeleton.COCO_JOINTS if count == 17 else tuple(str(n) for n in range(1, count + 1))
    if described.flip_idx is not None:
        pairs = skeleton.pairs_of_index(described.flip_idx, count, f"{root}: data.yaml: flip_idx")
        how = "stated"
    else:
        pairs, how = skeleton.flip_pairs(joints), "as COCO's joints"
    report.facts.extend(skeleton.told(joints, pairs, how, root.name))
    return {"joints": joints, "flip_pairs": pairs, "sigmas": skeleton.sigmas(joints)}


def _pictures(root: Path, part: Part, report: Report) -> list[_Picture]:
    """The images that can be read, and whose labels can be, if they have any."""
    found = []
    for file, label in zip(part.files, part.labels, strict=True):
        try:
            size = image_size(root / file, upright=True)
            lines = [] if label is None else read_lines(label)
        except UserError as error:
            what = "image" if isinstance(error, ImageError) else "label"
            report.drop(f"image '{file}'", f"unreadable {what}", str(error))
        else:
            found.append(_Picture(file, size, _numbers(file, lines, report)))
    if part.files and not found:
        first = report.faults[0].removesuffix(", dropped (--strict to stop)")
        raise UserError(f"{root}: none of its {len(part.files)} images can be read; {first}")
    return found


def _numbers(
    file: str, lines: Sequence[str], report: Report
) -> list[tuple[int, list[float] | None]]:
    rows: list[tuple[int, list[float] | None]] = []
    for number, line in enumerate(lines, 1):
        if "," in line:
            line = line.replace(",", " ")
            report.count("lines with commas between the numbers", f"line {number}, '{file}'")
        fields = line.split()
        if not fields:
            continue
        try:
            category = meaning.whole(fields[0])
            rows.append((number, [category, *(meaning.number(field) for field in fields[1:])]))
        except ValueError:
            rows.append((number, None))
    return rows


def _undeclared(pictures: Sequence[_Picture], report: Report) -> tuple[int, int] | None:
    """(joints, numbers of each) of rows that are boxes with joints, though nothing declares them.

    Polygons are none of these: in every row the first four numbers are a box around all the points
    that follow, which fill a good part of it, and all rows are of one length.
    """
    rows = [np.array(row[1:]) for p in pictures for _, row in p.rows if row and len(row) > 5]
    if len(rows) < 3 or len({len(row) for row in rows}) > 1:
        return None
    values = np.stack(rows)
    rest = values.shape[1] - 4
    for each in (2, 3):
        if rest % each or rest // each < 2:
            continue
        points = values[:, 4:].reshape(len(values), -1, each)
        if each == 3 and not np.isin(points[:, :, 2], (0, 1, 2)).all():
            continue
        if _are_boxes_around(values[:, :4], points[:, :, :2]):
            report.notes.append(
                f"{report.name}: lines of 4 + {rest} numbers are boxes with {rest // each} joints,"
                f" not polygons; data.yaml does not say kpt_shape: [{rest // each}, {each}]"
            )
            return rest // each, each
    return None


def _are_boxes_around(boxes: NDArray[np.float64], points: NDArray[np.float64]) -> bool:
    centres, half = boxes[:, None, :2], boxes[:, None, 2:] / 2
    with np.errstate(invalid="ignore", divide="ignore"):
        inside = (np.abs(points - centres) <= half * 1.05 + 0.005).all()
        extents = (points.max(axis=1) - points.min(axis=1)) / boxes[:, 2:]
    return bool(inside and np.median(extents.max(axis=1)) >= 0.4)


def _rows(
    picture: _Picture, image: int, shape: tuple[int, int] | None, joints: bool, report: Report
) -> list[_Row]:
    """The objects of `picture`, number `image`; with a `shape` lines end with keypoints.

    Without one they may be polygons.
    """
    rows = []
    height, width = picture.size
    keypoints = math.prod(shape) if shape else 0
    for number, given in picture.rows:
        category, values = (int(given[0]), given[1:]) if given else (-1, [])
        placed: list[float] = []
        if keypoints and len(values) == 4 + keypoints:
            placed = _joints(values[4:], shape, picture.size) if joints and shape else []
            values = values[:4]
        if len(values) == 4:
            x, y, w, h = values
            box = (x - w / 2) * width, (y - h / 2) * height, w * width, h * height
            rows.append(_Row(image, number, category, box, [], placed))
        elif not keypoints and len(values) >= MIN_NUMBERS and len(values) % 2 == 0:
            points = np.array(values).reshape(-1, 2) * (width, height)
            (x1, y1), (x2, y2) = points.min(axis=0), points.max(axis=0)
            box = float(x1), float(y1), float(x2 - x1), float(y2 - y1)
            rows.append(_Row(image, number, category, box, points.ravel().tolist(), []))
        else:
            label = os.path.basename(os.path.splitext(picture.file)[0] + ".txt")
            detail = f"line {number} of {label} is neither a class with four numbers nor a polygon"
            report.drop(f"annotation {number}, '{picture.file}'", "malformed line", detail)
    return rows


def _joints(values: list[float], shape: tuple[int, int], size: tuple[int, int]) -> list[float]:
    """x y v of each joint in pixels; without visibility every joint but one at 0, 0 is seen."""
    given = np.array(values).reshape(shape)
    if shape[1] == 2:
        seen = (given != 0).any(axis=1, keepdims=True) * 2.0
        given = np.concatenate([given, seen], axis=1)
    given[:, :2] *= (size[1], size[0])
    return [float(value) for value in given.ravel()]


def _is_known(row: _Row, files: Sequence[str], count: int, report: Report) -> bool:
    if 0 <= row.category < count:
        return True
    detail = f"class {row.category} of {count} (0 to {count - 1})"
    report.drop(f"annotation {row.line}, '{files[row.image]}'", "unknown class", detail)
    return False


def _numbered(root: Path, described: Described, pictures: Sequence[_Picture]) -> list[str]:
    """Names that are numbers: over all parts, so that training and validation have the same."""
    if described.count:
        return [str(n) for n in range(described.count)]
    highest = max((int(row[0]) for p in pictures for _, row in p.rows if row), default=-1)
    for split in PARTS:
        for label in _labels_of(root, split, described):
            for _, row in _numbers("", _lines_if_text(label), Report(root.name)):
                highest = max(highest, int(row[0]) if row else -1)
    if highest < 0:
        raise UserError(
            f"{root}: no class: no label file has an object, and neither data.yaml (names:) nor"
            " classes.txt names one"
        )
    if highest >= MOST_CLASSES:
        raise UserError(f"{root}: a label has class {highest}; name the classes in data.yaml")
    return [str(n) for n in range(highest + 1)]


def _labels_of(root: Path, split: str, described: Described) -> list[Path]:
    try:
        part = find_part(root, split, described, Report(root.name))
    except UserError:
        return []  # reported when that part is read
    return [label for label in part.labels if label is not None]


def _lines_if_text(path: Path) -> list[str]:
    try:
        return read_lines(path)
    except UserError:
        return []  # reported where the part it belongs to is read


def _table(
    files: Sequence[str], sizes: Sequence[tuple[int, int]], rows: Sequence[_Row], joints: bool
) -> Table:
    boxes = np.array([row.box for row in rows], np.float64).reshape(-1, 4)
    masks = keypoints = None
    if rows and all(row.polygon for row in rows):
        masks = Masks([[row.polygon] for row in rows], [sizes[row.image] for row in rows])
    if joints:
        count = max((len(row.joints) for row in rows), default=3)
        full = [row.joints or [0.0] * count for row in rows]
        keypoints = np.array(full, np.float32).reshape(len(rows), -1, 3)
    with np.errstate(over="ignore", invalid="ignore"):
        areas = boxes[:, 2] * boxes[:, 3]
    return Table(
        image_ids=list(files),
        files=np.array(files, np.str_),
        sizes=np.array(sizes, np.int64).reshape(-1, 2),
        image=np.array([row.image for row in rows], np.int64),
        ids=np.array([row.line for row in rows], np.int64),
        classes=np.array([row.category for row in rows], np.int64),
        boxes=boxes,
        areas=areas,
        crowd=np.zeros(len(rows), bool),
        keypoints=keypoints,
        masks=masks,
    )
