"""The converter's file says what the reader computes by itself."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import cv2
import numpy as np
import pytest

from centernet.datasets.coco import open_coco

TOOL = Path(__file__).resolve().parents[2] / "src" / "tools" / "gen_coco_extreme_points.py"
DIAMOND = [20.0, 5.0, 35.0, 20.0, 20.0, 36.0, 4.0, 21.0]
RUNS = {"size": [48, 48], "counts": [48 * 10 + 12, 6, 42, 6, 48 * 35 + 30 + 48]}


def write(folder: Path, masks: list[object]) -> Path:
    cv2.imwrite(str(folder / "1.png"), np.zeros((48, 48, 3), np.uint8))
    document = {
        "images": [{"id": 1, "file_name": "1.png", "height": 48, "width": 48}],
        "categories": [{"id": 5, "name": "thing"}],
        "annotations": [
            {"id": 70 + n, "image_id": 1, "category_id": 5, "bbox": [4, 5, 31, 31], "iscrowd": 0}
            | ({"segmentation": mask} if mask else {})
            for n, mask in enumerate(masks)
        ],
    }
    path = folder / "instances.json"
    path.write_text(json.dumps(document))
    return path


def run(*words: object) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, str(TOOL), *map(str, words)]
    return subprocess.run(command, capture_output=True, text=True, check=False)


def test_points_of_polygons_and_run_lengths(tmp_path: Path) -> None:
    plain = write(tmp_path, [[DIAMOND], RUNS])
    done = run(plain, tmp_path / "extreme.json")
    assert done.returncode == 0, done.stderr
    assert "extreme points of 2 annotations" in done.stdout
    rows = json.loads((tmp_path / "extreme.json").read_text())["annotations"]
    assert rows[0]["extreme_points"] == [20, 5, 4, 21, 20, 36, 35, 20]
    assert rows[0]["segmentation"] == [DIAMOND]
    computed, written = (
        open_coco(path, tmp_path, wanted=["extremes"]).objects(0).extremes
        for path in (plain, tmp_path / "extreme.json")
    )
    np.testing.assert_allclose(written, computed, atol=0.005)


def test_annotations_without_a_mask_are_kept_and_named(tmp_path: Path) -> None:
    done = run(write(tmp_path, [[DIAMOND], None]), tmp_path / "extreme.json")
    assert done.returncode == 0
    assert "1 have no mask and so no points (71)" in done.stdout
    rows = json.loads((tmp_path / "extreme.json").read_text())["annotations"]
    assert ["extreme_points" in row for row in rows] == [True, False]


@pytest.mark.parametrize("masks", [[None], "absent"])
def test_a_file_that_cannot_be_used_is_one_line(tmp_path: Path, masks: object) -> None:
    path = tmp_path / "no.json" if masks == "absent" else write(tmp_path, list(masks))  # type: ignore[call-overload]
    done = run(path, tmp_path / "extreme.json")
    assert done.returncode == 2
    assert done.stderr.count("\n") == 1
    assert str(path) in done.stderr
    assert not (tmp_path / "extreme.json").exists()


def test_a_folder_as_output_is_one_line(tmp_path: Path) -> None:
    done = run(write(tmp_path, [[DIAMOND]]), tmp_path)
    assert done.returncode == 2
    assert done.stderr.splitlines() == [f"gen_coco_extreme_points: {tmp_path}: Is a directory"]
