"""What was read of a part of a data set, in one line."""

from __future__ import annotations

import numpy as np

from centernet.datasets.source import Info
from centernet.datasets.table import Table

LISTED = 12  # classes told by name


def described(table: Table, info: Info) -> str:
    """ "val: 12 images, 37 objects of 5 classes (disc 10, square 9, ...), 3 images without ..."."""
    images, objects = len(table), int((table.classes >= 0).sum())
    counts = np.bincount(table.classes[table.classes >= 0], minlength=info.num_classes)
    order = np.argsort(-counts, kind="stable")
    present = [f"{info.class_names[c]} {counts[c]}" for c in order if counts[c]]
    absent = [info.class_names[c] for c in range(info.num_classes) if not counts[c]]
    per_image = table.objects_per_image()
    parts = [f"{images} {_word('image', images)}, {objects} {_word('object', objects)}"]
    if objects:
        parts[0] += f" of {len(present)} {_word('class', len(present))} ({_some(present)})"
        parts.append(f"at most {per_image.max()} on an image")
    empty = int((per_image == 0).sum())
    if empty:
        parts.append(f"{empty} {_word('image', empty)} without objects")
    if absent and objects:
        parts.append(f"{_word('class', len(absent))} without object: {_some(absent)}")
    ignored = int((table.classes < 0).sum())
    crowd = int(table.crowd.sum())
    if crowd or ignored:
        parts.append(f"{crowd + ignored} regions to ignore")
    return f"{info.name}: {'; '.join(parts)}"


def _word(noun: str, count: int) -> str:
    if count == 1:
        return noun
    return f"{noun}es" if noun.endswith("s") else f"{noun}s"


def _some(names: list[str]) -> str:
    more = f", ... {len(names) - LISTED} more" if len(names) > LISTED else ""
    return ", ".join(names[:LISTED]) + more
