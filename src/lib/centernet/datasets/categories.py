"""The classes of a COCO annotation file and the joints that they declare."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from centernet.datasets import skeleton
from centernet.datasets.coco_file import Category, CocoFile
from centernet.datasets.inspect import Report
from centernet.io.door import shown
from centernet.io.meaning import Name
from centernet.runtime.errors import UserError


@dataclass(frozen=True)
class Categories:
    """The classes of a file in the order of their indices, and the one skeleton they share."""

    ids: tuple[Name, ...]
    names: tuple[str, ...]
    joints: tuple[str, ...] = ()
    limbs: tuple[tuple[int, int], ...] = ()
    sigmas: tuple[float, ...] | None = None
    pairs: tuple[tuple[int, int], ...] | None = None  # that change sides, where they are stated


def read_categories(
    file: CocoFile, report: Report, only: Sequence[str] | None = None
) -> Categories:
    """The classes in the order of their ids (of the file, where ids are not all numbers)."""
    rows = file.categories.items
    if not rows:
        used = sorted({str(a.category_id) for a in file.annotations.items})
        raise UserError(
            f"{report.name}: 'categories' is empty, so no object has a class; list "
            f'{{"id": ..., "name": ...}} for each (used: {", ".join(used[:10]) or "none"})'
        )
    for place, row in enumerate(rows):
        if row.id is None or row.name is None:
            wrong = file.categories.faults.get(place, {})
            said = "; ".join(f"'{key}' is {value}" for key, value in wrong.items())
            raise UserError(
                f"{report.name}: category {place + 1} in the list lacks 'id' or 'name'"
                + (f" ({said})" if said else "")
            )
    rows = _without_root(rows, file, report)
    if all(isinstance(row.id, int) for row in rows):
        rows = sorted(rows, key=lambda row: row.id)  # type: ignore[arg-type,return-value]
    if only is not None:
        missing = set(only) - {row.name for row in rows}
        if missing:
            raise UserError(f"{report.name}: no category is named {', '.join(sorted(missing))}")
        rows = [row for row in rows if row.name in only]
    ids = tuple(row.id for row in rows if row.id is not None)
    if len(set(ids)) < len(ids):
        twice = next(i for i in ids if ids.count(i) > 1)
        raise UserError(f"{report.name}: category id {twice} is given to more than one category")
    names = tuple(str(row.name) for row in rows)
    for name in sorted({name for name in names if names.count(name) > 1}):
        shared = ", ".join(str(row.id) for row in rows if row.name == name)
        raise UserError(
            f"{report.name}: categories {shared} are all called '{name}'; give each class a name of"
            " its own, or their objects one category"
        )
    return Categories(ids, names, *_skeleton(rows, report))


def _without_root(rows: list[Category], file: CocoFile, report: Report) -> list[Category]:
    """The categories without the root that some exports put above them, if no object has it."""
    parents = {row.supercategory for row in rows if isinstance(row.supercategory, str)}
    roots = [row for row in rows if row.name in parents and row.supercategory in (None, "none", "")]
    if len(rows) < 2 or len(roots) != 1:
        return rows
    root = roots[0]
    others = [row for row in rows if row is not root]
    if not all(row.supercategory == root.name for row in others) or root.keypoints:
        return rows
    if any(a.category_id == root.id for a in file.annotations.items):
        return rows
    report.notes.append(
        f"{report.name}: category {root.id} '{root.name}' is the root of the others and has no"
        " object: not a class"
    )
    return others


def _skeleton(rows: Sequence[Category], report: Report) -> tuple[Any, ...]:
    """Joints, limbs (from 0), sigmas and mirror pairs that the categories declare."""
    jointed = [row for row in rows if row.keypoints]
    if not jointed:
        return (), (), None, None
    for row in jointed:
        if not isinstance(row.keypoints, list):
            raise UserError(
                f"{report.name}: 'keypoints' of category '{row.name}' is {shown(row.keypoints)},"
                " not a list of the names of its joints"
            )
    joints = tuple(str(joint) for joint in jointed[0].keypoints)
    if any(list(map(str, row.keypoints)) != list(joints) for row in jointed):
        report.notes.append(
            f"{report.name}: its categories declare different joints, keypoints are not used"
        )
        return (), (), None, None
    first = jointed[0]
    limbs = _limbs(first, len(joints), report)
    return joints, limbs, _sigmas(first, joints, report), _pairs(first, joints, report)


def _pairs(
    row: Category, joints: Sequence[str], report: Report
) -> tuple[tuple[int, int], ...] | None:
    """The joints that change sides in a mirror, where the category states them, from 0.

    `flip_pairs` are pairs of names, or of numbers that count from 1 as those of 'skeleton';
    `flip_idx` is YOLO's list: the number, from 0, of each joint's counterpart.
    """
    where = f"{report.name}: category '{row.name}'"
    if row.flip_idx is not None:
        return skeleton.pairs_of_index(row.flip_idx, len(joints), f"{where}: 'flip_idx'")
    if row.flip_pairs is None:
        return None
    places = {name: place for place, name in enumerate(joints)}
    pairs = []
    for pair in row.flip_pairs if isinstance(row.flip_pairs, list) else [row.flip_pairs]:
        known = (
            [places.get(j, j - 1 if type(j) is int else -1) for j in pair if type(j) in (int, str)]
            if isinstance(pair, list)
            else []
        )
        good = len(known) == 2 and all(0 <= k < len(joints) for k in known) and known[0] != known[1]
        if not good:
            raise UserError(
                f"{where}: {shown(pair)} in 'flip_pairs' is not a pair of names of two of its"
                " joints (or of their numbers, from 1)"
            )
        pairs.append((min(known), max(known)))
    return tuple(pairs)


def _limbs(row: Category, joints: int, report: Report) -> tuple[tuple[int, int], ...]:
    """The pairs of joints, from 0, that the 'skeleton' of a category draws a limb between."""
    limbs = []
    given = row.skeleton or []
    for limb in given if isinstance(given, list) else [given]:
        if not isinstance(limb, list) or len(limb) != 2 or not all(type(j) is int for j in limb):
            raise UserError(
                f"{report.name}: limb {limb!r} in the 'skeleton' of category '{row.name}' is not"
                " a pair of the numbers of two joints"
            )
        if all(1 <= joint <= joints for joint in limb):
            limbs.append((limb[0] - 1, limb[1] - 1))
        else:
            report.notes.append(
                f"{report.name}: limb {limb} in the 'skeleton' of category '{row.name}' is not"
                f" drawn: its {joints} joints are counted from 1"
            )
    return tuple(limbs)


def _sigmas(row: Category, joints: Sequence[str], report: Report) -> tuple[float, ...]:
    """Those that a category states, else `skeleton.sigmas`."""
    sigmas = row.sigmas or skeleton.sigmas(joints)
    if not isinstance(sigmas, list | tuple) or not all(
        is_number(s) and 0 < s < math.inf for s in sigmas
    ):
        raise UserError(f"{report.name}: 'sigmas' must be a list of numbers above 0, not {sigmas}")
    if len(sigmas) != len(joints):
        raise UserError(f"{report.name}: {len(sigmas)} sigmas for {len(joints)} joints")
    return tuple(map(float, sigmas))


def is_number(value: Any) -> bool:
    """Whether `value` is a finite or infinite number, but neither NaN nor a truth value."""
    return isinstance(value, (int, float)) and not isinstance(value, bool) and not math.isnan(value)
