"""COCO annotation files: any category ids, any number of classes, any skeleton.

Read from the file itself: class names, joints with their mirror pairs and sigmas, limbs, and which
kinds of annotation there are. Besides COCO's own keys an annotation may have `track_id`,
`extreme_points` (top left bottom right, eight numbers) and a cuboid (`alpha`, `depth`, `dim` h w l,
`location` x y z, `rotation_y`), an image `calib` (3 x 4).
"""

from __future__ import annotations

import gc
import json
from collections.abc import Collection, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from centernet.datasets import skeleton
from centernet.datasets.absent import absent
from centernet.datasets.categories import Json, read_categories
from centernet.datasets.coco_table import kinds_of, read_table
from centernet.datasets.inspect import Report, checked, files_present
from centernet.datasets.published import PUBLISHED
from centernet.datasets.source import Info
from centernet.datasets.table_source import TableSource
from centernet.runtime.errors import UserError

PROBED = 20  # images looked for to tell in which folder they are


def open_coco(
    path: Path,
    images: Path | Sequence[Path],
    *,
    name: str = "coco",
    only: Sequence[str] | None = None,
    with_objects_only: bool = False,
    wanted: Collection[str] | None = None,
    strict: bool = False,
    coco_eval: str = "pycocotools",
    **facts: Any,
) -> TableSource:
    """The annotation file `path` with the folder `images`, or the first of several that fits.

    `only` names the classes to keep; `with_objects_only` leaves out images without any. `wanted`
    are the kinds of annotation that will be used besides boxes (None: all); masks that nobody wants
    are not kept in memory. `facts` are further fields of Info (mean, std, resolution, ...).
    Raises UserError for a file that cannot be used; single bad objects go to the source's report.
    """
    data = read_json(path)
    report = Report(path.name, strict)
    categories = read_categories(data, report, only)
    table = read_table(data, categories, report, wanted)
    provides = kinds_of(data, table)
    need_extremes = "extremes" in (wanted or ()) and "extremes" in provides
    folder = images if isinstance(images, Path) else _folder_of(table.files, images)
    table = checked(table, folder, report, need_extremes)
    if with_objects_only:
        table = table.keep_images(table.objects_per_image() > 0)
    info = Info(
        name=name,
        class_names=categories.names,
        category_ids=categories.ids,
        provides=provides,
        joints=categories.joints,
        flip_pairs=skeleton.flip_pairs(categories.joints),
        skeleton=categories.limbs,
        sigmas=categories.sigmas,
        **facts,
    )
    return TableSource(info, table, folder, report, wanted=wanted, coco_eval=coco_eval)


def open_coco_2017(
    split: str,
    data_dir: Path,
    *,
    wanted: Collection[str] | None = None,
    strict: bool = False,
    coco_eval: str = "pycocotools",
) -> TableSource:
    """COCO 2017 as published: 80 classes, `split` train, val or test (test-dev, no annotations)."""
    file = "image_info_test-dev2017" if split == "test" else f"instances_{split}2017"
    path, images = _layout("coco", data_dir, file, split)
    return open_coco(path, images, wanted=wanted, strict=strict, coco_eval=coco_eval)


def open_coco_hp(
    split: str,
    data_dir: Path,
    *,
    wanted: Collection[str] | None = None,
    strict: bool = False,
    coco_eval: str = "pycocotools",
) -> TableSource:
    """COCO 2017 persons with keypoints; training uses only images that have a person.

    The files of the test part declare no joints: there the published facts stand in.
    """
    file = "image_info_test-dev2017" if split == "test" else f"person_keypoints_{split}2017"
    path, images = _layout("coco_hp", data_dir, file, split)
    source = open_coco(
        path,
        images,
        name="coco_hp",
        only=["person"],
        with_objects_only=split == "train",
        wanted=wanted,
        strict=strict,
        coco_eval=coco_eval,
        max_objects=32,
    )
    if split == "test":
        source.info = PUBLISHED["coco_hp"]
    return source


def _layout(name: str, data_dir: Path, file: str, split: str) -> tuple[Path, list[Path]]:
    root = Path(data_dir) / "coco"
    path = root / "annotations" / f"{file}.json"
    images = [root / f"{split}2017", root / "images" / f"{split}2017"]
    if not path.is_file():
        raise absent(name, path, Path(data_dir), "coco")
    if not any(folder.is_dir() for folder in images):
        raise absent(name, images[0], Path(data_dir), "coco")
    return path, images


def _folder_of(files: Sequence[str], candidates: Sequence[Path]) -> Path:
    """The first candidate that has one of the first images, else the first candidate."""
    for folder in candidates:
        if files_present(folder, files[:PROBED]).any():
            return folder
    return candidates[0]


def read_json(path: Path) -> Json:
    """The file's object, its parts known to be lists of objects; UserError when they are not."""
    try:
        with open(path, encoding="utf-8-sig") as file, _no_collection():
            data = json.load(file)
    except FileNotFoundError:
        raise UserError(f"{path}: no such annotation file") from None
    except OSError as error:
        raise UserError(f"{path}: cannot be read ({error.strerror})") from None
    except (json.JSONDecodeError, UnicodeDecodeError) as error:
        raise UserError(f"{path}: not a json file, or damaged ({error})") from None
    if not isinstance(data, dict) or "images" not in data:
        raise UserError(f"{path}: no 'images' in it: not a COCO annotation file")
    for part in ("images", "annotations", "categories"):
        rows = data.setdefault(part, [])  # files of test images have no annotations
        if not isinstance(rows, list) or not all(isinstance(row, dict) for row in rows):
            raise UserError(f"{path}: '{part}' is not a list of objects, as COCO files have it")
    return data


@contextmanager
def _no_collection() -> Iterator[None]:
    """No search for garbage: among the millions of new json objects it takes half of the time."""
    enabled = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if enabled:
            gc.enable()
