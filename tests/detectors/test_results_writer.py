"""What a demo leaves behind."""

from __future__ import annotations

import json
from pathlib import Path

import cv2
import numpy as np
import pytest

from centernet.detectors.results_writer import ResultWriter
from centernet.io.stream import Pictures, Video, open_stream
from centernet.io.video_file import VideoFile
from centernet.runtime.errors import UserError
from centernet.structures.detections import Detections
from centernet.structures.shared_place import strongest_of_each_place


def fill(folder: Path, stream: Pictures | Video, interrupted: bool = False) -> ResultWriter:
    with ResultWriter(folder, stream, 0.3, "white", show=False) as writer:
        for number, frame in enumerate(stream):
            box, names = [[2, 3, 30, 40]], ("cat", "dog")
            found = Detections(box, [0.9], [number % 2], names, path=frame.path)
            assert writer.add(frame, found)
            if interrupted and number == 1:
                raise KeyboardInterrupt
    return writer


@pytest.fixture
def pictures(tmp_path: Path) -> Path:
    folder = tmp_path / "in"
    (folder / "deep").mkdir(parents=True)
    for name in ("a.jpg", "b.png", "deep/a.jpg", "c.ppm"):
        cv2.imwrite(str(folder / name), np.full((48, 64, 3), 90, np.uint8))
    return folder


def test_pictures_and_numbers(pictures: Path, tmp_path: Path) -> None:
    stream = open_stream([pictures / n for n in ("a.jpg", "b.png", "deep/a.jpg", "c.ppm")])
    writer = fill(tmp_path / "out", stream)
    names = ["a.jpg", "b.png", "a_2.jpg", "c.ppm.jpg", "results.json"]
    assert [path.name for path in writer.saved] == names
    assert sorted(p.name for p in (tmp_path / "out").iterdir()) == sorted(names)
    assert writer.says()[0] == f"saved {(tmp_path / 'out' / 'a.jpg').absolute()}"
    rows = json.loads((tmp_path / "out" / "results.json").read_text())
    assert [row["objects"][0]["class"] for row in rows] == ["cat", "dog", "cat", "dog"]
    assert rows[1]["image"] == str(pictures / "b.png")
    assert not np.array_equal(
        cv2.imread(str(tmp_path / "out" / "b.png")), cv2.imread(str(pictures / "b.png"))
    )


def test_of_many_pictures_some_are_named(pictures: Path, tmp_path: Path) -> None:
    few = fill(tmp_path / "few", open_stream([pictures / "a.jpg"] * 19))
    assert len(few.says()) == 20  # with results.json
    out = tmp_path / "many"
    many = fill(out, open_stream([pictures / "a.jpg"] * 25))
    assert many.says() == [
        *(f"saved {out / name}" for name in ("a.jpg", "a_2.jpg", "a_3.jpg")),
        f"saved 22 more in {out}",
        f"saved {out / 'results.json'}",
    ]


def test_video_and_an_interruption(tmp_path: Path) -> None:
    with VideoFile(tmp_path / "clip.mp4", 10.0) as video:
        for _ in range(6):
            video.write(np.full((48, 64, 3), 90, np.uint8))
    writer = fill(tmp_path / "out", open_stream(tmp_path / "clip.mp4"))
    assert [path.name for path in writer.saved] == ["clip.mp4", "results.json"]
    assert len(list(open_stream(tmp_path / "out" / "clip.mp4"))) == 6
    with pytest.raises(KeyboardInterrupt):
        fill(tmp_path / "cut", open_stream(tmp_path / "clip.mp4"), interrupted=True)
    assert len(list(open_stream(tmp_path / "cut" / "clip.mp4"))) == 2
    assert len(json.loads((tmp_path / "cut" / "results.json").read_text())) == 2


def test_originals_are_never_overwritten(pictures: Path, tmp_path: Path) -> None:
    before = (pictures / "a.jpg").read_bytes()
    link = tmp_path / "link"
    link.symlink_to(pictures, target_is_directory=True)
    for output in (pictures, link):
        with pytest.raises(UserError, match=r"would overwrite a\.jpg"):
            fill(output, open_stream(pictures))
    assert (pictures / "a.jpg").read_bytes() == before
    with VideoFile(tmp_path / "clip.mp4", 10.0) as video:
        video.write(np.zeros((48, 64, 3), np.uint8))
    with pytest.raises(UserError, match=r"would overwrite clip\.mp4"):
        fill(tmp_path, open_stream(tmp_path / "clip.mp4"))


def test_what_another_left_is_never_written_over(pictures: Path, tmp_path: Path) -> None:
    out = tmp_path / "out"
    out.mkdir()
    foreign = {"a.jpg": b"a photograph", "results.json": b"numbers", "clip.mp4": b"a film"}
    for name, content in foreign.items():
        (out / name).write_bytes(content)
    first = fill(out, open_stream(pictures / "a.jpg"))
    assert [path.name for path in first.saved] == ["a_2.jpg", "results_2.json"]
    again = fill(out, open_stream(pictures / "a.jpg"))
    assert [path.name for path in again.saved] == ["a_3.jpg", "results_3.json"]
    with VideoFile(tmp_path / "clip.mp4", 10.0) as video:
        video.write(np.zeros((48, 64, 3), np.uint8))
    film = fill(out, open_stream(tmp_path / "clip.mp4"))
    assert [path.name for path in film.saved] == ["clip_2.mp4", "results_4.json"]
    assert {name: (out / name).read_bytes() for name in foreign} == foreign


def test_numbers_are_whole_after_every_frame(pictures: Path, tmp_path: Path) -> None:
    stream = open_stream([pictures / n for n in ("a.jpg", "b.png", "deep/a.jpg")])
    path = tmp_path / "out" / "results.json"
    with ResultWriter(tmp_path / "out", stream, 0.3, "white", show=False) as writer:
        for number, frame in enumerate(stream, 1):
            writer.add(frame, Detections([[2, 3, 30, 40]], [0.9], [0], path=frame.path))
            assert len(json.loads(path.read_text())) == number


def test_numbers_can_be_cut_at_a_score(pictures: Path, tmp_path: Path) -> None:
    stream = open_stream(pictures / "a.jpg")
    boxes = [[2, 3, 30, 40], [5, 5, 9, 9]]
    with ResultWriter(tmp_path, stream, 0.3, "white", show=False, save_threshold=0.5) as writer:
        for frame in stream:
            writer.add(frame, Detections(boxes, [0.9, 0.4], [0, 0], path=frame.path))
    (entry,) = json.loads((tmp_path / "results.json").read_text())
    assert [each["score"] for each in entry["objects"]] == [pytest.approx(0.9)]


def test_classes_that_share_a_box_are_drawn_once_and_kept_all(
    pictures: Path, tmp_path: Path
) -> None:
    boxes = [[2, 3, 30, 40], [2, 3, 30, 41], [2, 3, 30, 40], [40, 3, 60, 40]]
    rows = Detections(boxes, [0.8, 0.9, 0.7, 0.6], [0, 1, 1, 0], ("disc", "square"))
    # The disc has the better square's box; the second square is the network's own double.
    assert strongest_of_each_place(rows).scores.tolist() == pytest.approx([0.9, 0.7, 0.6])
    stream = open_stream(pictures / "b.png")
    drawn = {}
    for every in (False, True):
        out = tmp_path / str(every)
        with ResultWriter(out, stream, 0.3, "white", show=False, all_classes=every) as writer:
            for frame in stream:
                writer.add(frame, rows)
        (entry,) = json.loads((out / "results.json").read_text())
        assert len(entry["objects"]) == 4
        drawn[every] = cv2.imread(str(out / "b.png"))
    image = cv2.imread(str(pictures / "b.png"))
    assert np.array_equal(drawn[True], rows.plot(image))
    assert np.array_equal(drawn[False], strongest_of_each_place(rows).plot(image))
    assert not np.array_equal(drawn[True], drawn[False])
