"""COCO annotation files: any category ids, any number of classes, any skeleton.

Read from the file itself: class names, joints with their mirror pairs and sigmas, limbs, and which
kinds of annotation there are. Besides COCO's own keys an annotation may have `track_id`,
`extreme_points` (top left bottom right, eight numbers) and a cuboid (`alpha`, `depth`, `dim` h w l,
`location` x y z, `rotation_y`), an image `calib` (3 x 4).
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from pathlib import Path
from typing import Any

from centernet.datasets import skeleton
from centernet.datasets.absent import absent
from centernet.datasets.categories import Categories, read_categories
from centernet.datasets.coco_file import read_coco_file
from centernet.datasets.coco_table import kinds_of, read_table
from centernet.datasets.inspect import Report, checked, files_present
from centernet.datasets.plausible import as_corner_and_size, odd_boxes
from centernet.datasets.published import PUBLISHED
from centernet.datasets.source import Info
from centernet.datasets.table_source import TableSource
from centernet.io.door import decode_json, read_bytes, with_numbers_quoted
from centernet.runtime.errors import UserError

Json = dict[str, Any]
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
    box_format: str = "xywh",
    **facts: Any,
) -> TableSource:
    """The annotation file `path` with the folder `images`, or the first of several that fits.

    `only` names the classes to keep; `with_objects_only` leaves out images without any. `wanted`
    are the kinds of annotation that will be used besides boxes (None: all); masks that nobody wants
    are not kept in memory. `box_format` says what the numbers of a box are (see
    `plausible.as_corner_and_size`). `facts` are further fields of Info (mean, std, ...).
    Raises UserError for a file that cannot be used; single bad objects go to the source's report.
    """
    file = read_coco_file(path)
    report = Report(path.name, strict)
    categories = read_categories(file, report, only)
    table = read_table(file, categories, report, wanted)
    provides = kinds_of(file, table)
    del file  # the text of the masks
    table.boxes = as_corner_and_size(table.boxes, table.sizes[table.image], box_format)
    need_extremes = "extremes" in (wanted or ()) and "extremes" in provides
    report.notes += odd_boxes(table, report.name, box_format)
    folder = images if isinstance(images, Path) else _folder_of(table.files.tolist(), images)
    need_cuboids = "cuboids" in (wanted or ()) and "cuboids" in provides
    table = checked(table, folder, report, need_extremes, need_cuboids)
    if with_objects_only:
        table = table.keep_images(table.objects_per_image() > 0)
    info = Info(
        name=name,
        class_names=categories.names,
        category_ids=categories.ids,
        provides=provides,
        joints=categories.joints,
        flip_pairs=mirror_pairs(categories, report),
        skeleton=categories.limbs,
        sigmas=categories.sigmas,
        **facts,
    )
    return TableSource(info, table, folder, report, wanted=wanted, coco_eval=coco_eval)


def mirror_pairs(categories: Categories, report: Report) -> tuple[tuple[int, int], ...]:
    """The joints that change sides, stated or found by their names; told for others than COCO's."""
    joints = categories.joints
    if not joints:
        return ()
    if categories.pairs is not None:
        pairs, how = categories.pairs, "stated"
    else:
        pairs, how = skeleton.flip_pairs(joints), "found by name"
    if joints != skeleton.COCO_JOINTS:
        report.facts += skeleton.told(joints, pairs, how, report.name)
    return pairs


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
    """The whole file as it is, its parts known to be lists of objects, for what rewrites it."""
    data = with_numbers_quoted(read_bytes(path, "annotation file"))
    found = decode_json(data, Any, str(path))
    if not isinstance(found, dict) or "images" not in found:
        raise UserError(f"{path}: no 'images' in it: not a COCO annotation file")
    for part in ("images", "annotations", "categories"):
        rows = found.setdefault(part, [])
        if not isinstance(rows, list) or not all(isinstance(row, dict) for row in rows):
            raise UserError(f"{path}: '{part}' is not a list of objects, as COCO files have it")
    return found
