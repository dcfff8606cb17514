"""labelme's annotations: a json file beside each image, or in a folder of their own."""

from __future__ import annotations

from collections.abc import Collection
from pathlib import Path, PurePosixPath

import msgspec
import numpy as np

from centernet.datasets.inspect import Report
from centernet.datasets.named_boxes import NamedBox, Picture, boxed, open_named_boxes, size_of
from centernet.datasets.table_source import TableSource
from centernet.io.door import read_json
from centernet.io.listing import is_image_name
from centernet.runtime.errors import UserError

PROBED = 3  # json files looked into to tell whether a folder is labelme's
_NO_AREA = frozenset({"point", "points", "line", "linestrip"})


class Shape(msgspec.Struct):
    """An outline, a rectangle of two corners, or a circle of its centre and a point on it."""

    label: str
    points: list[tuple[float, float]]
    shape_type: str | None = "polygon"


class Labelled(msgspec.Struct):
    """One file; the image inside of it (imageData) is passed over."""

    shapes: list[Shape]
    imagePath: str = ""


def labelme_folder(root: Path, parts: Collection[str], alone: bool) -> Path | None:
    """The folder of a part with labelme's files; `alone` takes `root` itself. None without any."""
    for folder in [root / part for part in parts] + ([root] if alone else []):
        files = sorted(folder.glob("*.json"))[:PROBED] if folder.is_dir() else []
        if files and any(_is_labelme(path) for path in files):
            return folder
    return None


def open_labelme(
    root: Path,
    folder: Path,
    *,
    wanted: Collection[str] | None = None,
    strict: bool = False,
    coco_eval: str = "pycocotools",
) -> TableSource:
    """The files in `folder`, with the images beside them; classes of all files beneath `root`.

    Images without a file of theirs have no object.
    """
    report = Report(root.name, strict)
    pictures, taken = [], set()
    for path in sorted(folder.glob("*.json")):
        try:
            labelled = read_json(path, Labelled)
        except UserError as error:
            report.drop(f"file '{path.name}'", "unreadable json", str(error))
            continue
        image = _image_of(path, labelled)
        if image is None:
            report.drop(f"file '{path.name}'", "missing image", f"no image '{labelled.imagePath}'")
            continue
        taken.add(image)
        size = size_of(image, image.name, report)
        if size is not None:
            pictures.append(Picture(image, size, _objects(labelled, path, report)))
    for image in sorted(folder.iterdir()):
        if is_image_name(image.name) and image not in taken:
            size = size_of(image, image.name, report)
            if size is not None:
                pictures.append(Picture(image, size, []))
    names = sorted({label for path in root.rglob("*.json") for label in _labels(path)})
    return open_named_boxes(root, pictures, names, report, wanted=wanted, coco_eval=coco_eval)


def _objects(labelled: Labelled, path: Path, report: Report) -> list[NamedBox]:
    found = []
    for number, shape in enumerate(labelled.shapes, 1):
        points = np.array(shape.points, np.float64).reshape(-1, 2)
        if shape.shape_type == "circle" and len(points) == 2:
            radius = float(np.hypot(*(points[1] - points[0])))
            points = np.stack([points[0] - radius, points[0] + radius])
        if shape.shape_type in _NO_AREA or len(points) < 2:
            report.count("shapes without area (points and lines), not read", f"'{path.name}'")
            continue
        found.append(boxed(number, shape.label, points.ravel().tolist()))
    return found


def _image_of(path: Path, labelled: Labelled) -> Path | None:
    """The image that the file names, or the one of its own name."""
    named = PurePosixPath(labelled.imagePath.replace("\\", "/"))
    candidates = [path.parent.joinpath(*named.parts), path.parent / named.name]
    candidates += [p for p in path.parent.glob(f"{_escaped(path.stem)}.*") if is_image_name(p.name)]
    for candidate in candidates:
        try:
            if candidate.is_file() and is_image_name(candidate.name):
                return candidate
        except (OSError, ValueError):
            continue
    return None


def _escaped(stem: str) -> str:
    return "".join(f"[{c}]" if c in "*?[" else c for c in stem)


def _labels(path: Path) -> set[str]:
    try:
        return {shape.label for shape in read_json(path, Labelled).shapes}
    except UserError:
        return set()  # reported when its part is read


def _is_labelme(path: Path) -> bool:
    try:
        read_json(path, Labelled)
    except UserError:
        return False
    return True
