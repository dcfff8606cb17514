"""A data set of one's own: boxes in csv files, a row `file,x1,y1,x2,y2,class` an object.

    python docs/examples/dataset.py train ctdet --dataset csv --data_dir FOLDER

is `centernet` with one more data set. FOLDER holds train.csv, val.csv and the folder images; a row
with the file's name alone (`a.jpg,,,,,`) is an image without objects. Corners are in pixels.
"""

from __future__ import annotations

import csv
import sys
from collections.abc import Collection
from pathlib import Path

import numpy as np

from centernet.cli import main
from centernet.datasets import SOURCES
from centernet.datasets.inspect import Report, checked
from centernet.datasets.source import Info
from centernet.datasets.table import Table
from centernet.datasets.table_source import TableSource
from centernet.runtime.errors import UserError

Row = list[str]


def open_csv(
    split: str,
    data_dir: Path,
    *,
    wanted: Collection[str] | None = None,
    strict: bool = False,
    coco_eval: str = "pycocotools",
) -> TableSource:
    """The `split` (train; val or test, which are the same here) of the set in `data_dir`.

    The keywords are the flags that mean something to the set (--strict, --coco_eval), and `wanted`,
    the kinds of annotation that the task uses. Both parts have the classes of train.csv.
    """
    train = read_rows(data_dir / "train.csv")
    rows = train if split == "train" else read_rows(data_dir / "val.csv")
    names = tuple(sorted({row[5] for row in train if row[5]}))
    if not names:
        raise UserError(f"{data_dir / 'train.csv'}: names no class in its sixth column")
    report = Report("train.csv" if split == "train" else "val.csv", strict)
    table = read_table(rows, names, report)
    folder = data_dir / "images"
    info = Info("csv", names, tuple(range(1, len(names) + 1)))
    return TableSource(
        info, checked(table, folder, report), folder, report, wanted=wanted, coco_eval=coco_eval
    )


def read_rows(path: Path) -> list[Row]:
    """The rows of a file, six columns each; UserError, naming file and line, for another number."""
    try:
        with open(path, encoding="utf-8", newline="") as file:
            rows = [row for row in csv.reader(file) if row]
    except (OSError, UnicodeDecodeError) as error:
        raise UserError(f"--dataset csv: {path.absolute()} cannot be read ({error})") from None
    for number, row in enumerate(rows, start=1):
        if len(row) != 6:
            raise UserError(f"{path}, row {number}: {len(row)} columns, not file,x1,y1,x2,y2,class")
    return rows


def read_table(rows: list[Row], names: tuple[str, ...], report: Report) -> Table:
    """`rows` as the columns that the rest of the library reads; bad objects go to `report`."""
    files = list(dict.fromkeys(row[0] for row in rows))
    places = {file: place for place, file in enumerate(files)}
    objects = []  # (row of the image, line, class, box)
    for number, (file, *corners, name) in enumerate(rows, start=1):
        if not any((*corners, name)):
            continue  # the image has nothing on it
        if name not in names:
            report.drop(f"row {number}, '{file}'", "unknown class", f"class '{name}'")
            continue
        try:
            x1, y1, x2, y2 = map(float, corners)
        except ValueError:
            report.drop(f"row {number}, '{file}'", "no box of 4 numbers")
            continue
        box = (x1, y1, x2 - x1, y2 - y1)
        objects.append((places[file], number, names.index(name), box))
    boxes = np.array([found[3] for found in objects], np.float64).reshape(-1, 4)
    return Table(
        image_ids=list(range(1, len(files) + 1)),
        files=np.array(files, np.str_),
        sizes=np.zeros((len(files), 2), np.int64),  # the files do not tell
        image=np.array([found[0] for found in objects], np.int64),
        ids=np.array([found[1] for found in objects], np.int64),
        classes=np.array([found[2] for found in objects], np.int64),
        boxes=boxes,
        areas=boxes[:, 2] * boxes[:, 3],
        crowd=np.zeros(len(objects), bool),
    )


SOURCES["csv"] = open_csv

if __name__ == "__main__":
    sys.exit(main())
