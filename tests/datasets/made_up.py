"""Small data sets written for one test, in each of the formats."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import cv2
import numpy as np

WIDTH, HEIGHT = 60, 40


def write_image(path: Path, width: int = WIDTH, height: int = HEIGHT) -> Path:
    """A picture of noise that depends on its name only."""
    path.parent.mkdir(parents=True, exist_ok=True)
    rng = np.random.default_rng(list(path.stem.encode()))
    image = rng.integers(0, 256, (height, width, 3), dtype=np.uint8)
    path.write_bytes(cv2.imencode(path.suffix, image)[1].tobytes())
    return path


def image_entry(number: int, file: str | None = None) -> dict[str, Any]:
    name = file or f"{number}.png"
    return {"id": number, "file_name": name, "width": WIDTH, "height": HEIGHT}


def annotation(
    number: int,
    image: Any = 1,
    box: Sequence[float] = (5, 6, 20, 10),
    category: Any = 1,
    **more: Any,
) -> dict[str, Any]:
    return {
        "id": number,
        "image_id": image,
        "category_id": category,
        "bbox": list(box),
        "area": box[2] * box[3],
        "iscrowd": 0,
        **more,
    }


def write_coco(
    path: Path,
    annotations: Sequence[Mapping[str, Any]] = (),
    categories: Sequence[Mapping[str, Any]] = ({"id": 1, "name": "thing"},),
    images: Sequence[Mapping[str, Any]] = (image_entry(1), image_entry(2)),
    folder: Path | None = None,
) -> Path:
    """The json file `path` and, in `folder` (by default beside it), its images."""
    for entry in images:
        write_image((folder or path.parent) / entry["file_name"])
    path.parent.mkdir(parents=True, exist_ok=True)
    parts = {"images": images, "annotations": annotations, "categories": categories}
    path.write_text(json.dumps({key: list(rows) for key, rows in parts.items()}))
    return path


def write_voc(
    root: Path,
    lists: Mapping[str, Sequence[str]],
    objects: Mapping[str, Sequence[tuple[str, Sequence[float]]]],
    difficult: Sequence[str] = (),
) -> Path:
    """A devkit folder; `objects` are (class, corners) of each image, `difficult` some classes."""
    (root / "Annotations").mkdir(parents=True, exist_ok=True)
    (root / "ImageSets" / "Main").mkdir(parents=True, exist_ok=True)
    for part, names in lists.items():
        (root / "ImageSets" / "Main" / f"{part}.txt").write_text("\n".join(names) + "\n")
        for name in names:
            write_image(root / "JPEGImages" / f"{name}.jpg")
            found = "".join(
                f"<object><name>{kind}</name><difficult>{int(kind in difficult)}</difficult>"
                f"<bndbox><xmin>{b[0]}</xmin><ymin>{b[1]}</ymin><xmax>{b[2]}</xmax><ymax>{b[3]}</ymax>"
                "</bndbox><part><name>head</name><bndbox><xmin>1</xmin><ymin>1</ymin>"
                "<xmax>2</xmax><ymax>2</ymax></bndbox></part></object>"
                for kind, b in objects.get(name, ())
            )
            size = f"<size><width>{WIDTH}</width><height>{HEIGHT}</height><depth>3</depth></size>"
            xml = f"<annotation><filename>{name}.jpg</filename>{size}{found}</annotation>"
            (root / "Annotations" / f"{name}.xml").write_text(xml)
    return root
