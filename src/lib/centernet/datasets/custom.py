"""A user's own data, by flags alone: COCO json, Pascal VOC xml, YOLO labels and their kin."""

from __future__ import annotations

from collections.abc import Collection, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

from centernet.datasets.class_map import mapped, parse_class_map
from centernet.datasets.coco import open_coco
from centernet.datasets.cvat import cvat_file, open_cvat
from centernet.datasets.labelme import labelme_folder, open_labelme
from centernet.datasets.openimages import open_openimages, openimages_file
from centernet.datasets.pascal import open_voc_folder, open_xml_folder
from centernet.datasets.table_source import TableSource
from centernet.datasets.turned import turned_lines
from centernet.datasets.yolo import is_yolo_folder, open_yolo
from centernet.runtime.errors import UserError

PARTS = {"train": ("train", "training"), "val": ("val", "valid", "validation"), "test": ("test",)}
ROBOFLOW = "_annotations.coco.json"


def open_custom(
    split: str,
    data_dir: Path,
    *,
    train_json: Path | str | None = None,
    val_json: Path | str | None = None,
    test_json: Path | str | None = None,
    image_dir: Path | str | None = None,
    box_format: str = "xywh",
    class_map: str = "",
    wanted: Collection[str] | None = None,
    strict: bool = False,
    coco_eval: str = "pycocotools",
) -> TableSource:
    """The `split` (train, val or test) of a user's data.

    With `train_json`, `val_json`, `test_json` these are COCO files and `image_dir` the folder of
    the images (by default looked for beside the files). Otherwise `image_dir`, <data_dir>/custom or
    `data_dir` itself is a folder in the layout of COCO, Roboflow, CVAT, Pascal VOC or YOLO, told by
    what is in it. Nothing is ever split off another part: a missing one is an error. An image may
    have as many objects as the fullest one has.
    """
    reading: dict[str, Any] = {"wanted": wanted, "strict": strict, "coco_eval": coco_eval}
    given = {"train": train_json, "val": val_json, "test": test_json}
    if any(given.values()):
        source = _of_flags(split, given, image_dir, reading | {"box_format": box_format})
    else:
        if box_format != "xywh":
            raise UserError("--box_format is for COCO files: name them with --train_json and so on")
        source = _of_folder(_root(Path(data_dir), image_dir), split, wanted, reading)
    if class_map:
        mapped(source, parse_class_map(class_map), every=split == "train")
    paths = [source.path(index) for index in range(len(source))]
    source.report.facts += turned_lines(source.info.name, paths, source.upright)
    fullest = int(source.table.objects_per_image().max(initial=0))
    if fullest > source.info.max_objects:
        source.report.facts.append(
            f"{source.info.name}: up to {fullest} objects on an image, so each has that many rows"
        )
        source.info = replace(source.info, max_objects=fullest)
    return source


def _of_flags(
    split: str,
    given: dict[str, Path | str | None],
    image_dir: Path | str | None,
    reading: dict[str, Any],
) -> TableSource:
    json = given[split]
    if not json:
        without = "; --val_intervals 0 trains without validation" if split == "val" else ""
        raise UserError(f"--dataset custom: --{split}_json is needed for the {split} part{without}")
    return _open_json(Path(json), image_dir, split, reading)


def _of_folder(
    root: Path, split: str, wanted: Collection[str] | None, reading: dict[str, Any]
) -> TableSource:
    roboflow = [root / part / ROBOFLOW for part in PARTS[split]]
    if any((root / part / ROBOFLOW).is_file() for parts in PARTS.values() for part in parts):
        path = next((path for path in roboflow if path.is_file()), None)
        if path is None:
            raise UserError(f"{root}: no {split} part; looked for {roboflow[0]}")
        return open_coco(path, [path.parent, root], name=root.name, **reading)
    if (root / "annotations").is_dir() and list((root / "annotations").glob("*.json")):
        return _open_json(_coco_file(root, split, wanted), root, split, reading)
    if (root / "Annotations").is_dir() and (root / "JPEGImages").is_dir():
        return open_voc_folder(root, split, **reading)
    alone = split == "train"
    if (path := openimages_file(root, PARTS[split])) is not None:
        return open_openimages(root, path, PARTS[split], **reading)
    if (path := cvat_file(root, PARTS[split], alone)) is not None:
        return open_cvat(root, path, **reading)
    if (folder := labelme_folder(root, PARTS[split], alone)) is not None:
        return open_labelme(root, folder, **reading)
    if (xml := _xml_folders(root, split)) is not None:
        return open_xml_folder(root, split, *xml, **reading)
    if is_yolo_folder(root):
        return open_yolo(root, split, **reading)
    if (root / "result.json").is_file() and split == "train":  # Label Studio's COCO
        return _open_json(root / "result.json", root, split, reading)
    raise UserError(
        f"{root.absolute()}: no data set; looked for annotations/*.json (COCO), JPEGImages with "
        "Annotations (Pascal VOC), images with labels (YOLO), train/_annotations.coco.json "
        "(Roboflow), images with annotations/*.xml (Kaggle), annotations.xml (CVAT), json files of "
        "labelme, train.csv (Open Images); or name the files with --train_json, --val_json and "
        "--image_dir"
    )


def _xml_folders(root: Path, split: str) -> tuple[Path, Path] | None:
    """(images, xml files) of a part, where both lie in folders of any usual names."""
    pairs = [
        (root / "images" / part, root / name / part)
        for part in PARTS[split]
        for name in ("annotations", "Annotations", "xml")
    ]
    pairs += [
        (root / part / images, root / part / name)
        for part in PARTS[split]
        for images in ("images", "")
        for name in ("annotations", "Annotations", "")
    ]
    flat = [(root / "images", root / name) for name in ("annotations", "Annotations", "xml")]
    for images, xmls in (*pairs, *flat):
        if images.is_dir() and xmls.is_dir() and any(xmls.glob("*.xml")):
            if (images, xmls) in flat and split != "train":
                raise UserError(
                    f"{root}: no {split} part; put its images into {images / split} and its xml"
                    f" files into {xmls / split}"
                )
            return images, xmls
    return None


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
    own = path.stem.rsplit("_", 1)[-1]
    tokens = (own, *PARTS[part], *(f"{name}2017" for name in PARTS[part]), part.capitalize())
    folders = [
        folder
        for base in bases
        for inner in (base, base / "images")
        for folder in (inner, *(inner / token for token in tokens))
    ]
    return open_coco(path, folders, name=path.stem, **reading)


def _coco_file(root: Path, split: str, wanted: Collection[str] | None) -> Path:
    """The one annotation file of `root` whose name has the part, with keypoints where wanted."""
    files = sorted((root / "annotations").glob("*.json"))
    found = [path for path in files if any(_has(path.stem, part) for part in PARTS[split])]
    if not found and split == "train" and len(files) == 1 and not _is_of_another(files[0], split):
        found = files  # instances_default.json
    if len(found) > 1:
        jointed = wanted is not None and "keypoints" in wanted
        found = [p for p in found if ("keypoints" in p.stem) == jointed] or found
        found = [p for p in found if p.stem.startswith("instances")] or found
    if not found:
        raise UserError(
            f"{root / 'annotations'}: no json file with '{split}' in its name; name the file with "
            f"--{split}_json"
        )
    if len(found) > 1:
        names = ", ".join(p.name for p in found)
        raise UserError(f"{root / 'annotations'}: which one? {names}: choose with --{split}_json")
    return found[0]


def _has(stem: str, part: str) -> bool:
    return part in stem.lower()


def _is_of_another(path: Path, split: str) -> bool:
    return any(_has(path.stem, part) for part in _others(split))


def _others(split: str) -> Iterator[str]:
    for other, parts in PARTS.items():
        if other != split:
            yield from parts
