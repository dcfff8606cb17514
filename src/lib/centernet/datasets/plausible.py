"""What cannot be so in a table of annotations: areas, joints, cuboids; a line each."""

from __future__ import annotations

import math
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from centernet.datasets.table import Table

if TYPE_CHECKING:
    from centernet.datasets.inspect import Report

Flags = NDArray[np.bool_]
UNKNOWN_ANGLE = -10.0  # KITTI's mark for an angle that nobody knows
MARGIN = 1.0  # pixels that a joint may lie outside its image
NEAR = 0.5  # of a box's extent: how far outside its box a joint may be expected
FEWEST = 3  # boxes by which their format can be told
LARGEST = 1e5  # metres: no object is larger or farther away


def as_corner_and_size(
    boxes: NDArray[np.float64], sizes: NDArray[np.int64], box_format: str
) -> NDArray[np.float64]:
    """Boxes (N, 4) as x y width height in pixels.

    `box_format`: xywh (so already), xyxy (two corners), xywhn, xyxyn (both as parts of the width
    and height of their images, `sizes` (N, 2) height, width).
    """
    if box_format == "xywh":
        return boxes
    boxes = boxes.copy()
    if box_format.endswith("n"):
        scale = np.where(sizes > 0, sizes, np.nan)[:, ::-1]
        boxes *= np.tile(scale, 2)
    if box_format.startswith("xyxy"):
        boxes[:, 2:] -= boxes[:, :2]
    return boxes


def odd_boxes(table: Table, name: str, box_format: str) -> list[str]:
    """A line where the boxes of a whole file plainly are of another format than `box_format`."""
    boxes, sizes = table.boxes, table.sizes[table.image][:, ::-1].astype(np.float64)
    known = (sizes > 0).all(axis=1) & np.isfinite(boxes).all(axis=1)
    if known.sum() < FEWEST or box_format != "xywh":
        return []
    boxes, sizes = boxes[known], sizes[known]
    far = boxes[:, :2] + boxes[:, 2:]
    if (boxes >= 0).all() and (boxes <= 1).all():
        two = bool((boxes[:, 2:] > boxes[:, :2]).all() and (far > 1.001).any())
        flag = "xyxyn" if two else "xywhn"
        return [f"{name}: all {len(boxes)} boxes lie within 0 and 1: --box_format {flag}?"]
    leaving = (far > sizes * 1.02 + 2).any(axis=1)
    corners = (boxes[:, 2:] > boxes[:, :2]).all(axis=1) & (boxes[:, 2:] <= sizes + 1).all(axis=1)
    if leaving.mean() > 0.2 and corners.mean() > 0.99:
        return [
            f"{name}: {int(leaving.sum())} of {len(boxes)} boxes leave their images, but none would"
            " as two corners: --box_format xyxy?"
        ]
    return []


def usable_areas(table: Table, report: Report) -> Table:
    """`table` with the areas of the boxes where none above 0, or an impossible one, is stated.

    NaN stands for an area that is not stated. It is reported where joints are evaluated by it.
    """
    areas = table.areas
    absent = np.isnan(areas)
    with np.errstate(invalid="ignore", over="ignore"):
        boxes = table.boxes[:, 2] * table.boxes[:, 3]
        sizes = table.sizes[table.image].astype(np.float64)
        image = sizes.prod(axis=1)
        most = np.where(image > 0, np.maximum(image, boxes) * 1.01, np.inf)
        wrong = ~absent & ~((areas > 0) & (areas <= most) & np.isfinite(areas))
        stated = ~absent & ~wrong
        if stated.any() and (areas[stated] <= 1).all() and np.median(boxes[stated]) > 4:
            wrong |= stated  # of normalised outlines
    if wrong.any():
        _count(table, report, wrong, "areas that are not above 0 or too large or small: that of the"
               " box is taken")  # fmt: skip
    if table.keypoints is not None and absent.any():
        _count(table, report, absent, "objects without 'area', by which joints are judged: that of"
               " the box is taken")  # fmt: skip
    if not (absent | wrong).any():
        return table
    return replace(table, areas=np.where(absent | wrong, boxes, areas))


def usable_joints(table: Table, report: Report) -> Table:
    """`table` whose labelled joints lie in their images; what is elsewhere is not trained on.

    Joints of a whole file within 0 to 1 are fractions, of the image or of the box, and scaled.
    """
    if table.keypoints is None or not len(table.ids):
        return table
    joints = table.keypoints.copy()
    seen = _flags(joints[:, :, 2] > 0)
    if not seen.any():
        report.notes.append(
            f"{report.name}: no joint of {len(joints)} objects is labelled (visibility 0"
            " throughout): neither joints nor sizes will be learned"
        )
        return table
    sizes = table.sizes[table.image][:, ::-1].astype(np.float32)  # (N, 2) width, height
    known = _flags((sizes > 0).all(axis=1))
    _scale_fractions(table, joints, seen, sizes, known, report)
    x, y = joints[:, :, 0], joints[:, :, 1]
    width, height = sizes[:, 0:1], sizes[:, 1:2]
    outside = (x < -MARGIN) | (y < -MARGIN) | (x > width + MARGIN) | (y > height + MARGIN)
    outside &= seen & known[:, None]
    if outside.any():
        report.count(
            f"of {int(seen.sum())} labelled joints those outside their images, which are not used",
            table.describe(int(np.flatnonzero(outside.any(axis=1))[0])),
            int(outside.sum()),
        )
        joints[outside, 2] = 0
        seen = _flags(seen & ~outside)
        if not seen.any():
            report.notes.append(
                f"{report.name}: no labelled joint is left: neither joints nor sizes will be"
                " learned"
            )
    far = seen & ~_near_box(joints, table.boxes)
    if seen.any() and far.sum() > 0.5 * seen.sum():
        report.count(
            f"of {int(seen.sum())} labelled joints those far outside the boxes of their objects;"
            " counted from the corner of the box?",
            table.describe(int(np.flatnonzero(far.any(axis=1))[0])),
            int(far.sum()),
        )
    return replace(table, keypoints=joints)


def usable_cuboids(table: Table, report: Report) -> Table:
    """`table` where an object without a usable cuboid is a region to ignore for its class."""
    solid = table.cuboids
    if solid is None:
        return table
    angles = np.stack([solid.alphas, solid.rotations], axis=1)
    dimensions, depths = solid.dimensions, solid.depths
    with np.errstate(invalid="ignore"):
        faults = {
            "no size (dim)": ~np.isfinite(dimensions).all(axis=1),
            "a size that is not above 0": ~((dimensions > 0) & (dimensions < LARGEST)).all(axis=1),
            "no depth": ~np.isfinite(depths),
            "a depth that is not before the camera": ~((depths > 0) & (depths < LARGEST)),
            "no location": ~np.isfinite(solid.locations).all(axis=1),
            "no angle": ~np.isfinite(solid.alphas) | (angles == UNKNOWN_ANGLE).any(axis=1),
            "an angle beyond a half turn": np.abs(solid.alphas) > math.pi + 0.01,
        }
    bad = np.zeros(len(depths), bool)
    for kind, rows in faults.items():
        new = rows & ~bad & (table.classes >= 0)
        if new.any():
            what = f"cuboids dropped, as they have {kind}: their boxes are regions to ignore"
            _count(table, report, new, what)
            if report.strict:
                report.drop(table.describe(int(np.flatnonzero(new)[0])), kind)
        bad |= rows
    bad &= table.classes >= 0
    if not bad.any():
        return table
    return replace(table, classes=np.where(bad, -2 - table.classes, table.classes))


def _scale_fractions(
    table: Table,
    joints: NDArray[np.float32],
    seen: NDArray[np.bool_],
    sizes: NDArray[np.float32],
    known: NDArray[np.bool_],
    report: Report,
) -> None:
    """Lay out joints that are all within 0 to 1 over the images or, if that fits, the boxes."""
    places = joints[:, :, :2]
    labelled = places[seen]
    if not ((labelled >= 0) & (labelled <= 1)).all() or (labelled == 0).all():
        return
    if not known.all() or np.median(table.boxes[:, 2:]) <= 2:
        return
    corners, extents = table.boxes[:, None, :2], table.boxes[:, None, 2:]
    of_image = joints.copy()
    of_image[:, :, :2] = places * sizes[:, None]
    inside = _near_box(of_image, table.boxes)[seen].mean()
    if inside >= 0.5:
        joints[:] = of_image
        whose = "the image's"
    else:
        joints[:, :, :2] = corners + places * extents
        whose = "the box's"
    report.notes.append(
        f"{report.name}: all {int(seen.sum())} labelled joints lie within 0 and 1: taken as parts"
        f" of {whose} width and height"
    )


def _flags(values: Any) -> Flags:
    return np.asarray(values, bool)


def _near_box(joints: NDArray[np.float32], boxes: NDArray[np.float64]) -> NDArray[np.bool_]:
    """(N, J): whether a joint lies in its object's box, or not far from it."""
    extents = boxes[:, None, 2:]
    offsets = joints[:, :, :2] - boxes[:, None, :2]
    inside = (offsets >= -NEAR * extents) & (offsets <= (1 + NEAR) * extents)
    return np.asarray(inside.all(axis=2), bool)


def _count(table: Table, report: Report, rows: NDArray[np.bool_], kind: str) -> None:
    report.count(kind, table.describe(int(np.flatnonzero(rows)[0])), int(rows.sum()))
