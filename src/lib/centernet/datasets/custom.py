"""A user's own data, by flags alone: COCO json, a Pascal VOC folder or YOLO labels."""

from __future__ import annotations

from collections.abc import Collection
from pathlib import Path
from typing import Any

from centernet.datasets.coco import open_coco
from centernet.datasets.pascal import open_voc_folder
from centernet.datasets.table_source import TableSource
from centernet.datasets.yolo import is_yolo_folder, open_yolo
from centernet.runtime.errors import UserError


def open_custom(
    split: str,
    data_dir: Path,
    *,
    train_json: Path | str | None = None,
    val_json: Path | str | None = None,
    test_json: Path | str | None = None,
    image_dir: Path | str | None = None,
    wanted: Collection[str] | None = None,
    strict: bool = False,
    coco_eval: str = "pycocotools",
) -> TableSource:
    """The `split` (train, val or test) of a user's data.

    With `train_json`, `val_json` and `test_json` these are COCO files and `image_dir` the folder of
    the images (by default looked for beside the files). Otherwise `image_dir`, <data_dir>/custom or
    `data_dir` itself is a folder in the layout of COCO, Pascal VOC or YOLO, told by what is in it.
    Nothing is ever split off another part: a missing one is an error.
    """
    part = split
    reading: dict[str, Any] = {"wanted": wanted, "strict": strict, "coco_eval": coco_eval}
    files = {"train": train_json, "val": val_json, "test": test_json}
    if any(files.values()):
        json = files[part]
        if not json:
            without = "; --val_intervals 0 trains without validation" if part == "val" else ""
            raise UserError(
                f"--dataset custom: --{part}_json is needed for the {part} part{without}"
            )
        return _open_json(Path(json), image_dir, part, reading)
    root = _root(Path(data_dir), image_dir)
    if (root / "annotations").is_dir() and list((root / "annotations").glob("*.json")):
        return _open_json(_coco_file(root, part, wanted), root, part, reading)
    if (root / "Annotations").is_dir() and (root / "JPEGImages").is_dir():
        return open_voc_folder(root, part, **reading)
    if is_yolo_folder(root):
        return open_yolo(root, part, **reading)
    raise UserError(
        f"{root.absolute()}: no data set; looked for annotations/*.json (COCO), JPEGImages with "
        "Annotations (Pascal VOC), images with labels (YOLO); or name the files with --train_json, "
        "--val_json and --image_dir"
    )


def _root(data_dir: Path, image_dir: Path | str | None) -> Path:
    if image_dir:
        root = Path(image_dir)
        if not root.is_dir():
            raise UserError(f"--image_dir {root.absolute()}: no such folder")
        return root
    return data_dir / "custom" if (data_dir / "custom").is_dir() else data_dir


def _open_json(
    path: Path, image_dir: Path | str | None, part: str, reading: dict[str, Any]
) -> TableSource:
    if image_dir and not Path(image_dir).is_dir():
        raise UserError(f"--image_dir {Path(image_dir).absolute()}: no such folder")
    bases = [Path(image_dir)] if image_dir else [path.parent, path.parent.parent]
    tokens = (path.stem.rsplit("_", 1)[-1], part, f"{part}2017", *(["valid"] * (part == "val")))
    folders = [
        folder
        for base in bases
        for inner in (base, base / "images")
        for folder in (inner, *(inner / token for token in tokens))
    ]
    return open_coco(path, folders, name=path.stem, **reading)


def _coco_file(root: Path, part: str, wanted: Collection[str] | None) -> Path:
    """The one annotation file of `root` whose name has the part, with keypoints where wanted."""
    found = sorted(p for p in (root / "annotations").glob("*.json") if part in p.stem)
    if len(found) > 1:
        jointed = wanted is not None and "keypoints" in wanted
        found = [p for p in found if ("keypoints" in p.stem) == jointed] or found
        found = [p for p in found if p.stem.startswith("instances")] or found
    if not found:
        raise UserError(
            f"{root / 'annotations'}: no json file with '{part}' in its name; name the file with "
            f"--{part}_json"
        )
    if len(found) > 1:
        names = ", ".join(p.name for p in found)
        raise UserError(f"{root / 'annotations'}: which one? {names}: choose with --{part}_json")
    return found[0]
