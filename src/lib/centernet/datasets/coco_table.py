"""A COCO annotation file as a table."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from centernet.datasets.categories import Categories, Json
from centernet.datasets.columns import integers, numbers
from centernet.datasets.inspect import Report
from centernet.datasets.table import Table
from centernet.structures.masks import Masks
from centernet.structures.objects import Cuboids


def read_table(
    data: Json, categories: Categories, report: Report, wanted: Collection[str] | None = None
) -> Table:
    """Images and objects as arrays; those that cannot be placed are reported and left out."""
    images, places = _images(data["images"], report)
    annotations, image, classes = _placed(data, images, places, categories, report)
    keypoints, keep = _keypoints(annotations, categories, image, images, report)
    if not keep.all():
        annotations = [a for a, kept in zip(annotations, keep, strict=True) if kept]
        image, classes = image[keep], classes[keep]
        keypoints = None if keypoints is None else keypoints[keep]
    sizes = np.stack([integers(images, key, 0) for key in ("height", "width")], axis=1)
    boxes = numbers(annotations, "bbox", 4)
    areas = numbers(annotations, "area")[:, 0]
    with np.errstate(invalid="ignore", over="ignore"):
        areas = np.where(np.isnan(areas), boxes[:, 2] * boxes[:, 3], areas)
    masks = None
    if wanted is None or {"masks", "extremes"} & set(wanted):
        masks = _masks(annotations, sizes[image])
    return Table(
        image_ids=[row["id"] for row in images],
        files=np.array([row["file_name"] for row in images], np.str_),
        sizes=sizes,
        image=image,
        ids=integers(annotations, "id", -1),
        classes=classes,
        boxes=boxes,
        areas=areas,
        crowd=np.array([bool(a.get("iscrowd", 0)) for a in annotations], bool),
        keypoints=keypoints,
        extremes=_extremes(annotations),
        identities=_identities(annotations),
        cuboids=_cuboids(annotations),
        calibrations=_calibrations(images),
        masks=masks,
    )


def kinds_of(data: Json, table: Table) -> frozenset[str]:
    """What the annotations provide, whether or not it was kept."""
    kinds = {"boxes"}
    if any(a.get("segmentation") for a in data["annotations"]):
        kinds |= {"masks", "extremes"}
    for kind in ("keypoints", "extremes", "identities", "cuboids"):
        if getattr(table, kind) is not None:
            kinds.add(kind)
    return frozenset(kinds)


def _images(rows: Sequence[Json], report: Report) -> tuple[list[Json], dict[Any, int]]:
    """The usable images, and the place of each id among them."""
    usable: list[Json] = []
    places: dict[Any, int] = {}
    for number, row in enumerate(rows, 1):
        if not isinstance(row.get("id"), (int, str)) or not isinstance(row.get("file_name"), str):
            report.drop(f"image {number} of the list", "image without 'id' or 'file_name'")
        elif row["id"] in places:
            first = usable[places[row["id"]]]["file_name"]
            detail = f"image id {row['id']} is already that of '{first}'"
            report.drop(f"image '{row['file_name']}'", "repeated image id", detail)
        else:
            places[row["id"]] = len(usable)
            usable.append(row)
    return usable, places


def _placed(
    data: Json,
    images: Sequence[Json],
    places: dict[Any, int],
    categories: Categories,
    report: Report,
) -> tuple[list[Json], NDArray[np.int64], NDArray[np.int64]]:
    """Annotations whose image and category exist, with the indices of both."""
    classes = {category: index for index, category in enumerate(categories.ids)}
    left_out = {row.get("id") for row in data["categories"]} - set(classes)
    rows = data["annotations"]
    image = [places.get(_key(a.get("image_id")), -1) for a in rows]
    category = [classes.get(_key(a.get("category_id")), -1) for a in rows]
    kept = []
    for place, annotation in enumerate(rows):
        if image[place] >= 0 and category[place] >= 0:
            kept.append(place)
            continue
        what = f"annotation {annotation.get('id', place + 1)}"
        if image[place] < 0:
            detail = f"image_id {annotation.get('image_id')} is not in 'images'"
            report.drop(what, "unknown image", detail)
        elif _key(annotation.get("category_id")) not in left_out:
            detail = f"category_id {annotation.get('category_id')} is not in 'categories'"
            file = images[image[place]]["file_name"]
            report.drop(f"{what}, '{file}'", "unknown category", detail)
    chosen = [rows[place] for place in kept]
    return chosen, np.array(image, np.int64)[kept], np.array(category, np.int64)[kept]


def _key(value: Any) -> Any:
    """A value fit to be looked up: a list where an id should be must not raise."""
    return value if isinstance(value, (int, float, str)) else None


def _keypoints(
    rows: Sequence[Json],
    categories: Categories,
    image: NDArray[np.int64],
    images: Sequence[Json],
    report: Report,
) -> tuple[NDArray[np.float32] | None, NDArray[np.bool_]]:
    """(N, J, 3) or None when no object has joints, and which rows are sound.

    An object without the key has no joint labelled, which is all zeros.
    """
    joints = len(categories.joints)
    if not joints or not any(row.get("keypoints") for row in rows):
        return None, np.ones(len(rows), bool)
    unlabelled = [0.0] * (3 * joints)
    listed = [{"keypoints": row.get("keypoints") or unlabelled} for row in rows]
    values = numbers(listed, "keypoints", 3 * joints)
    keep = ~np.isnan(values).all(axis=1)
    for place in np.flatnonzero(~keep):
        given = listed[place]["keypoints"]
        count = f"{len(given)} keypoint numbers" if isinstance(given, list) else "no keypoints"
        what = f"annotation {rows[place].get('id')}, '{images[image[place]]['file_name']}'"
        detail = f"{count}, {3 * joints} wanted ({joints} joints)"
        report.drop(what, "wrong keypoints", detail)
    return values.astype(np.float32).reshape(-1, joints, 3), keep


def _masks(rows: Sequence[Json], sizes: NDArray[np.int64]) -> Masks | None:
    segmentations = [row.get("segmentation") for row in rows]
    if not any(segmentations):
        return None
    return Masks(segmentations, map(tuple, sizes.tolist()))  # type: ignore[arg-type]


def _extremes(rows: Sequence[Json]) -> NDArray[np.float32] | None:
    """(N, 4, 2), NaN for a row that does not state them; None when no row does."""
    values = numbers(rows, "extreme_points", 8)
    stated = np.isfinite(values).all(axis=1)
    if not stated.any():
        return None
    values[~stated] = np.nan
    return values.astype(np.float32).reshape(-1, 4, 2)


def _identities(rows: Sequence[Json]) -> NDArray[np.int64] | None:
    if not rows or not all(isinstance(row.get("track_id"), int) for row in rows):
        return None
    return integers(rows, "track_id", -1)


def _cuboids(rows: Sequence[Json]) -> Cuboids | None:
    """Cuboids when any object has one; NaN for those that do not."""
    if not any("dim" in row for row in rows):
        return None
    columns = {
        "dimensions": numbers(rows, "dim", 3),
        "locations": numbers(rows, "location", 3),
        "rotations": numbers(rows, "rotation_y")[:, 0],
        "alphas": numbers(rows, "alpha")[:, 0],
        "depths": numbers(rows, "depth")[:, 0],
    }
    return Cuboids(**{name: values.astype(np.float32) for name, values in columns.items()})


def _calibrations(rows: Sequence[Json]) -> NDArray[np.float32] | None:
    """(M, 3, 4) P2 of each image, NaN where it has none; None when no image has one."""
    if not any("calib" in row for row in rows):
        return None
    flat = [{"calib": np.ravel(row["calib"]).tolist()} if "calib" in row else {} for row in rows]
    return numbers(flat, "calib", 12).astype(np.float32).reshape(-1, 3, 4)
