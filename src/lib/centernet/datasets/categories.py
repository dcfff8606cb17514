"""The classes of a COCO annotation file and the joints that they declare."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from centernet.datasets import skeleton
from centernet.datasets.columns import is_number
from centernet.datasets.inspect import Report
from centernet.runtime.errors import UserError

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
    for row in jointed:
        if not isinstance(row["keypoints"], list):
            raise UserError(
                f"{report.name}: 'keypoints' of category '{row['name']}' is {row['keypoints']!r},"
                " not a list of the names of its joints"
            )
    joints = tuple(str(joint) for joint in jointed[0]["keypoints"])
    if any(list(map(str, row["keypoints"])) != list(joints) for row in jointed):
        report.notes.append(
            f"{report.name}: its categories declare different joints, keypoints are not used"
        )
        return (), (), None
    limbs = _limbs(jointed[0], len(joints), report)
    return joints, limbs, _sigmas(jointed[0], joints, report)


def _limbs(row: Json, joints: int, report: Report) -> tuple[tuple[int, int], ...]:
    """The pairs of joints, from 0, that the 'skeleton' of a category draws a limb between."""
    limbs = []
    given = row.get("skeleton") or []
    for limb in given if isinstance(given, list) else [given]:
        if not isinstance(limb, list) or len(limb) != 2 or not all(type(j) is int for j in limb):
            raise UserError(
                f"{report.name}: limb {limb!r} in the 'skeleton' of category '{row['name']}' is not"
                " a pair of the numbers of two joints"
            )
        if all(1 <= joint <= joints for joint in limb):
            limbs.append((limb[0] - 1, limb[1] - 1))
        else:
            report.notes.append(
                f"{report.name}: limb {limb} in the 'skeleton' of category '{row['name']}' is not"
                f" drawn: its {joints} joints are counted from 1"
            )
    return tuple(limbs)


def _sigmas(row: Json, joints: Sequence[str], report: Report) -> tuple[float, ...]:
    """Those that a category states, else `skeleton.sigmas`."""
    sigmas = row.get("sigmas") or skeleton.sigmas(joints)
    if not isinstance(sigmas, list | tuple) or not all(
        is_number(s) and 0 < s < math.inf for s in sigmas
    ):
        raise UserError(f"{report.name}: 'sigmas' must be a list of numbers above 0, not {sigmas}")
    if len(sigmas) != len(joints):
        raise UserError(f"{report.name}: {len(sigmas)} sigmas for {len(joints)} joints")
    return tuple(map(float, sigmas))
