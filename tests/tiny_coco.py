"""A COCO data set small enough to train on in a test: squares of two greys on noise."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path

import cv2
import numpy as np

SIDE = 64
NAMES = ("dark", "bright")


def write_tiny_coco(
    folder: Path, train: int = 8, val: int = 4, joints: Sequence[str] = ()
) -> list[str]:
    """Draw the images and annotation files into `folder`; return the flags that name them.

    `joints` are the names of keypoints, which lie on a diagonal of each square.
    """
    images = folder / "images"
    images.mkdir(parents=True, exist_ok=True)
    start = 1
    for split, count in (("train", train), ("val", val)):
        rows: dict[str, list] = {
            "images": [],
            "annotations": [],
            "categories": [
                {"id": 7 * i + 3, "name": name, "keypoints": list(joints)}
                for i, name in enumerate(NAMES)
            ],
        }
        for number in range(start, start + count):
            rows["images"].append(
                {"id": number, "file_name": f"{number}.png", "width": SIDE, "height": SIDE}
            )
            image, boxes = _scene(number)
            cv2.imwrite(str(images / f"{number}.png"), image)
            for kind, (x, y, w, h) in enumerate(boxes):
                rows["annotations"].append(
                    {
                        "id": 10 * number + kind,
                        "image_id": number,
                        "category_id": 7 * kind + 3,
                        "bbox": [x, y, w, h],
                        "area": w * h,
                        "iscrowd": 0,
                        "keypoints": _diagonal((x, y, w, h), len(joints)),
                    }
                )
        (folder / f"{split}.json").write_text(json.dumps(rows))
        start += count
    return [
        *("--dataset", "custom", "--train_json", str(folder / "train.json")),
        *("--val_json", str(folder / "val.json"), "--image_dir", str(images)),
    ]


def _diagonal(box: tuple[int, int, int, int], count: int) -> list[float]:
    """x y 2 of `count` places between the corners of `box`."""
    x, y, width, height = box
    parts = [(place + 0.5) / count for place in range(count)]
    return [value for part in parts for value in (x + part * width, y + part * height, 2)]


def _scene(number: int) -> tuple[np.ndarray, list[tuple[int, int, int, int]]]:
    rng = np.random.default_rng(number)
    image = rng.integers(100, 140, (SIDE, SIDE, 3), np.uint8)
    boxes = []
    for shade, left in ((20, 2), (240, 34)):
        x, y, side = int(rng.integers(left, left + 6)), int(rng.integers(4, 34)), 20
        image[y : y + side, x : x + side] = shade
        boxes.append((x, y, side, side))
    return image, boxes
