"""Scenes as COCO writes them: a folder of JPEG images and one json file a split."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from centernet.datasets.toy.masks import segmentation, tight_box
from centernet.datasets.toy.pictures import write_jpeg
from centernet.datasets.toy.scene import SPLITS, Scene

VAL_IDS = 100_000  # image ids of the second split begin above this


def categories(
    ids: Mapping[str, int],
    joints: Sequence[str] = (),
    skeleton: Sequence[tuple[int, int]] = (),
) -> list[dict[str, Any]]:
    """COCO's list of categories; limbs are counted from 1 in the files."""
    rows: list[dict[str, Any]] = [
        {"id": number, "name": name, "supercategory": "toy"} for name, number in ids.items()
    ]
    if joints:
        limbs = [[a + 1, b + 1] for a, b in skeleton]
        rows = [{**row, "keypoints": list(joints), "skeleton": limbs} for row in rows]
    return rows


def write_coco(
    folder: Path, split: str, title: str, rows: list[dict[str, Any]], scenes: Iterable[Scene]
) -> None:
    """Write `folder`/<split>/*.jpg and `folder`/annotations/<title>_<split>.json.

    `rows` are the categories; boxes are those of the visible pixels, as everywhere in COCO.
    """
    ids = {row["name"]: row["id"] for row in rows}
    images: list[dict[str, Any]] = []
    annotations: list[dict[str, Any]] = []
    (folder / split).mkdir(parents=True)
    for number, scene in enumerate(scenes, start=1 + VAL_IDS * SPLITS.index(split)):
        height, width = scene.image.shape[:2]
        name = f"{number:06d}.jpg"
        images.append({"id": number, "file_name": name, "height": height, "width": width})
        for place in range(len(scene.classes)):
            facts = {"id": len(annotations) + 1, "image_id": number, "iscrowd": 0}
            annotations.append({**facts, **_annotation(scene, place, ids)})
        write_jpeg(folder / split / name, scene.image)
    document = {
        "info": {"description": "drawn by centernet"},
        "images": images,
        "annotations": annotations,
        "categories": rows,
    }
    (folder / "annotations").mkdir(exist_ok=True)
    target = folder / "annotations" / f"{title}_{split}.json"
    target.write_text(json.dumps(document), encoding="utf-8")


def _annotation(scene: Scene, place: int, ids: Mapping[str, int]) -> dict[str, Any]:
    mask = scene.masks[place]
    row: dict[str, Any] = {
        "category_id": ids[scene.classes[place]],
        "bbox": tight_box(mask),
        "area": int(mask.sum()),
        "segmentation": segmentation(mask),
    }
    if scene.keypoints:
        joints = scene.keypoints[place]
        row["keypoints"] = np.round(joints, 2).ravel().tolist()
        row["num_keypoints"] = int((joints[:, 2] > 0).sum())
    return row
