"""--overfit and --class_balance as commands."""

from __future__ import annotations

from pathlib import Path

import pytest

from centernet.builders.repeats import first_with_objects, overfit_verdict
from centernet.cli import call
from centernet.datasets.coco import open_coco
from centernet.runtime.errors import UserError
from tests.datasets.made_up import annotation, image_entry, write_coco
from tests.tiny_coco import write_tiny_coco


def test_the_first_images_with_objects(tmp_path: Path) -> None:
    images = [image_entry(n) for n in (1, 2, 3, 4)]
    rows = [annotation(1, image=2), annotation(2, image=4), annotation(3, image=4)]
    source = open_coco(write_coco(tmp_path / "t.json", rows, images=images), tmp_path)
    part = first_with_objects(source, 2)
    assert [part.image_id(n) for n in range(len(part))] == [2, 4]
    assert len(first_with_objects(source, 1)) == 1
    empty = open_coco(write_coco(tmp_path / "u.json", [], images=images), tmp_path)
    with pytest.raises(UserError, match="no image with an object"):
        first_with_objects(empty, 2)


def test_the_verdict() -> None:
    assert "is whole" in overfit_verdict("AP", 0.9, 4)
    assert "AP 0.100 on the 4 images" in overfit_verdict("AP", 0.1, 4)
    assert "is whole" not in overfit_verdict("AP", 0.1, 4)
    assert "nothing was measured" in overfit_verdict("AP", None, 4)


def test_the_commands(tmp_path: Path, capsys: pytest.CaptureFixture) -> None:
    flags = write_tiny_coco(tmp_path / "data")
    words = ["ctdet", *flags, "--arch", "unet", "--weights", "none", "--input_res", "64",
             "--gpus", "-1", "--threads", "1", "--num_workers", "0"]  # fmt: skip
    assert call("train", [*words, "--overfit", "2", "--num_iters", "2", "--num_epochs", "1"],
                tmp_path) == 0  # fmt: skip
    said = capsys.readouterr().out
    assert "--overfit: 2 images, unchanged, to learn and to test on" in said
    assert "on the 2 images that were learned, 0.8 is expected" in said
    words += ["--batch_size", "8", "--num_epochs", "1", "--num_iters", "1"]
    assert call("train", [*words, "--class_balance", "0.9", "--val_intervals", "0"], tmp_path) == 0
