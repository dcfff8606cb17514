"""Boxes with class names, as small formats have them, as a source."""

from __future__ import annotations

import os
from collections.abc import Collection, Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np

from centernet.datasets.inspect import Report, checked
from centernet.datasets.source import Info
from centernet.datasets.table import Table
from centernet.datasets.table_source import TableSource
from centernet.io.image import ImageError, image_size
from centernet.runtime.errors import UserError
from centernet.structures.masks import MIN_NUMBERS, Masks


class NamedBox(NamedTuple):
    """One object: box x y width height and polygon x y x y ... (empty: none), both in pixels."""

    number: int  # in its file, from 1
    name: str
    box: tuple[float, float, float, float]
    polygon: list[float]
    crowd: bool = False


class Picture(NamedTuple):
    """An image file and its objects; `size` (height, width), (0, 0) where nothing states it."""

    path: Path
    size: tuple[int, int]
    objects: list[NamedBox]


def boxed(number: int, name: str, points: Sequence[float], crowd: bool = False) -> NamedBox:
    """The object of an outline x y x y ..., or of two opposite corners."""
    places = np.array(points, np.float64).reshape(-1, 2)
    (x1, y1), (x2, y2) = places.min(axis=0), places.max(axis=0)
    outline = places.ravel().tolist() if places.size >= MIN_NUMBERS else []
    return NamedBox(number, name, (float(x1), float(y1), float(x2 - x1), float(y2 - y1)), outline,
                    crowd)  # fmt: skip


def size_of(path: Path, file: str, report: Report) -> tuple[int, int] | None:
    """(height, width) of an image, upright; None, which is logged, where it cannot be read."""
    try:
        return image_size(path, upright=True)
    except ImageError as error:
        report.drop(f"image '{file}'", "unreadable image", str(error))
        return None


def open_named_boxes(
    root: Path,
    pictures: Sequence[Picture],
    names: Sequence[str],
    report: Report,
    *,
    wanted: Collection[str] | None = None,
    coco_eval: str = "pycocotools",
) -> TableSource:
    """The `pictures` of a part beneath `root`, classes as in `names`; masks if all have outlines.

    The images are taken upright, as tools that draw boxes show them.
    """
    places = {name: place for place, name in enumerate(names)}
    if not places:
        raise UserError(f"{root}: no class: no object there has a name")
    files = [os.path.relpath(picture.path, root) for picture in pictures]
    rows = []
    for row, picture in enumerate(pictures):
        for found in picture.objects:
            if found.name in places:
                rows.append((row, found))
            else:
                what = f"annotation {found.number}, '{files[row]}'"
                detail = f"class '{found.name}' is not one of the data set's"
                report.drop(what, "unknown class", detail)
    boxes = np.array([found.box for _, found in rows], np.float64).reshape(-1, 4)
    masks = None
    if rows and all(found.polygon for _, found in rows):
        sizes = [pictures[row].size for row, _ in rows]
        masks = Masks([[found.polygon] for _, found in rows], sizes)
    with np.errstate(over="ignore", invalid="ignore"):
        areas = boxes[:, 2] * boxes[:, 3]
    table = Table(
        image_ids=files,
        files=np.array(files, np.str_),
        sizes=np.array([picture.size for picture in pictures], np.int64).reshape(-1, 2),
        image=np.array([row for row, _ in rows], np.int64),
        ids=np.array([found.number for _, found in rows], np.int64),
        classes=np.array([places[found.name] for _, found in rows], np.int64),
        boxes=boxes,
        areas=areas,
        crowd=np.array([found.crowd for _, found in rows], bool),
        masks=masks,
    )
    table = checked(table, root, report)
    kinds = {"boxes"} | ({"masks", "extremes"} if table.masks is not None else set())
    ids = tuple(range(1, len(names) + 1))
    info = Info(root.name, tuple(names), category_ids=ids, provides=frozenset(kinds))
    return TableSource(info, table, root, report, wanted=wanted, upright=True, coco_eval=coco_eval)
