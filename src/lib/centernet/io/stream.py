"""Frames from whatever a user points at: an image, a folder, a pattern, a list, a video, a camera.

Images are read upright (Exif orientation followed); every frame is (H, W, 3) uint8 BGR.
"""

from __future__ import annotations

import glob
import os
import time
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np

from centernet.io.image import SUFFIXES, ImageError, read_image
from centernet.io.listing import BESIDE
from centernet.io.prefetch import prefetch
from centernet.runtime.errors import UserError

VIDEO_SUFFIXES = frozenset({".mp4", ".mov", ".avi", ".mkv", ".webm", ".m4v", ".mpg", ".mpeg"})
WHOLE = 0.9  # of its announced frames a sound file has: some formats only estimate how many
FALLBACK_RATE = 25.0  # frames a second, for cameras and files that do not say

SourceLike = str | Path | int | Sequence[str | Path]


@dataclass(frozen=True)
class Frame:
    """One image of a stream. `name` is a file name without folder, good for what is written."""

    image: np.ndarray
    name: str
    path: Path | None = None  # None for frames of a video
    seconds: float = 0.0  # that reading it took


class Pictures:
    """The frames of image files, in order, read ahead of their use.

    An unreadable file among several is left out and kept in `unreadable` with the reason; when it
    is the only one, or all are unreadable, iteration raises UserError. `single` tells that the user
    named one file, not a set that happens to hold one.
    """

    def __init__(self, paths: Sequence[Path], workers: int = 1, single: bool = False) -> None:
        self.paths = list(paths)
        self.workers = workers
        self.single = single
        self.unreadable: list[str] = []

    def __len__(self) -> int:
        return len(self.paths)

    def __iter__(self) -> Iterator[Frame]:
        self.unreadable = []
        for found in prefetch(_read_or_error, self.paths, self.workers):
            if isinstance(found, Frame):
                yield found
                continue
            self.unreadable.append(str(found))
            if len(self.paths) == 1:
                raise found
        if len(self.unreadable) == len(self.paths):
            raise UserError(
                f"none of the {len(self.paths)} images can be read; first: {self.unreadable[0]}"
            )


def _read_or_error(path: Path) -> Frame | ImageError:
    start = time.perf_counter()
    try:
        image = read_image(path, upright=True)
    except ImageError as error:
        return error
    return Frame(image, path.name, path, time.perf_counter() - start)


class Video:
    """The frames of a video file or a camera; iteration ends with the video, or at `close`.

    Iterate once. A camera that cannot be opened, or a file without a frame that can be decoded,
    is a UserError. Of a file that ends long before its announced end `unreadable` tells.
    """

    def __init__(self, source: str | int) -> None:
        self.label = f"camera {source}" if isinstance(source, int) else str(source)
        self.name = f"camera{source}" if isinstance(source, int) else Path(source).stem
        self._is_file = not isinstance(source, int)
        with _silence():
            self._capture = cv2.VideoCapture(source)
        if not self._capture.isOpened():
            raise UserError(self._unopened())
        rate = self._capture.get(cv2.CAP_PROP_FPS)
        self.rate = float(rate) if 0 < rate <= 1000 else FALLBACK_RATE
        self.unreadable: list[str] = []

    def _unopened(self) -> str:
        if "://" in self.label:
            return f"{self.label}: cannot be reached, or is no stream of images"
        if self._is_file and Path(self.label).is_file():
            if Path(self.label).stat().st_size == 0:
                return f"{self.label}: the file is empty"
            return (
                f"{self.label}: not a video, damaged or cut short (it has no index), or of a kind"
                " that this OpenCV does not read"
            )
        if self._is_file:
            return f"{self.label}: no such video"
        return f"{self.label}: no such camera, or it is in use; name another number or a file"

    def __len__(self) -> int:
        """Frames that the file announces; 0 when it does not (a camera never does)."""
        count = int(self._capture.get(cv2.CAP_PROP_FRAME_COUNT)) if self._is_file else 0
        return max(count, 0)

    def __iter__(self) -> Iterator[Frame]:
        number, announced = 0, len(self)
        try:
            while self._capture.isOpened():
                start = time.perf_counter()
                done, image = self._capture.read()
                if not done:
                    if 0 < number < WHOLE * announced:
                        self.unreadable.append(
                            f"{self.label}: the rest after {number} of {announced} frames: the file"
                            " is damaged or cut short"
                        )
                    break
                seconds = time.perf_counter() - start
                yield Frame(image, f"{self.name}_{number:06d}.jpg", seconds=seconds)
                number += 1
            codec = self._codec()
        finally:
            self._capture.release()
        if number == 0:
            raise UserError(
                f"{self.label}: not one frame can be decoded (codec {codec}); convert it with a"
                " codec that this OpenCV has, such as h264 in an mp4"
            )

    def _codec(self) -> str:
        """The four letters by which the file names its codec."""
        code = int(self._capture.get(cv2.CAP_PROP_FOURCC))
        letters = "".join(chr(code >> shift & 255) for shift in (0, 8, 16, 24))
        return letters if letters.isprintable() and letters.strip() else "unknown"

    def close(self) -> None:
        """Let the device or the file go; an iteration under way ends with its present frame."""
        self._capture.release()


@contextmanager
def _silence() -> Iterator[None]:
    """Keep OpenCV and its FFmpeg from printing why they cannot open something: we say it."""
    os.environ.setdefault("OPENCV_FFMPEG_LOGLEVEL", "-8")  # read once, when FFmpeg first starts
    level = cv2.utils.logging.setLogLevel(cv2.utils.logging.LOG_LEVEL_SILENT)
    try:
        yield
    finally:
        cv2.utils.logging.setLogLevel(level)


def open_stream(source: SourceLike, workers: int = 1) -> Pictures | Video:
    """The stream that `source` names.

    Args:
        source: an image or video file; a folder (its images, by name, not those of folders in it);
            a pattern with * or ?; a .txt file with one path a line; a list of paths; a camera's
            number or "webcam" (camera 0); a stream's address (rtsp://, http://).
        workers: threads that read images ahead.

    Raises UserError, in one line, when nothing is there.
    """
    if isinstance(source, int) and not isinstance(source, bool):
        return Video(source)
    if isinstance(source, str | Path):
        return _open_one(str(source), workers)
    paths = [as_path(item) for item in (source if isinstance(source, Iterable) else [source])]
    if not paths:
        raise UserError("the list of images is empty")
    return Pictures(paths, workers)


def open_videos(source: str) -> list[Pictures | Video]:
    """The streams that `source` names: one, but of a folder or pattern of videos each of them.

    A folder that has images is those images; its videos are then left alone.
    """
    path = Path(source).expanduser()
    inside = sorted(path.iterdir()) if path.is_dir() else []
    if glob.has_magic(source) and not path.exists():
        inside = sorted(Path(name) for name in glob.glob(str(path), recursive=True))
    videos = [each for each in inside if each.suffix.lower() in VIDEO_SUFFIXES and each.is_file()]
    if not videos or any(_is_image(each) for each in inside):
        return [open_stream(source)]
    return [Video(str(each)) for each in videos]


def is_video(path: Path) -> bool:
    """Whether a file is a video: by its suffix or, of no known one, because OpenCV opens it so."""
    suffix = path.suffix.lower()
    if suffix in VIDEO_SUFFIXES:
        return True
    if suffix in SUFFIXES or suffix == ".txt" or cv2.haveImageReader(str(path)):
        return False
    with _silence():
        capture = cv2.VideoCapture(str(path))
    try:
        return bool(capture.isOpened())
    finally:
        capture.release()


def left_aside(source: str) -> str:
    """What a folder holds beside the images that are looked at: "1 folder, .mp4 1"; "" of others.

    Files that usually lie beside images, such as labels, are not counted.
    """
    path = Path(source).expanduser()
    if not path.is_dir():
        return ""
    inside = [each for each in path.iterdir() if not each.name.startswith(".")]
    folders = sum(each.is_dir() for each in inside)
    others = Counter(
        each.suffix.lower()
        for each in inside
        if each.is_file() and not _is_image(each) and each.suffix.lower() not in BESIDE
    )
    said = [f"{folders} folder{'s' if folders > 1 else ''}"] if folders else []
    return ", ".join([*said, *(f"{suffix} {n}" for suffix, n in others.most_common(8))])


def as_path(item: object) -> Path:
    """`item` as the path of an image; UserError if it is something else."""
    if isinstance(item, str | os.PathLike):
        return Path(item)
    raise UserError(
        f"a {type(item).__name__} is neither a path nor an array (H, W, 3) uint8 BGR; of a PIL"
        " picture that array is np.asarray(picture.convert('RGB'))[..., ::-1]"
    )


def _open_one(source: str, workers: int) -> Pictures | Video:
    path = Path(source).expanduser()
    if source == "webcam":
        return Video(0)
    if "://" in source or (path.is_file() and is_video(path)):
        return Video(source if "://" in source else str(path))
    if path.is_dir():
        return Pictures(_images_in(path), workers)
    if path.is_file():
        listed = path.suffix.lower() == ".txt"
        return Pictures(_listed_in(path) if listed else [path], workers, single=not listed)
    if source.isdecimal():
        return Video(int(source))
    if glob.has_magic(source):
        return Pictures(_matching(str(path)), workers)
    if path.exists():
        raise UserError(
            f"{path.absolute()}: a device, pipe or socket, where a file is expected (of a camera"
            " give the number)"
        )
    raise UserError(f"{path.absolute()}: no such file or folder")


def _images_in(folder: Path) -> list[Path]:
    found = sorted(path for path in folder.iterdir() if _is_image(path))
    if not found:
        known = " ".join(sorted(SUFFIXES))
        raise UserError(f"{folder.absolute()}: no image in this folder (looked for {known})")
    return found


def _listed_in(path: Path) -> list[Path]:
    """Paths of a text file, one a line; relative ones start at the file's folder."""
    try:
        lines = path.read_text(encoding="utf-8-sig").splitlines()
    except UnicodeDecodeError:
        raise UserError(f"{path}: not a text file with one image path a line") from None
    found = [path.parent / line.strip() for line in lines if line.strip()]
    if not found:
        raise UserError(f"{path}: lists no image")
    return found


def _matching(pattern: str) -> list[Path]:
    found = sorted(Path(name) for name in glob.glob(pattern, recursive=True))
    images = [path for path in found if _is_image(path)]
    if not images:
        raise UserError(f"{pattern}: matches no image")
    return images


def _is_image(path: Path) -> bool:
    return path.suffix.lower() in SUFFIXES and not path.name.startswith(".") and path.is_file()
