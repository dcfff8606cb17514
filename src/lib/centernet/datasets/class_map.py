"""Classes renamed, merged and dropped after a data set was read (--class_map)."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

import numpy as np

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


def mapped(source: TableSource, names: Mapping[str, str]) -> None:
    """Give `source` its new classes, in the order of the old; told as a fact of what was read.

    A merged class has the category id of its first. Objects of a dropped class are gone. UserError
    for a class that the source does not have, and where none is left.
    """
    info, table = source.info, source.table
    unknown = [name for name in names if name not in info.class_names]
    if unknown:
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
    # Regions to ignore for one class are numbered -2 - class.
    own = np.where(table.classes <= -2, -2 - table.classes, table.classes)
    inside = (own >= 0) & (own < info.num_classes)
    renamed = np.where(inside, new[np.clip(own, 0, info.num_classes - 1)], own)
    keep = ~inside | (renamed >= 0)
    ignored = inside & (table.classes <= -2)
    table.classes = np.where(ignored, -2 - renamed, np.where(inside, renamed, table.classes))
    source.table = table if keep.all() else table.keep_objects(keep)
    source.info = replace(info, class_names=tuple(places), category_ids=tuple(ids))
    source.report.facts.append(
        f"{info.name}: --class_map: {info.num_classes} classes became {len(places)},"
        f" {int((~keep).sum())} objects dropped"
    )
