"""Which faces of WIDER FACE are easy, medium and hard: the owners' lists.

They are MATLAB files, `wider_easy_val.mat` and its like, or one json of the same content:
{"images": {"<event>/<image>.jpg": {"easy": [1, 4], "medium": [...], "hard": [...]}}}. Both count
the rows of an image's faces from 1.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import msgspec
import numpy as np
from numpy.typing import NDArray

from centernet.datasets.evaluate.wider import LEVELS
from centernet.datasets.table import Table
from centernet.io.door import read_json
from centernet.runtime.errors import UserError

Levels = dict[str, dict[str, NDArray[np.int64]]]  # level -> image -> rows from 0
JSON = "wider_lists.json"
_FOLDERS = ("", "ground_truth", "wider_face_split", "eval_tools/ground_truth")


class Listed(msgspec.Struct):
    """Rows from 1 of an image's faces; further fields are passed over."""

    easy: list[int]
    medium: list[int]
    hard: list[int]


class Lists(msgspec.Struct):
    """The json of the lists."""

    images: dict[str, Listed]


def read_levels(base: Path, table: Table) -> Levels:
    """The lists beneath `base` for the images of `table`; {} where there are none.

    UserError if a list does not fit the faces of the table.
    """
    for folder in (base / name for name in _FOLDERS):
        mats = {level: folder / f"wider_{level}_val.mat" for level in LEVELS}
        if all(path.is_file() for path in mats.values()):
            levels = {level: dict(_of_mat(path)) for level, path in mats.items()}
            return {level: _fitting(rows, table, mats[level]) for level, rows in levels.items()}
        if (folder / JSON).is_file():
            every = _of_json(folder / JSON)
            return {level: _fitting(every[level], table, folder / JSON) for level in LEVELS}
    return {}


def _of_json(path: Path) -> Levels:
    try:
        images = read_json(path, Lists).images
        return {
            level: {
                name: np.array(getattr(each, level), np.int64) - 1 for name, each in images.items()
            }
            for level in LEVELS
        }
    except (UserError, OverflowError) as error:
        why = str(error).removeprefix(f"{path}: ")
        raise UserError(
            f"{path}: not lists of WIDER FACE's easy, medium and hard faces ({why})"
        ) from None


def _of_mat(path: Path) -> Iterator[tuple[str, NDArray[np.int64]]]:
    from scipy.io import loadmat

    try:
        content: dict[str, Any] = loadmat(str(path))
        events, files, lists = (content[key] for key in ("event_list", "file_list", "gt_list"))
    except (ValueError, KeyError, NotImplementedError, TypeError) as error:
        raise UserError(f"{path}: not one of WIDER FACE's lists") from error
    for event, names, rows in zip(events[:, 0], files[:, 0], lists[:, 0], strict=True):
        for name, kept in zip(names[:, 0], rows[:, 0], strict=True):
            yield f"{event[0]}/{name[0]}.jpg", np.asarray(kept, np.int64).reshape(-1) - 1


def _fitting(
    rows: dict[str, NDArray[np.int64]], table: Table, path: Path
) -> dict[str, NDArray[np.int64]]:
    """The lists of the table's images, each within the image's faces."""
    counts = table.objects_per_image()
    found = {}
    for name, count in zip(table.image_ids, counts, strict=True):
        kept = rows.get(str(name), np.zeros(0, np.int64))
        if len(kept) and not (kept.min() >= 0 and kept.max() < count):
            raise UserError(
                f"{path}: lists face {kept.max() + 1} of '{name}', which has {count}; the list of"
                " faces is another or was cut"
            )
        found[str(name)] = kept
    return found
