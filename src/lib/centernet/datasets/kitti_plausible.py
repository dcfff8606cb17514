"""What cannot be meant in KITTI's labels: reported in a line each, never trained on."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from centernet.datasets.evaluate.kitti_labels import Labels
from centernet.datasets.inspect import Report
from centernet.io.image import ImageError, image_size

UNSEEN = 3.0  # `occluded` of an object that counts neither way in evaluation
NO_ANGLE = -9.0  # KITTI's mark for an unknown angle is -10
FARTHEST = 1000.0  # metres


def is_unknown(labels: Labels) -> NDArray[np.bool_]:
    """(N,): whether the cuboid of an object is not known, or cannot be that of anything seen."""
    angles = np.stack([labels.alphas, labels.rotations], axis=1)
    return np.asarray(
        (labels.dimensions <= 0).any(axis=1)
        | (labels.dimensions > FARTHEST).any(axis=1)
        | (labels.locations[:, 2] <= 0)
        | (np.abs(labels.locations) >= FARTHEST).any(axis=1)
        | (angles <= NO_ANGLE).any(axis=1),
        bool,
    )


def usable_labels(
    labels: Labels,
    path: Path,
    image: Path,
    types: Sequence[str],
    classes: Sequence[str],
    report: Report,
) -> Labels:
    """`labels` with types in their own spelling, corners in order, and boxes in the image alone.

    Objects of a class whose cuboid is not known count neither way in evaluation.
    """
    if not len(labels):
        return labels
    spelt = {name.lower(): name for name in types}
    names = []
    for name in labels.names:
        known = spelt.get(name.lower(), name)
        if known != name:
            report.count("types read as meant", f"{name} in {path.name} is {known}")
        elif name not in types:
            offered = ", ".join(classes)
            report.count(
                f"objects of types that are no class ({offered}) are background",
                f"{name} in {path.name}",
            )
        names.append(known)
    values = labels.values.copy()
    keep = _in_order(values, path, report) & _inside(values, names, path, image, report)
    labels = Labels(tuple(n for n, k in zip(names, keep, strict=True) if k), values[keep])
    own = np.array([name in classes for name in labels.names], bool)
    unknown = is_unknown(labels) & own
    if unknown.any():
        row = int(np.flatnonzero(unknown)[0])
        report.count(
            "objects whose cuboid is not known or behind the camera are regions to ignore",
            f"row {row + 1} of {path.name}",
            int(unknown.sum()),
        )
        labels = replace(labels, values=labels.values.copy())
        labels.values[unknown, 1] = UNSEEN
    return labels


def tell_camera(frames: Sequence[tuple[Path, NDArray[np.float32]]], report: Report) -> None:
    """A line when the optical axis is nowhere near the middle: images of another size."""
    for path, calibration in frames:
        try:
            height, width = image_size(path)
        except ImageError:
            continue
        x, y = float(calibration[0, 2]), float(calibration[1, 2])
        if not (0.2 * width < x < 0.8 * width and 0.1 * height < y < 0.9 * height):
            report.notes.append(
                f"{report.name}: the camera of {path.name} looks at {x:g}, {y:g} of a picture of"
                f" {width} x {height}: are the pictures of another size than the cameras?"
            )


def _in_order(values: NDArray[np.float64], path: Path, report: Report) -> NDArray[np.bool_]:
    """Put corners in order; which rows have an area."""
    boxes = values[:, 3:7]
    swapped = (boxes[:, 0] > boxes[:, 2]) | (boxes[:, 1] > boxes[:, 3])
    if swapped.any():
        row = int(np.flatnonzero(swapped)[0])
        said = f"row {row + 1} of {path.name}"
        report.count("boxes with corners swapped, put in order", said, int(swapped.sum()))
        boxes[:, [0, 2]] = np.sort(boxes[:, [0, 2]], axis=1)
        boxes[:, [1, 3]] = np.sort(boxes[:, [1, 3]], axis=1)
    empty = (boxes[:, 2] <= boxes[:, 0]) | (boxes[:, 3] <= boxes[:, 1])
    for row in np.flatnonzero(empty).tolist():
        report.drop(f"{path}: row {row + 1}", "without area", "its box has no area")
    return np.asarray(~empty, bool)


def _inside(
    values: NDArray[np.float64], names: Sequence[str], path: Path, image: Path, report: Report
) -> NDArray[np.bool_]:
    boxes = values[:, 3:7]
    keep = np.ones(len(boxes), bool)
    try:
        height, width = image_size(image)
    except ImageError:
        return keep  # reported when it is read
    outside = (boxes[:, 0] >= width) | (boxes[:, 1] >= height) | (boxes[:, 2:] <= 0).any(axis=1)
    for row in np.flatnonzero(outside).tolist():
        box = " ".join(f"{value:g}" for value in boxes[row])
        detail = f"box {box} is outside the {width} x {height} image"
        report.drop(f"{path}: row {row + 1}", "outside the image", detail)
    return np.asarray(keep & ~outside, bool)
