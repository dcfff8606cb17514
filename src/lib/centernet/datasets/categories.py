"""The classes of a COCO annotation file and the joints that they declare."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from centernet.datasets import skeleton
from centernet.datasets.columns import is_number
from centernet.datasets.inspect import Report
from centernet.errors import UserError

Json = dict[str, Any]


@dataclass(frozen=True)
class Categories:
    """The classes of a file in the order of their indices, and the one skeleton they share."""

    ids: tuple[Any, ...]
    names: tuple[str, ...]
    joints: tuple[str, ...] = ()
    limbs: tuple[tuple[int, int], ...] = ()
    sigmas: tuple[float, ...] | None = None


def read_categories(data: Json, report: Report, only: Sequence[str] | None = None) -> Categories:
    """The classes in the order of their ids (of the file, where ids are not all numbers)."""
    rows = data["categories"]
    if not rows:
        used = sorted({str(a.get("category_id")) for a in data["annotations"]})
        raise UserError(
            f"{report.name}: 'categories' is empty, so no object has a class; list "
            f'{{"id": ..., "name": ...}} for each (used: {", ".join(used[:10]) or "none"})'
        )
    for place, row in enumerate(rows):
        if "id" not in row or "name" not in row:
            raise UserError(f"{report.name}: category {place + 1} in the list lacks 'id' or 'name'")
    if all(is_number(row["id"]) for row in rows):
        rows = sorted(rows, key=lambda row: row["id"])
    if only is not None:
        missing = set(only) - {row["name"] for row in rows}
        if missing:
            raise UserError(f"{report.name}: no category is named {', '.join(sorted(missing))}")
        rows = [row for row in rows if row["name"] in only]
    ids = tuple(row["id"] for row in rows)
    if len(set(ids)) < len(ids):
        twice = next(i for i in ids if ids.count(i) > 1)
        raise UserError(f"{report.name}: category id {twice} is given to more than one category")
    names = tuple(str(row["name"]) for row in rows)
    return Categories(ids, names, *_skeleton(rows, report))


def _skeleton(
    rows: Sequence[Json], report: Report
) -> tuple[tuple[str, ...], tuple[tuple[int, int], ...], tuple[float, ...] | None]:
    """Joints, limbs (from 0) and sigmas that the categories declare."""
    jointed = [row for row in rows if row.get("keypoints")]
    if not jointed:
        return (), (), None
    joints = tuple(str(joint) for joint in jointed[0]["keypoints"])
    if any(list(map(str, row["keypoints"])) != list(joints) for row in jointed):
        report.notes.append(
            f"{report.name}: its categories declare different joints, keypoints are not used"
        )
        return (), (), None
    limbs = [(a - 1, b - 1) for a, b in jointed[0].get("skeleton") or []]
    limbs = [limb for limb in limbs if all(0 <= joint < len(joints) for joint in limb)]
    sigmas = jointed[0].get("sigmas") or skeleton.sigmas(joints)
    if len(sigmas) != len(joints):
        raise UserError(f"{report.name}: {len(sigmas)} sigmas for {len(joints)} joints")
    return joints, tuple(limbs), tuple(map(float, sigmas))
