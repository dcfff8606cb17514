"""Classes renamed, merged, dropped (--class_map) or put in another order after reading."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from itertools import count

import numpy as np
from numpy.typing import NDArray

from centernet.datasets.table_source import TableSource
from centernet.runtime.errors import UserError


def parse_class_map(text: str) -> dict[str, str]:
    """{old: new} of "old=new,other=new,third="; "" is the new name of a class to drop."""
    found: dict[str, str] = {}
    for entry in text.split(","):
        old, equals, new = entry.partition("=")
        if not equals or not old.strip():
            raise UserError(f"--class_map: '{entry}' is not old=new (or old= to drop the class)")
        if old.strip() in found:
            raise UserError(f"--class_map: '{old.strip()}' is mapped twice")
        found[old.strip()] = new.strip()
    return found


def mapped(source: TableSource, names: Mapping[str, str], every: bool = True) -> None:
    """Give `source` its new classes, in the order of the old; told as a fact of what was read.

    A merged class has the category id of its first. Objects of a dropped class are gone. UserError
    for a class that the source does not have, and where none is left; unless `every` one must be
    there, what is not is told, as a part may lack a class that another has.
    """
    info = source.info
    unknown = [name for name in names if name not in info.class_names]
    if unknown and not every and len(unknown) < len(names):
        source.report.facts.append(f"{info.name}: --class_map: no class {', '.join(unknown)} here")
    elif unknown:
        raise UserError(
            f"--class_map: {info.name} has no class '{unknown[0]}'; it has"
            f" {', '.join(info.class_names[:20])}"
        )
    places: dict[str, int] = {}
    ids: list[int | str] = []
    new = np.full(info.num_classes, -1, np.int64)
    for place, name in enumerate(info.class_names):
        name = names.get(name, name)
        if not name:
            continue
        if name not in places:
            places[name] = len(places)
            ids.append(info.category_ids[place])
        new[place] = places[name]
    if not places:
        raise UserError("--class_map drops every class")
    dropped = _renumber(source, new, tuple(places), tuple(ids))
    source.report.facts.append(
        f"{info.name}: --class_map: {info.num_classes} classes became {len(places)},"
        f" {dropped} objects dropped"
    )


def matched(source: TableSource, names: Sequence[str]) -> list[str]:
    """Number the classes of `source` as `names`, by their names; a line for what was done.

    Nothing is done where they are the same, or have no name in common. A class that `source` lacks
    has no object there; objects of one that `names` lacks are dropped.
    """
    info = source.info
    if info.class_names == tuple(names) or not set(info.class_names) & set(names):
        return []
    place = {name: number for number, name in enumerate(names)}
    new = np.array([place.get(name, -1) for name in info.class_names], np.int64)
    own = dict(zip(info.class_names, info.category_ids, strict=True))
    free = _unused(own.values())
    ids = tuple(own[name] if name in own else next(free) for name in names)
    dropped = _renumber(source, new, tuple(names), ids)
    lines = [f"{info.name}: its classes are matched by name with those to be learned"]
    if lacking := [name for name in names if name not in own]:
        lines.append(f"{info.name}: without class {', '.join(lacking)}")
    if further := [name for name in info.class_names if name not in place]:
        lines.append(
            f"{info.name}: class {', '.join(further)} is not learned: {dropped} objects of it are"
            " left out"
        )
    return lines


def _unused(ids: Iterable[int | str]) -> Iterator[int]:
    """Whole numbers above all of `ids`."""
    return count(1 + max((each for each in ids if isinstance(each, int)), default=0))


def _renumber(
    source: TableSource,
    new: NDArray[np.int64],
    names: tuple[str, ...],
    ids: tuple[int | str, ...],
) -> int:
    """Give class c the number `new`[c], -1 to drop its objects; how many objects those were."""
    info, table = source.info, source.table
    # Regions to ignore for one class are numbered -2 - class.
    own = np.where(table.classes <= -2, -2 - table.classes, table.classes)
    inside = (own >= 0) & (own < info.num_classes)
    renamed = np.where(inside, new[np.clip(own, 0, info.num_classes - 1)], own)
    keep = ~inside | (renamed >= 0)
    ignored = inside & (table.classes <= -2)
    table.classes = np.where(ignored, -2 - renamed, np.where(inside, renamed, table.classes))
    source.table = table if keep.all() else table.keep_objects(keep)
    source.info = replace(info, class_names=names, category_ids=ids)
    return int((~keep).sum())
