"""Average precision of cuboids, for any data set with a camera: by their overlap in space.

As KITTI's 3D and bird's-eye measures (Geiger, Lenz, Urtasun, "Are we ready for Autonomous
Driving?", CVPR 2012), without its levels of difficulty: detections of a class, best first, each
take the free object that they overlap most; the precision is averaged over the recall.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from centernet.datasets.evaluate.evaluation import Evaluation
from centernet.datasets.evaluate.rotated_iou import intersections
from centernet.datasets.source import Info
from centernet.datasets.table import Table
from centernet.io.files import write_text
from centernet.structures.objects import Cuboids

if TYPE_CHECKING:
    from centernet.structures.detections import Detections

OVERLAPS = (0.5, 0.25)  # least overlaps; the first is the one a run is evaluated by
MEASURES = ("3D", "BEV")
SOLID_METRICS = ("AP", *(f"{m}_{least:g}" for m in MEASURES for least in OVERLAPS))
FILE = "cuboids.json"
IGNORED = 0.5  # of a detection's box within a region to ignore: it counts neither way
Array = NDArray[np.float64]


@dataclass
class _Pairs:
    """One image's detections of a class: scores, overlaps (D, T, 2) with its objects, ignored."""

    scores: Array
    overlaps: Array
    ignored: NDArray[np.bool_]


def is_solid(table: Table, results: Mapping[Any, Detections]) -> bool:
    """Whether both the annotations and the detections have cuboids."""
    return table.cuboids is not None and any(d.cuboids is not None for d in results.values())


def evaluate_cuboids(
    table: Table, info: Info, results: Mapping[Any, Detections], folder: Path
) -> Evaluation:
    """AP in space ("AP", at an overlap of 0.5) and from above, the mean of the classes.

    `cuboids.json` in `folder` gets a row a detection: image_id, category_id, bbox, score, dim (h w
    l, metres), location (of the centre of the bottom face), rotation_y, alpha, depth. A class
    without objects is left out of the means; -1 where there is none at all.
    """
    write_text(folder / FILE, json.dumps(_rows(table, info, results)) + "\n")
    objects = [table.objects(index, {"cuboids"}) for index in range(len(table))]
    per_class: dict[str, dict[str, float]] = {}
    for place, name in enumerate(info.class_names):
        images = [
            _pairs(own, results[image_id], place)
            for image_id, own in zip(table.image_ids, objects, strict=True)
            if image_id in results and results[image_id].cuboids is not None
        ]
        count = int((table.classes == place).sum())
        found = {
            f"{measure}_{least:g}": _precision(images, count, column, least)
            for column, measure in enumerate(MEASURES)
            for least in OVERLAPS
        }
        per_class[name] = {"AP": found[f"3D_{OVERLAPS[0]:g}"], **found}
    means = {name: _mean([v[name] for v in per_class.values()]) for name in SOLID_METRICS}
    return Evaluation(means, per_class=per_class, table=_table(per_class, means))


def _pairs(own: Any, found: Detections, place: int) -> _Pairs:
    rows = np.flatnonzero(found.classes == place)
    assert found.cuboids is not None
    detected = found.cuboids.select(rows)
    truth = own.cuboids.select(np.flatnonzero(own.classes == place))
    overlaps = overlaps_of(detected, truth)
    regions = own.boxes[(own.classes == -2 - place) | (own.classes == -1)]
    boxes = np.asarray(found.boxes, np.float64)[rows]
    ignored = np.zeros(len(rows), bool)
    for region in np.asarray(regions, np.float64):
        sides = np.minimum(boxes[:, 2:], region[2:]) - np.maximum(boxes[:, :2], region[:2])
        area = np.prod(boxes[:, 2:] - boxes[:, :2], axis=1)
        ignored |= np.prod(np.maximum(sides, 0), axis=1) > IGNORED * area
    return _Pairs(np.asarray(found.scores, np.float64)[rows], overlaps, ignored)


def overlaps_of(first: Cuboids, second: Cuboids) -> Array:
    """(N, M, 2): intersection over union of every two cuboids, in space and from above."""
    n, m = len(first), len(second)
    a, b = np.repeat(np.arange(n), m), np.tile(np.arange(m), n)
    base = intersections(_rectangles(first)[a], _rectangles(second)[b])
    sizes = np.asarray(first.dimensions, np.float64)[a], np.asarray(second.dimensions, float)[b]
    bottom = (
        np.asarray(first.locations, np.float64)[a, 1],
        np.asarray(second.locations, float)[b, 1],
    )
    floor = np.minimum(*bottom)  # y points down
    ceiling = np.maximum(bottom[0] - sizes[0][:, 0], bottom[1] - sizes[1][:, 0])
    volume = base * np.maximum(floor - ceiling, 0)
    space = np.prod(sizes[0], axis=1) + np.prod(sizes[1], axis=1) - volume
    ground = np.prod(sizes[0][:, 1:], axis=1) + np.prod(sizes[1][:, 1:], axis=1) - base
    result = np.zeros((n * m, 2))
    for column, (part, whole) in enumerate(((volume, space), (base, ground))):
        np.divide(part, whole, out=result[:, column], where=(part > 0) & (whole > 0))
    return result.reshape(n, m, 2)


def _rectangles(solid: Cuboids) -> Array:
    """(N, 5) x z length width rotation, as seen from above."""
    places, sizes = solid.locations, solid.dimensions
    columns = (places[:, 0], places[:, 2], sizes[:, 2], sizes[:, 1], solid.rotations)
    return np.stack([np.asarray(c, np.float64) for c in columns], axis=1).reshape(-1, 5)


def _precision(images: list[_Pairs], count: int, column: int, least: float) -> float:
    """Area under the precision, made to fall with recall; -1 without objects."""
    if not count:
        return -1.0
    scores = np.concatenate([image.scores for image in images] or [np.zeros(0)])
    where = [(image, row) for image in images for row in range(len(image.scores))]
    taken = {id(image): np.zeros(image.overlaps.shape[1], bool) for image in images}
    hits = []
    for place in np.argsort(-scores, kind="stable"):
        image, row = where[place]
        free = np.where(taken[id(image)], 0.0, image.overlaps[row, :, column])
        best = int(free.argmax()) if len(free) else -1
        hit = best >= 0 and free[best] >= least
        if hit:
            taken[id(image)][best] = True
        elif image.ignored[row]:
            continue
        hits.append(hit)
    right = np.cumsum(np.array(hits, np.float64))
    precision = right / np.arange(1, len(hits) + 1)
    precision = np.maximum.accumulate(precision[::-1])[::-1]
    return float((precision * np.array(hits, np.float64)).sum() / count)


def _mean(values: list[float]) -> float:
    known = [value for value in values if value >= 0]
    return float(np.mean(known)) if known else -1.0


def _table(per_class: Mapping[str, Mapping[str, float]], means: Mapping[str, float]) -> str:
    names = SOLID_METRICS[1:]
    width = max(7, *map(len, per_class))
    lines = ["average precision of cuboids, by least overlap in space (3D) and from above (BEV)"]
    lines.append(f" {'':<{width}}" + "".join(f"{name:>10}" for name in names))
    for label, values in [*per_class.items(), ("mean", means)]:
        lines.append(f" {label:<{width}}" + "".join(f"{values[name]:10.3f}" for name in names))
    return "\n".join(lines)


def _rows(table: Table, info: Info, results: Mapping[Any, Detections]) -> list[dict[str, Any]]:
    rows = []
    for image_id in table.image_ids:
        found = results.get(image_id)
        if found is None or found.cuboids is None:
            continue
        solid = found.cuboids
        flat = found.to_coco(image_id, range(info.num_classes))
        for n, row in enumerate(flat):
            row["category_id"] = info.category_ids[row["category_id"]]
            row |= {
                "dim": [round(float(v), 4) for v in solid.dimensions[n]],
                "location": [round(float(v), 4) for v in solid.locations[n]],
                "rotation_y": round(float(solid.rotations[n]), 4),
                "alpha": round(float(solid.alphas[n]), 4),
                "depth": round(float(solid.depths[n]), 4),
            }
            rows.append(row)
    return rows
