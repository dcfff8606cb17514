"""The 3D part of a COCO annotation file: cuboids of its objects, cameras of its images.

Of an annotation: `dim` (height width length, or {"h", "w", "l"}), `location` (x y z of the centre
of the bottom face), `rotation_y`, `alpha` and `depth`; the last two follow from the others where
they are absent. Of an image: `calib`, 3 x 4, or 3 x 3, which is a camera at the origin.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import Any

import msgspec
import numpy as np
from numpy.typing import NDArray

from centernet.datasets.coco_file import NOTHING, Annotation, Image
from centernet.datasets.inspect import Report
from centernet.io import meaning
from centernet.io.rows import shown_json
from centernet.structures.objects import Cuboids

UNKNOWN = -10.0  # KITTI's angle of an object whose cuboid nobody knows
_DIMENSIONS = (("h", "w", "l"), ("height", "width", "length"))


def read_cuboids(
    rows: Sequence[Annotation], describe: Callable[[int], str], report: Report
) -> Cuboids | None:
    """Cuboids when any object has one; NaN for what is absent or no number."""
    if all(row.dim is NOTHING or bytes(row.dim) == b"null" for row in rows):
        return None
    dimensions = np.full((len(rows), 3), np.nan)
    locations = np.full((len(rows), 3), np.nan)
    columns = {
        key: np.array([np.nan if (v := getattr(row, key)) is None else v for row in rows], float)
        for key in ("rotation_y", "alpha", "depth")
    }
    for place, row in enumerate(rows):
        dimensions[place] = _dimensions(row.dim)
        if row.location is not None and len(row.location) == 3:
            locations[place] = row.location
    rotations, alphas = _radians(columns["rotation_y"], columns["alpha"], report)
    depths, x, z = columns["depth"], locations[:, 0], locations[:, 2]
    for what, absent, derived in (
        ("alpha", np.isnan(alphas), rotations - np.arctan2(x, z)),
        ("depth", np.isnan(depths), z),
    ):
        filled = absent & np.isfinite(derived)
        if filled.any():
            said = describe(int(np.flatnonzero(filled)[0]))
            report.count(f"'{what}' is absent and taken from the location", said, int(filled.sum()))
        (alphas if what == "alpha" else depths)[filled] = derived[filled]
    alphas = _wrapped(alphas)
    with np.errstate(over="ignore"):
        return Cuboids(
            dimensions=dimensions.astype(np.float32),
            locations=locations.astype(np.float32),
            rotations=rotations.astype(np.float32),
            alphas=alphas.astype(np.float32),
            depths=depths.astype(np.float32),
        )


def read_calibrations(images: Sequence[Image], report: Report) -> NDArray[np.float32] | None:
    """(M, 3, 4) P2 of each image, NaN where it has none; None when no image has one."""
    if all(image.calib is NOTHING for image in images):
        return None
    found = np.full((len(images), 3, 4), np.nan)
    for place, image in enumerate(images):
        if image.calib is NOTHING:
            report.count("images without 'calib', whose camera is unknown", f"'{image.file_name}'")
            continue
        said = f"{shown_json(bytes(image.calib))} of '{image.file_name}'"
        try:
            values = np.array(meaning.numbers(_decoded(image.calib)))
        except ValueError:
            report.count("'calib' is no matrix, so the camera is unknown", said)
            continue
        if values.size == 9:
            report.count("'calib' of 3 x 3 taken with a column of zeros", f"'{image.file_name}'")
            values = np.concatenate([values.reshape(3, 3), np.zeros((3, 1))], axis=1).ravel()
        if values.size != 12:
            what = f"'calib' has not 12 numbers (3 x 4) but {values.size}"
            report.count(f"{what}, so the camera is unknown", said)
        elif not (np.isfinite(values).all() and values[0] > 0 and values[5] > 0):
            report.count("'calib' is no camera (focal lengths above 0, finite numbers)", said)
        else:
            found[place] = values.reshape(3, 4)
    with np.errstate(over="ignore"):
        return found.astype(np.float32)


def _dimensions(raw: msgspec.Raw) -> list[float]:
    unknown = [math.nan] * 3
    try:
        given = _decoded(raw)
        if isinstance(given, dict):
            names = next(names for names in _DIMENSIONS if all(name in given for name in names))
            given = [given[name] for name in names]
        found = meaning.numbers(given)
    except (ValueError, StopIteration):
        return unknown
    return found if len(found) == 3 else unknown


def _decoded(raw: msgspec.Raw) -> Any:
    try:
        return msgspec.json.decode(raw)
    except (RecursionError, OverflowError) as error:
        raise ValueError("no numbers") from error


def _radians(
    rotations: NDArray[np.float64], alphas: NDArray[np.float64], report: Report
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Both as radians: with angles beyond a whole turn they are degrees, which is logged."""
    angles = np.concatenate([rotations, alphas])
    angles = angles[np.isfinite(angles) & (angles != UNKNOWN)]
    if not (np.abs(angles) > 2 * math.pi + 0.1).any():
        return rotations, alphas
    most = angles[np.abs(angles).argmax()]
    report.count("angles taken for degrees, as some are beyond a whole turn", f"{most:g}",
                 len(angles))  # fmt: skip

    def turned(values: NDArray[np.float64]) -> NDArray[np.float64]:
        return np.where(values == UNKNOWN, UNKNOWN, _wrapped(np.radians(values)))

    return turned(rotations), turned(alphas)


def _wrapped(angles: NDArray[np.float64]) -> NDArray[np.float64]:
    """Angles within -pi to pi; those that are there already stay to the bit, and so do unknowns."""
    beyond = (np.abs(angles) > math.pi) & (angles != UNKNOWN) & np.isfinite(angles)
    return np.where(beyond, (angles + math.pi) % (2 * math.pi) - math.pi, angles)
