"""Streams: every kind of source, their ends and their errors; prefetching; video files."""

from __future__ import annotations

import os
import threading
import time
from pathlib import Path

import cv2
import numpy as np
import pytest

from centernet.io.prefetch import prefetch
from centernet.io.stream import Pictures, Video, left_aside, open_stream
from centernet.io.video_file import VideoFile
from centernet.runtime.errors import UserError
from tests import real_data


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    for name in ("b.png", "a.jpg", "c.webp", ".hidden.png"):
        cv2.imwrite(str(tmp_path / name), np.full((8, 12, 3), 60, np.uint8))
    (tmp_path / "notes.md").write_text("not a picture")
    (tmp_path / "deeper").mkdir()
    cv2.imwrite(str(tmp_path / "deeper" / "d.png"), np.zeros((4, 4, 3), np.uint8))
    return tmp_path


def names(source: object) -> list[str]:
    return [frame.name for frame in open_stream(source)]  # type: ignore[arg-type]


def test_kinds_of_pictures(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert names(folder) == ["a.jpg", "b.png", "c.webp"]
    assert names(str(folder / "b.png")) == ["b.png"]
    assert names(f"{folder}/*.[pj]*") == ["a.jpg", "b.png"]
    assert names(f"{folder}/**/*.png") == ["b.png", "d.png"]
    assert names([folder / "c.webp", str(folder / "a.jpg")]) == ["c.webp", "a.jpg"]
    (folder / "list.txt").write_text("b.png\n\ndeeper/d.png\n")
    assert names(folder / "list.txt") == ["b.png", "d.png"]
    monkeypatch.chdir(folder)
    assert names("a.jpg") == ["a.jpg"]


def test_a_name_with_pattern_signs_is_a_file_first(folder: Path) -> None:
    (folder / "b.png").rename(folder / "b[1].png")
    assert names(folder / "b[1].png") == ["b[1].png"]


def test_frames_have_images_paths_and_seconds(folder: Path) -> None:
    stream = open_stream(folder)
    assert len(stream) == 3
    frames = list(stream)
    assert [frame.path for frame in frames] == [folder / n for n in ("a.jpg", "b.png", "c.webp")]
    assert all(frame.image.shape == (8, 12, 3) for frame in frames)
    assert all(frame.seconds > 0 for frame in frames)


@pytest.mark.parametrize("workers", [0, 3])
def test_unreadable_among_several_is_kept_aside(folder: Path, workers: int) -> None:
    (folder / "b.png").write_bytes(b"no picture")
    stream = open_stream(folder, workers)
    assert [frame.name for frame in stream] == ["a.jpg", "c.webp"]
    assert len(stream.unreadable) == 1
    assert "b.png" in stream.unreadable[0]


def test_unreadable_alone_or_altogether(folder: Path) -> None:
    for name in ("a.jpg", "b.png", "c.webp"):
        (folder / name).write_bytes(b"no picture")
    with pytest.raises(UserError, match=r"b\.png: not an image"):
        names(folder / "b.png")
    with pytest.raises(UserError, match=r"none of the 3 images can be read; first: .*a\.jpg"):
        names(folder)


@pytest.mark.parametrize(
    ("source", "reason"),
    [
        ("{0}/absent.jpg", r"absent\.jpg: no such file or folder"),
        ("{0}/empty", r"empty: no image in this folder"),
        ("{0}/*.bmp", r"\*\.bmp: matches no image"),
        ("{0}/empty.txt", "lists no image"),
        ("{0}/binary.txt", "not a text file"),
        ("{0}/fake.mp4", "not a video"),
        ("77", "camera 77: no such camera"),
    ],
)
def test_sources_without_anything(folder: Path, source: str, reason: str) -> None:
    (folder / "empty").mkdir()
    (folder / "empty.txt").write_text("\n")
    (folder / "binary.txt").write_bytes(b"\xff\xfe\xfa")
    (folder / "fake.mp4").write_bytes(b"no video")
    with pytest.raises(UserError, match=reason) as caught:
        names(source.format(folder))
    assert "\n" not in str(caught.value)


def test_empty_list() -> None:
    with pytest.raises(UserError, match="list of images is empty"):
        open_stream([])


@pytest.mark.parametrize("size", [(48, 64), (37, 51)])
def test_video_written_and_read_again(tmp_path: Path, size: tuple[int, int]) -> None:
    path = tmp_path / "out.mp4"
    with VideoFile(path, 10.0) as video:
        for shade in range(0, 250, 25):
            video.write(np.full((*size, 3), shade, np.uint8))
        assert not path.exists()  # until it is complete
    assert [p.name for p in tmp_path.iterdir()] == ["out.mp4"]
    stream = open_stream(path)
    assert isinstance(stream, Video)
    assert stream.rate == pytest.approx(10.0)
    assert len(stream) == 10
    frames = list(stream)
    assert [frame.name for frame in frames][:2] == ["out_000000.jpg", "out_000001.jpg"]
    assert len(frames) == 10
    assert frames[0].image.shape == (-(-size[0] // 2) * 2, -(-size[1] // 2) * 2, 3)
    shades = [float(frame.image.mean()) for frame in frames]
    assert shades == pytest.approx(list(range(0, 250, 25)), abs=6)


def test_video_of_changing_sizes_and_of_nothing(tmp_path: Path) -> None:
    with VideoFile(tmp_path / "a.mp4", 10.0) as video:
        video.write(np.zeros((48, 64, 3), np.uint8))
        video.write(np.zeros((90, 20, 3), np.uint8))
    assert len(list(open_stream(tmp_path / "a.mp4"))) == 2
    with VideoFile(tmp_path / "b.mp4", 10.0):
        pass
    assert not (tmp_path / "b.mp4").exists()


def test_interrupted_recording_is_kept(tmp_path: Path) -> None:
    def record() -> None:
        with VideoFile(tmp_path / "a.mp4", 10.0) as video:
            for _ in range(5):
                video.write(np.zeros((48, 64, 3), np.uint8))
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        record()
    assert len(list(open_stream(tmp_path / "a.mp4"))) == 5


def test_a_video_that_is_cut_short_says_so(tmp_path: Path) -> None:
    path = tmp_path / "a.avi"
    writer = cv2.VideoWriter(str(path), cv2.VideoWriter.fourcc(*"MJPG"), 10, (64, 64))
    rng = np.random.default_rng(0)
    for _ in range(20):
        writer.write(rng.integers(0, 255, (64, 64, 3), np.uint8))
    writer.release()
    whole = open_stream(path)
    assert (len(list(whole)), whole.unreadable) == (20, [])
    data = path.read_bytes()
    path.write_bytes(data[: len(data) // 2])
    video = open_stream(path)
    found = len(list(video))
    assert 0 < found < 18
    (told,) = video.unreadable
    assert told.endswith(
        f"a.avi: the rest after {found} of 20 frames: the file is damaged or cut short"
    )


def test_video_can_be_closed_in_between(tmp_path: Path) -> None:
    with VideoFile(tmp_path / "a.mp4", 10.0) as video:
        for _ in range(9):
            video.write(np.zeros((48, 64, 3), np.uint8))
    stream = open_stream(tmp_path / "a.mp4")
    assert isinstance(stream, Video)
    seen = 0
    for _ in stream:
        seen += 1
        if seen == 3:
            stream.close()
    assert seen == 3


def test_real_video_ends() -> None:
    stream = open_stream(real_data.folder("videos") / "mot_street_8frames.mp4")
    frames = list(stream)
    assert len(frames) == 8
    assert frames[-1].image.shape == (1080, 1920, 3)


@pytest.mark.parametrize("workers", [0, 1, 4])
def test_prefetch_keeps_the_order(workers: int) -> None:
    def slow_square(value: int) -> int:
        time.sleep(0.002 * (value % 3))
        return value * value

    assert list(prefetch(slow_square, range(20), workers)) == [n * n for n in range(20)]


def test_prefetch_looks_only_so_far_ahead() -> None:
    begun = []
    results = prefetch(lambda n: begun.append(n) or n, range(100), workers=2, ahead=2)
    assert next(results) == 0
    time.sleep(0.05)
    assert len(begun) <= 2 * 2 + 1
    results.close()  # type: ignore[attr-defined]
    assert not any(t.name.startswith("prefetch") for t in threading.enumerate())


def test_prefetch_raises_where_it_happened() -> None:
    results = prefetch(lambda n: 12 // n, [3, 4, 0, 6], workers=2)
    assert [next(results), next(results)] == [4, 3]
    with pytest.raises(ZeroDivisionError):
        next(results)


def test_one_picture_is_told_from_a_set_of_one(folder: Path) -> None:
    single, pattern = open_stream(folder / "a.jpg"), open_stream(f"{folder}/a*")
    assert isinstance(single, Pictures)
    assert isinstance(pattern, Pictures)
    assert (single.single, pattern.single) == (True, False)


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="Windows has no such pipes")
def test_nothing_waits_for_a_pipe_or_device(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe.mp4")
    for source in (tmp_path / "pipe.mp4", Path("/dev/zero")):
        with pytest.raises(UserError, match="a device, pipe or socket, where a file is expected"):
            open_stream(source)


def _film(path: Path, rate: float, size: tuple[int, int] = (64, 48), frames: int = 4) -> Path:
    code = cv2.VideoWriter.fourcc(*"MJPG")
    writer = cv2.VideoWriter(str(path), code, rate, size)
    for number in range(frames):
        writer.write(np.full((size[1], size[0], 3), 40 * number, np.uint8))
    writer.release()
    return path


def test_a_video_by_any_name(tmp_path: Path) -> None:
    """One whose suffix says nothing is looked into; an image without a suffix stays an image."""
    film = _film(tmp_path / "a.avi", 10)
    for name in ("a.wmv", "a.anything", "a"):
        copy = film.rename(tmp_path / name) if name == "a" else tmp_path / name
        if name != "a":
            copy.write_bytes(film.read_bytes())
        stream = open_stream(copy)
        assert isinstance(stream, Video)
        assert len(list(stream)) == 4
    picture = tmp_path / "picture"
    picture.write_bytes(cv2.imencode(".png", np.zeros((8, 8, 3), np.uint8))[1].tobytes())
    assert isinstance(open_stream(picture), Pictures)
    (tmp_path / "words.doc").write_text("no picture")
    assert isinstance(open_stream(tmp_path / "words.doc"), Pictures)


def test_slow_videos_keep_their_rate(tmp_path: Path) -> None:
    stream = open_stream(_film(tmp_path / "slow.avi", 0.5))
    assert isinstance(stream, Video)
    assert stream.rate == pytest.approx(0.5)


def test_why_a_video_is_not_opened(tmp_path: Path) -> None:
    (tmp_path / "empty.mp4").touch()
    with pytest.raises(UserError, match=r"empty\.mp4: the file is empty"):
        open_stream(tmp_path / "empty.mp4")
    whole = _film(tmp_path / "a.avi", 10).read_bytes()
    (tmp_path / "cut.mp4").write_bytes(whole[:40])
    with pytest.raises(UserError, match="cut short"):
        open_stream(tmp_path / "cut.mp4")
    with pytest.raises(UserError, match="cannot be reached"):
        open_stream("http://127.0.0.1:9/film.mp4")


def test_what_a_folder_holds_besides_is_counted(tmp_path: Path) -> None:
    for name in ("a.jpg", "b.mp4", "c.heic", "notes.txt", ".hidden.mp4"):
        (tmp_path / name).touch()
    (tmp_path / "sub").mkdir()
    assert left_aside(str(tmp_path)) == "1 folder, .mp4 1, .heic 1"
    assert left_aside(str(tmp_path / "a.jpg")) == ""


def test_odd_sides_are_continued(tmp_path: Path) -> None:
    frame = np.full((61, 63, 3), 120, np.uint8)
    with VideoFile(tmp_path / "odd.mp4", 10) as film:
        film.write(frame)
        film.write(frame)
    stream = open_stream(tmp_path / "odd.mp4")
    assert [each.image.shape for each in stream] == [(62, 64, 3)] * 2
