"""A data set looked at before training: what is doubtful is told, by name, and counted right."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from centernet.cli import call
from centernet.datasets.check.doubles import doubled
from centernet.datasets.check.figures import doubts, doubts_as_seen, histograms
from centernet.datasets.check.seen import as_seen
from centernet.datasets.check.sheet import contact_sheet
from centernet.datasets.coco import open_coco
from centernet.datasets.framing import SquareFraming
from centernet.datasets.turned import turned_lines
from tests.datasets.made_up import annotation, image_entry, write_coco, write_image
from tests.tiny_coco import write_tiny_coco


def framed(image: tuple[int, int]):
    return SquareFraming().whole(image, (120, 120), pad=31, keep_res=False)


def opened(folder: Path, rows: list):
    return open_coco(write_coco(folder / "t.json", rows), folder)


def test_boxes_are_seen_where_the_network_sees_them(tmp_path: Path) -> None:
    """A 60 x 40 image on 120 x 120 is twice as large and 20 pixels from the top."""
    source = opened(tmp_path, [annotation(1, box=(5, 6, 20, 10))])
    seen = as_seen(source.table, framed, 4)
    np.testing.assert_allclose(seen.boxes, [[10, 32, 40, 20]], atol=1e-6)
    assert seen.cells().tolist() == [[7, 10]]


def test_tiny_shared_doubled_and_leaving(tmp_path: Path) -> None:
    rows = [
        annotation(1, box=(5, 6, 20, 10)),
        annotation(2, box=(5, 6, 20, 10)),  # the first again
        annotation(3, box=(30, 20, 1.5, 9)),  # 3 pixels wide on the input
        annotation(4, image=2, box=(50, 20, 25, 5)),  # 15 beyond the right edge
        annotation(5, image=2, box=(5, 6, 20, 10)),  # as the first, on another image
    ]
    source = opened(tmp_path, rows)
    seen = as_seen(source.table, framed, 4)
    tiny, shared = doubts_as_seen(source.table, seen)
    assert tiny.startswith("1 of 5 objects")
    assert "annotation 3" in tiny
    assert shared.startswith("1 of 5 objects")
    assert "annotation 2" in shared
    twice, leaving = doubts(source.table)
    assert twice.startswith("1 annotations")
    assert "annotation 2" in twice
    assert leaving.startswith("1 boxes")
    assert "annotation 4" in leaving
    sizes, shapes = histograms(seen)
    assert "below 8 1, 16 to 32 4" in sizes  # 7.3, three of 28.3 and 22.4
    assert "1:4" in shapes


def test_nothing_is_doubted_without_reason(tmp_path: Path) -> None:
    source = opened(tmp_path, [annotation(1), annotation(2, box=(35, 25, 12, 9))])
    assert doubts(source.table) == []
    assert doubts_as_seen(source.table, as_seen(source.table, framed, 4)) == []


def test_doubled_images_within_and_between_parts(tmp_path: Path) -> None:
    a, b = write_image(tmp_path / "a.png"), write_image(tmp_path / "b.png")
    copy = tmp_path / "val" / "other name.png"
    copy.parent.mkdir()
    copy.write_bytes(a.read_bytes())
    assert doubled({"train": [a, b], "val": [copy]}, content=False) == []
    (line,) = doubled({"train": [a, b], "val": [copy]}, content=True)
    assert line.startswith("1 of the 1 images of val are in train too")
    (line,) = doubled({"train": [a, b, a]}, content=False)
    assert line.startswith("train: 1 images are there once more")


def test_turned_photographs_are_counted(tmp_path: Path) -> None:
    for name, turn in (("a", 6), ("b", 1), ("c", None)):
        exif = Image.Exif()
        if turn is not None:
            exif[0x0112] = turn
        Image.new("RGB", (8, 4)).save(tmp_path / f"{name}.jpg", exif=exif)
    paths = sorted(tmp_path.glob("*.jpg"))
    (line,) = turned_lines("t", paths, upright=False)
    assert line.startswith("t: 1 of 3 images are turned by Exif, such as")
    assert line.endswith("read as stored")
    assert turned_lines("t", paths[1:], upright=False) == []


def test_the_contact_sheet_is_drawn_at_the_input_size(tmp_path: Path) -> None:
    images = [image_entry(n) for n in range(1, 6)]
    path = write_coco(tmp_path / "t.json", [annotation(1)], images=images)
    source = open_coco(path, tmp_path)
    sheet = contact_sheet(source, framed)
    assert sheet is not None
    assert sheet.shape == (240, 480, 3)


@pytest.fixture(scope="module")
def flags(tmp_path_factory: pytest.TempPathFactory) -> list[str]:
    return write_tiny_coco(tmp_path_factory.mktemp("tiny"))


def test_the_command(tmp_path: Path, flags: list[str], capsys: pytest.CaptureFixture) -> None:
    assert call("check", ["ctdet", *flags, "--input_res", "64"], tmp_path) == 0
    said = capsys.readouterr().out
    assert "as the network sees it, on an input of 64 x 64, stride 4:" in said
    assert "no test part:" in said
    assert (tmp_path / "exp" / "ctdet" / "check.jpg").is_file()
    assert str(tmp_path / "exp" / "ctdet" / "check.jpg") in said


def test_unreadable_images_are_named(
    tmp_path: Path, flags: list[str], capsys: pytest.CaptureFixture
) -> None:
    own = write_tiny_coco(tmp_path / "own")
    broken = next((tmp_path / "own" / "images").iterdir())
    broken.write_bytes(broken.read_bytes()[:50])
    assert call("check", ["ctdet", *own, "--pixels"], tmp_path) == 0
    said = capsys.readouterr().out
    assert "of" in said
    assert f"{broken}" in said
    assert "images cannot be used" in said


def test_a_set_without_objects_ends_with_2(tmp_path: Path, capsys: pytest.CaptureFixture) -> None:
    path = write_coco(tmp_path / "t.json", [])
    words = ["ctdet", "--dataset", "custom", "--train_json", str(path)]
    assert call("check", words, tmp_path) == 2
    assert "nothing to learn" in capsys.readouterr().err
    assert call("check", ["ctdet", "--dataset", "custom"], tmp_path) == 2
