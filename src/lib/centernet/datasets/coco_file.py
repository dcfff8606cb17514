"""The parts of a COCO annotation file as types, and how such a file is opened.

Everything has a default, None where it does not stand in the file or is not what it should be:
what is needed is asked for where it is used, by a line that names the object.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import msgspec
from msgspec import Raw

from centernet.io.door import decode_json, read_bytes, with_numbers_quoted
from centernet.io.meaning import Name, Numbers
from centernet.io.rows import Rows, read_rows
from centernet.runtime.errors import UserError

NOTHING = Raw(b"null")
ABSENT = Raw(b"")


class Image(msgspec.Struct, gc=False):
    """An entry of 'images'; `coco_url` is what LVIS has in place of `file_name`.

    `video_id` and `frame_id` are those of COCO files with videos.
    """

    id: Name | None = None
    file_name: str | None = None
    coco_url: str | None = None
    height: int | None = None
    width: int | None = None
    calib: Raw = NOTHING
    video_id: Name | None = None
    frame_id: int | None = None


class Annotation(msgspec.Struct, gc=False):
    """An entry of 'annotations'. Masks stay text until they are wanted."""

    id: Name | None = None
    image_id: Name | None = None
    category_id: Name | None = None
    bbox: tuple[float, float, float, float] | None = None
    area: float | None = None
    iscrowd: int | bool | None = None
    segmentation: Raw = NOTHING
    keypoints: Numbers | None = None
    track_id: Name | None = None
    extreme_points: Numbers | None = None
    dim: Raw = NOTHING
    location: Numbers | None = None
    alpha: float | None = None
    depth: float | None = None
    rotation_y: float | None = None


class Category(msgspec.Struct):
    """An entry of 'categories'; `flip_pairs` and `sigmas` are this program's own."""

    id: Name | None = None
    name: str | None = None
    supercategory: Any = None
    keypoints: Any = None
    skeleton: Any = None
    sigmas: Any = None
    flip_pairs: Any = None
    flip_idx: Any = None


class _Parts(msgspec.Struct):
    images: Raw = ABSENT
    annotations: Raw = ABSENT
    categories: Raw = ABSENT


@dataclass
class CocoFile:
    """The lists of one file."""

    name: str
    images: Rows[Image]
    annotations: Rows[Annotation]
    categories: Rows[Category]


def read_coco_file(path: Path) -> CocoFile:
    """The file at `path`; UserError when it is no COCO annotation file."""
    data = read_bytes(path, "annotation file")
    kinds = {"images": Image, "annotations": Annotation, "categories": Category}
    try:
        return _decoded(data, path, kinds)
    except UserError:
        quoted = with_numbers_quoted(data)
        if quoted is data:
            raise
        return _decoded(quoted, path, kinds)


def _decoded(data: bytes, path: Path, kinds: Mapping[str, Any]) -> CocoFile:
    whole = decode_json(data, Raw, str(path))
    if bytes(whole)[:1] != b"{":
        raise UserError(f"{path}: no 'images' in it: not a COCO annotation file")
    parts = decode_json(data, _Parts, str(path))
    if parts.images is ABSENT:
        raise UserError(f"{path}: no 'images' in it: not a COCO annotation file")
    lists: dict[str, Any] = {}
    for part, kind in kinds.items():
        raw = getattr(parts, part)
        # files of test images have no annotations
        absent = raw is ABSENT
        lists[part] = Rows([]) if absent else read_rows(raw, kind, f"{path}: '{part}'")
    return CocoFile(path.name, **lists)
