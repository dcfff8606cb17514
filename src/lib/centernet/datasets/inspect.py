"""What is wrong with a data set: found before training, named one by one, counted.

An object or image that cannot be used is left out with one line that names the file, the object
and the reason; `strict` makes the first of them an error instead.
"""

from __future__ import annotations

import os
import re
from collections import Counter
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field, replace
from pathlib import Path
from urllib.parse import unquote

import numpy as np
from numpy.typing import NDArray

from centernet.datasets.class_lists import same_classes
from centernet.datasets.plausible import usable_areas, usable_cuboids, usable_joints
from centernet.datasets.source import Source
from centernet.datasets.table import Table
from centernet.io.door import one_line
from centernet.io.listing import list_images
from centernet.runtime.errors import UserError

SHOWN = 10  # faults reported in full


@dataclass
class Counted:
    """How often something was met, and the first place where."""

    first: str
    count: int = 0


@dataclass
class Report:
    """The faults of one annotation file (or folder) `name`."""

    name: str
    strict: bool = False
    faults: list[str] = field(default_factory=list)
    kinds: Counter[str] = field(default_factory=Counter)
    notes: list[str] = field(default_factory=list)  # said, but nothing was dropped
    counted: dict[str, Counted] = field(default_factory=dict)  # by kind
    facts: list[str] = field(default_factory=list)  # of what was read, reported where it is used

    def drop(self, what: str, kind: str, detail: str = "") -> None:
        """Record that `what` ("annotation 17, 'a.jpg'") is left out; raises UserError if strict.

        `kind` groups equal faults in the count; `detail` says more in the fault's own line.
        """
        fault = f"{self.name}: {one_line(what)}: {one_line(detail or kind, 1000)}"
        if self.strict:
            raise UserError(f"{fault} (without --strict it is dropped)")
        self.faults.append(f"{fault}, dropped (--strict to stop)")
        self.kinds[kind] += 1

    def count(self, kind: str, example: str, count: int = 1) -> None:
        """Record `count` more cases of `kind`, for one line with their number and an example."""
        if kind not in self.counted:
            self.counted[kind] = Counted(one_line(example))
        self.counted[kind].count += count

    def lines(self, shown: int = SHOWN) -> list[str]:
        """The first faults in full, how many more there are, what was counted, then the notes."""
        lines = self.faults[:shown]
        more = len(self.faults) - len(lines)
        if more:
            counts = ", ".join(f"{count} {kind}" for kind, count in self.kinds.most_common())
            lines.append(f"{self.name}: ... and {more} more; dropped in all: {counts}")
        for kind, counted in self.counted.items():
            such = ", such as" if counted.count > 1 else ":"
            lines.append(f"{self.name}: {kind}: {counted.count}{such} {counted.first}")
        return lines + self.notes


def checked(
    table: Table,
    folder: Path,
    report: Report,
    need_extremes: bool = False,
    need_cuboids: bool = False,
) -> Table:
    """`table` without the images that `folder` does not have and the objects that cannot be used.

    Areas that are none become those of the boxes; joints that cannot be where they are said to be
    are not trained on; with `need_cuboids` an object whose cuboid is not known is ignored.
    The files are looked up in listings of their folders, not opened one by one: an image that is
    there but cannot be read is found when it is read. Raises UserError when no image is there.
    """
    table = _usable_objects(_present_images(table, folder, report), report, need_extremes)
    table = usable_areas(table, report)
    table = usable_joints(table, report)
    if table.masks is not None and table.masks.malformed and not need_extremes:
        rows = np.flatnonzero(np.isin(table.masks.rows, table.masks.malformed))
        if len(rows):
            what = "malformed masks, taken for none"
            report.count(what, table.describe(int(rows[0])), len(rows))
    return usable_cuboids(table, report) if need_cuboids else table


def _present_images(table: Table, folder: Path, report: Report) -> Table:
    present = files_present(folder, table.files)
    if present.all():
        return table
    table = _matched_by_tail(table, present, folder, report)
    present = files_present(folder, table.files)
    if present.all():
        return table
    if not present.any():
        raise UserError(
            f"{report.name}: none of its {len(table)} images is in {folder.absolute()} "
            f"('{table.files[0]}' is the first); --image_dir names the folder that has them"
        )
    objects = table.objects_per_image()
    for row in np.flatnonzero(~present):
        detail = f"no such file in {folder}"
        if objects[row]:
            detail += f" ({objects[row]} objects go with it)"
        report.drop(f"image '{table.files[row]}'", "missing image", detail)
    return table.keep_images(present)


def _matched_by_tail(
    table: Table, present: NDArray[np.bool_], folder: Path, report: Report
) -> Table:
    """`table` with files that are not there called by the one beneath `folder` that ends as they.

    For names with backslashes, of another machine, with a folder twice, or of the web.
    """
    missing = np.flatnonzero(~present)
    by_name: dict[str, list[str]] = {}
    for path in list_images(folder) if folder.is_dir() else ():
        by_name.setdefault(path.name, []).append(os.path.relpath(path, folder))
    files = table.files.astype(object)
    taken = {str(file) for file in table.files[present]}
    for row in missing:
        parts = re.split(r"[/\\\\]+", re.sub(r"[?#].*$", "", unquote(str(table.files[row]))))
        near = by_name.get(parts[-1], []) or by_name.get(str(table.files[row]), [])
        while len(near) > 1 and len(parts) > 1:
            parts = parts[1:]
            tail = os.path.join(*parts)
            exact = [file for file in near if file == tail or file.endswith(os.sep + tail)]
            near = exact if exact else near
            if len(exact) == 1:
                break
        if len(near) == 1 and near[0] not in taken:
            taken.add(near[0])
            said = f"'{table.files[row]}' is {near[0]}"
            report.count("file names matched by the ends of their paths", said)
            files[row] = near[0]
    return replace(table, files=np.array(files.tolist(), np.str_))


def files_present(folder: Path, files: Iterable[str]) -> NDArray[np.bool_]:
    """(M,): whether each of `files` (relative to `folder`, or absolute) exists."""
    listings: dict[str, set[str]] = {}
    present = []
    for file in files:
        parent, name = os.path.split(os.path.join(folder, file))
        if parent not in listings:
            try:
                with os.scandir(parent) as entries:
                    listings[parent] = {entry.name for entry in entries}
            except OSError:
                listings[parent] = set()
        present.append(name in listings[parent])
    return np.array(present, bool)


def _usable_objects(table: Table, report: Report, need_extremes: bool) -> Table:
    """Drop objects whose numbers cannot be those of an object in the image."""
    usable = np.ones(len(table.ids), bool)

    def drop(bad: NDArray[np.bool_], kind: str, detail: Callable[[int], str]) -> None:
        for row in np.flatnonzero(bad & usable):
            report.drop(table.describe(int(row)), kind, detail(int(row)))
        usable[bad] = False

    boxes = table.boxes
    x, y, width, height = boxes.T

    def box(row: int) -> str:
        if np.isnan(boxes[row]).all():
            return "no box of 4 numbers"
        return "box " + " ".join(f"{value:g}" for value in boxes[row])

    drop(np.asarray(~np.isfinite(boxes).all(axis=1)), "box not finite", box)
    drop(
        (width <= 0) | (height <= 0),
        "without area",
        lambda row: f"width {width[row]:g}" if width[row] <= 0 else f"height {height[row]:g}",
    )
    image_height, image_width = table.sizes[table.image].T
    outside = (x >= image_width) | (y >= image_height) | (x + width <= 0) | (y + height <= 0)
    drop(
        outside & (image_height > 0) & (image_width > 0),
        "outside the image",
        lambda row: f"{box(row)} is outside the {image_width[row]} x {image_height[row]} image",
    )
    if table.keypoints is not None:
        bad = np.asarray(~np.isfinite(table.keypoints).all(axis=(1, 2)))
        drop(bad, "keypoints not finite", lambda row: "keypoint not finite")
    if need_extremes:
        bad = ~table.has_extremes()
        drop(bad, "without a mask", lambda row: "no mask to take extremes from")
    return table if usable.all() else table.keep_objects(usable)


def compare(train: Source, val: Source) -> list[str]:
    """What is odd about training on `train` and judging on `val`, one line each.

    Raises UserError when their classes differ: a class index must mean the same in both.
    """
    same_classes(train.info.class_names, val.info.class_names)
    lines = []
    if not _has_objects(train):
        lines.append("the training part has no object: nothing will be learned")
    if len(val) == 0:
        return [*lines, "the validation part has no image: nothing will be measured"]
    if not _has_objects(val):
        return [*lines, "the validation part has no object: AP cannot be measured"]
    seen = {train.path(index).absolute() for index in range(len(train))}
    shared = sum(val.path(index).absolute() in seen for index in range(len(val)))
    if shared:
        which = "all" if shared == len(val) else str(shared)
        lines.append(
            f"{which} of the {len(val)} validation images are training images too: AP flatters"
        )
    return lines


def _has_objects(source: Source) -> bool:
    return any((source.objects(index).classes >= 0).any() for index in range(len(source)))
