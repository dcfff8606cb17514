"""A COCO annotation file as a table."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from centernet.datasets.categories import Categories
from centernet.datasets.coco_cuboids import read_calibrations, read_cuboids
from centernet.datasets.coco_file import Annotation, CocoFile, Image
from centernet.datasets.inspect import Report
from centernet.datasets.table import Table
from centernet.datasets.videos import Videos
from centernet.io.door import shown
from centernet.io.meaning import Name
from centernet.structures.masks import Masks

LARGEST = 2**31 - 1  # side of an image
ID_RANGE = range(-(2**63), 2**63)
_EMPTY = frozenset({b"null", b"[]", b"{}", b'""', b"[[]]"})


def read_table(
    file: CocoFile, categories: Categories, report: Report, wanted: Collection[str] | None = None
) -> Table:
    """Images and objects as arrays; those that cannot be placed are reported and left out."""
    tell_coerced(file, report)
    images, places = _images(file, report)
    placed = _placed(file, images, places, categories, report)
    keypoints, keep = _keypoints(placed, categories, report)
    placed = placed.keep(keep)
    rows = placed.rows
    sizes = _sizes(images, report)
    masks = None
    if wanted is None or {"masks", "extremes"} & set(wanted):
        masks = _masks(rows, sizes[placed.image])
    boxes = [row.bbox or (np.nan,) * 4 for row in rows]
    return Table(
        image_ids=[image.id for image in images if image.id is not None],
        files=np.array([image.file_name for image in images], np.str_),
        sizes=sizes,
        image=placed.image,
        ids=np.array(placed.numbers, np.int64),
        classes=placed.classes,
        boxes=np.array(boxes, np.float64).reshape(-1, 4),
        areas=np.array([np.nan if row.area is None else row.area for row in rows], np.float64),
        crowd=np.array([bool(row.iscrowd) for row in rows], bool),
        keypoints=keypoints if keypoints is None else keypoints[keep],
        extremes=_extremes(rows),
        identities=_identities(rows, report),
        cuboids=read_cuboids(rows, placed.describe, report),
        calibrations=read_calibrations(images, report),
        masks=masks,
        videos=_videos(images),
    )


def kinds_of(file: CocoFile, table: Table) -> frozenset[str]:
    """What the annotations provide, whether or not it was kept."""
    kinds = {"boxes"}
    if any(has_mask(row) for row in file.annotations.items):
        kinds |= {"masks", "extremes"}
    for kind in ("keypoints", "extremes", "identities", "cuboids"):
        if getattr(table, kind) is not None:
            kinds.add(kind)
    return frozenset(kinds)


def has_mask(row: Annotation) -> bool:
    """Whether a 'segmentation' with something in it stands in the file."""
    return bytes(row.segmentation) not in _EMPTY


def tell_coerced(file: CocoFile, report: Report) -> None:
    """One line for each field whose values were of an unusual type but plain to read."""
    for part in ("images", "annotations", "categories"):
        for key, coerced in getattr(file, part).coerced.items():
            report.count(f"'{key}' in '{part}' read as meant", coerced.first, coerced.count)


@dataclass
class _Placed:
    """The annotations that have an image and a class, the indices of both, ids as numbers."""

    rows: list[Annotation]
    numbers: list[int]
    image: NDArray[np.int64]
    classes: NDArray[np.int64]
    images: Sequence[Image]
    wrong: list[bool]  # whether something stands in place of keypoints that is no list of numbers

    def keep(self, keep: NDArray[np.bool_]) -> _Placed:
        if keep.all():
            return self
        places = np.flatnonzero(keep)
        rows, numbers = [self.rows[n] for n in places], [self.numbers[n] for n in places]
        wrong = [self.wrong[n] for n in places]
        return _Placed(rows, numbers, self.image[keep], self.classes[keep], self.images, wrong)

    def describe(self, place: int) -> str:
        """The object as a message names it."""
        return f"annotation {self.numbers[place]}, '{self.images[self.image[place]].file_name}'"


def _images(file: CocoFile, report: Report) -> tuple[list[Image], dict[Name, int]]:
    """The usable images, and the place of each id among them."""
    usable: list[Image] = []
    places: dict[Name, int] = {}
    for number, row in enumerate(file.images.items, 1):
        if row.file_name is None and row.coco_url is not None:  # LVIS
            row.file_name = "/".join(row.coco_url.split("/")[-2:])
        if row.id is None or not row.file_name or "\0" in row.file_name:
            faults = file.images.faults.get(number - 1, {})
            said = "; ".join(f"'{k}' is {v}" for k, v in faults.items() if k in ("id", "file_name"))
            kind = "image without 'id' or 'file_name'"
            report.drop(f"image {number} of the list", kind, f"{kind} ({said})" if said else "")
        elif row.id in places:
            first = usable[places[row.id]].file_name
            detail = f"image id {row.id} is already that of '{first}'"
            report.drop(f"image '{row.file_name}'", "repeated image id", detail)
        else:
            places[row.id] = len(usable)
            usable.append(row)
            for key in ("height", "width"):
                if key in file.images.faults.get(number - 1, {}):
                    said = f"{file.images.faults[number - 1][key]} of '{row.file_name}'"
                    report.count(f"'{key}' is no size, so it is not checked", said)
    return usable, places


def _sizes(images: Sequence[Image], report: Report) -> NDArray[np.int64]:
    sizes = np.zeros((len(images), 2), np.int64)
    for place, image in enumerate(images):
        for side, value in enumerate((image.height, image.width)):
            if value is not None and 0 < value <= LARGEST:
                sizes[place, side] = value
            elif value:
                key, said = ("height", "width")[side], f"{shown(value)} of '{image.file_name}'"
                report.count(f"'{key}' is no size, so it is not checked", said)
    return sizes


def _placed(
    file: CocoFile,
    images: Sequence[Image],
    places: dict[Name, int],
    categories: Categories,
    report: Report,
) -> _Placed:
    """Annotations whose image and category exist."""
    classes: dict[Name, int] = {category: index for index, category in enumerate(categories.ids)}
    left_out = {row.id for row in file.categories.items} - set(classes)
    rows, faults = file.annotations.items, file.annotations.faults
    image = _found([row.image_id for row in rows], places, "image_id", report)
    category = _found([row.category_id for row in rows], classes, "category_id", report)
    kept, numbers = [], []
    strange = 0
    for place, row in enumerate(rows):
        own = type(row.id) is int and row.id in ID_RANGE
        what = f"annotation {row.id if row.id is not None else place + 1}"
        wrong = faults.get(place, {})
        if image[place] < 0:
            detail = f"image_id {wrong.get('image_id', row.image_id)} is not in 'images'"
            report.drop(what, "unknown image", detail)
            continue
        what = f"{what}, '{images[image[place]].file_name}'"
        if category[place] < 0:
            if row.category_id is None or row.category_id not in left_out:
                given = wrong.get("category_id", row.category_id)
                detail = f"category_id {given} is not in 'categories'"
                report.drop(what, "unknown category", detail)
            continue
        if "iscrowd" in wrong:
            report.drop(what, "wrong iscrowd", f"'iscrowd' is {wrong['iscrowd']}, not 0 or 1")
            continue
        if "area" in wrong:
            report.count("areas that are no number", f"{wrong['area']} of {what}")
        kept.append(place)
        numbers.append(int(row.id) if own else place + 1)  # type: ignore[arg-type]
        strange += not own and row.id is not None
    if strange:
        report.notes.append(
            f"{report.name}: {strange} annotation ids are no whole numbers of 64 bits: they are"
            " called by their places in the list"
        )
    chosen = [rows[place] for place in kept]
    where = np.array(image, np.int64)[kept], np.array(category, np.int64)[kept]
    wrong_joints = ["keypoints" in faults.get(place, ()) for place in kept]
    return _Placed(chosen, numbers, *where, images, wrong_joints)


def _found(
    values: Sequence[Name | None], places: dict[Name, int], key: str, report: Report
) -> list[int]:
    """The place of each id; -1 where there is none. 7 and "7" are the same where only one is."""
    found = [-1 if value is None else places.get(value, -1) for value in values]
    for place, value in enumerate(values):
        if found[place] >= 0 or value is None:
            continue
        other = _otherwise(value)
        if other in places:
            found[place] = places[other]
            report.count(f"'{key}' in 'annotations' read as meant", shown(value))
    return found


def _otherwise(value: Name) -> Name:
    if isinstance(value, int):
        return str(value) if abs(value) < 10**40 else value
    text = value.strip()
    return int(text) if text.isascii() and text.isdigit() and len(text) < 40 else text


def _keypoints(
    placed: _Placed, categories: Categories, report: Report
) -> tuple[NDArray[np.float32] | None, NDArray[np.bool_]]:
    """(N, J, 3) or None when no object has joints, and which rows are sound.

    An object without the key has no joint labelled, which is all zeros.
    """
    rows, joints = placed.rows, len(categories.joints)
    keep = np.ones(len(rows), bool)
    if not joints or not any(row.keypoints for row in rows):
        return None, keep
    values = np.zeros((len(rows), 3 * joints))
    for place, row in enumerate(rows):
        given = row.keypoints
        if given is not None and len(given) == 3 * joints:
            values[place] = given
        elif given or placed.wrong[place]:
            count = f"{len(given)} keypoint numbers" if given else "no keypoints"
            detail = f"{count}, {3 * joints} wanted ({joints} joints)"
            report.drop(placed.describe(place), "wrong keypoints", detail)
            keep[place] = False
    with np.errstate(over="ignore"):
        return values.astype(np.float32).reshape(-1, joints, 3), keep


def _masks(rows: Sequence[Annotation], sizes: NDArray[np.int64]) -> Masks | None:
    if not any(has_mask(row) for row in rows):
        return None
    return Masks((row.segmentation for row in rows), map(tuple, sizes.tolist()))


def _extremes(rows: Sequence[Annotation]) -> NDArray[np.float32] | None:
    """(N, 4, 2), NaN for a row that does not state them; None when no row does."""
    values = np.full((len(rows), 8), np.nan)
    for place, row in enumerate(rows):
        if row.extreme_points is not None and len(row.extreme_points) == 8:
            values[place] = row.extreme_points
    stated = np.isfinite(values).all(axis=1)
    if not stated.any():
        return None
    values[~stated] = np.nan
    return values.astype(np.float32).reshape(-1, 4, 2)


def _identities(rows: Sequence[Annotation], report: Report) -> NDArray[np.int64] | None:
    """(N,) the track ids; renumbered, which is logged, where one is no number of 64 bits."""
    given = [row.track_id for row in rows]
    if not rows or any(value is None for value in given):
        return None
    if all(isinstance(value, int) and value in ID_RANGE for value in given):
        return np.array(given, np.int64)
    anew: dict[Any, int] = {}
    report.count("track ids numbered anew", shown(given[0]), len(given))
    return np.array([anew.setdefault(value, len(anew)) for value in given], np.int64)


def _videos(images: Sequence[Image]) -> Videos | None:
    """The videos, called by their ids, where every image says its video and its frame."""
    frames = [image.frame_id for image in images if image.frame_id is not None]
    ids = [image.video_id for image in images if image.video_id is not None]
    if not images or len(frames) < len(images) or len(ids) < len(images):
        return None
    names = list(dict.fromkeys(map(str, ids)))
    place = {name: row for row, name in enumerate(names)}
    video = np.array([place[str(each)] for each in ids], np.int64)
    return Videos(names, video, np.array(frames, np.int64))
