"""CrowdHuman (arXiv 1805.00123): persons in crowds, still images, one line of json each.

<data_dir>/crowdhuman/annotation_{train,val}.odgt and {CrowdHuman_train,train,...}/Images/*.jpg
"""

from __future__ import annotations

import json
from collections.abc import Collection
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from centernet.datasets.absent import absent
from centernet.datasets.inspect import Report, checked, files_present
from centernet.datasets.source import Info
from centernet.datasets.table import Table
from centernet.datasets.table_source import TableSource
from centernet.runtime.errors import UserError

CROWDHUMAN = Info(
    name="crowdhuman",
    class_names=("person",),
    category_ids=(1,),
    provides=frozenset({"boxes", "identities"}),
    resolution=(512, 512),
    max_objects=256,
)
IGNORED = -1


def open_crowdhuman(
    split: str,
    data_dir: Path,
    *,
    image_dir: Path | str | None = None,
    wanted: Collection[str] | None = None,
    strict: bool = False,
    coco_eval: str = "pycocotools",
) -> TableSource:
    """The `split` of CrowdHuman; test is the validation part, whose annotations are published.

    Boxes are those of the whole body. Every object of an image is an identity of its own.
    """
    part = "train" if split == "train" else "val"
    root = Path(data_dir) / "crowdhuman"
    names = (root / f"annotation_{part}.odgt", root / "annotations" / f"annotation_{part}.odgt")
    path = next((name for name in names if name.is_file()), None)
    if path is None:
        raise absent("crowdhuman", names[0], Path(data_dir))
    report = Report(path.name, strict)
    table = read_odgt(path, report)
    folders = [Path(image_dir)] if image_dir else []
    for name in (f"CrowdHuman_{part}", part, "."):
        folders += [root / name / "Images", root / name / "images", root / name]
    folder = next((f for f in folders if files_present(f, table.files[:20]).any()), folders[0])
    return TableSource(
        CROWDHUMAN,
        checked(table, folder, report),
        folder,
        report,
        wanted=wanted,
        coco_eval=coco_eval,
    )


def read_odgt(path: Path, report: Report) -> Table:
    """Images and objects of a list of lines {"ID": ..., "gtboxes": [{"tag", "fbox", ...}]}.

    Masks and boxes to ignore are regions that count neither way. Sizes of images are not told.
    """
    names: list[str] = []
    image: list[int] = []
    boxes: list[Any] = []
    ignored: list[bool] = []
    with open(path, encoding="utf-8-sig") as file:
        for number, line in enumerate(file, start=1):
            if not line.strip():
                continue
            row = _row(path, number, line)
            for box in row["gtboxes"]:
                image.append(len(names))
                boxes.append(box.get("fbox"))
                ignored.append(_is_ignored(box))
            names.append(f"{row['ID']}.jpg")
    if not names:
        raise UserError(f"{path}: no line of annotations")
    crowd = np.array(ignored, bool)
    values = _numbers(boxes)
    return Table(
        image_ids=list(range(1, len(names) + 1)),
        files=np.array(names, np.str_),
        sizes=np.zeros((len(names), 2), np.int64),
        image=np.array(image, np.int64),
        ids=np.arange(1, len(image) + 1),
        classes=np.where(crowd, IGNORED, 0),
        boxes=values,
        areas=values[:, 2] * values[:, 3],
        crowd=crowd,
        identities=np.arange(1, len(image) + 1),
    )


def _row(path: Path, number: int, line: str) -> dict[str, Any]:
    try:
        row = json.loads(line)
    except ValueError as error:
        raise UserError(f"{path}, line {number}: not json ({error})") from None
    sound = isinstance(row, dict) and isinstance(row.get("ID"), str)
    listed = row.get("gtboxes") if sound else None
    if not isinstance(listed, list) or not all(isinstance(box, dict) for box in listed):
        raise UserError(f"{path}, line {number}: no 'ID' with a list 'gtboxes'")
    return row  # type: ignore[no-any-return]


def _is_ignored(box: dict[str, Any]) -> bool:
    extra = box.get("extra")
    told = isinstance(extra, dict) and extra.get("ignore") == 1
    return told or box.get("tag") != "person"


def _numbers(boxes: list[Any]) -> NDArray[np.float64]:
    """(N, 4) x y width height; NaN, which is then reported, for what is not four numbers."""
    values = np.full((len(boxes), 4), np.nan)
    for row, box in enumerate(boxes):
        try:
            values[row] = np.array(box, np.float64).reshape(4)
        except (TypeError, ValueError):
            continue
    return values
