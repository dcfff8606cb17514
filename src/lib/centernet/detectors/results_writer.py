"""What a demo leaves behind: images, or a video, and one file of numbers."""

from __future__ import annotations

from contextlib import ExitStack
from pathlib import Path
from types import TracebackType

from centernet.console.window import Window
from centernet.detectors.track_files import TrackFiles
from centernet.drawing.traces import Traces
from centernet.io.files import free_path
from centernet.io.json_list import JsonList
from centernet.io.picture_file import PICTURE_SUFFIXES, save_picture
from centernet.io.stream import Frame, Pictures, Video
from centernet.io.video_file import VideoFile
from centernet.runtime.errors import UserError
from centernet.structures.detections import Detections
from centernet.structures.shared_place import strongest_of_each_place

MANY = 20  # images that are named one by one
FIRST = 3  # of more, so many are named


class ResultWriter:
    """Keeps what was found in the frames of `stream` in `folder`; a context manager.

    Images are saved one by one, a video as one mp4 file, all numbers in `results.json`, which is
    whole after every frame, however the program ends. Nothing that is in the folder already is
    written over: the new file has a number in its name. Detections below `save_threshold` are in
    no file, those below `threshold` are not drawn. Of classes that share a box the strongest is
    drawn, with `all_classes` each. `trace` draws the tails of tracked objects; `track_files` are
    the formats that tracks are written in besides.
    """

    def __init__(
        self,
        folder: Path,
        stream: Pictures | Video,
        threshold: float,
        theme: str,
        show: bool,
        save_threshold: float = 0.0,
        *,
        all_classes: bool = False,
        trace: bool = False,
        track_files: tuple[str, ...] = (),
    ) -> None:
        self.folder, self.threshold, self.theme = Path(folder).absolute(), threshold, theme
        self.spare_the_originals(self.folder, stream)
        self.window = Window() if show else None
        self.saved: list[Path] = []
        self.save_threshold = save_threshold
        self.all_classes = all_classes
        self._open = ExitStack()
        self._video: VideoFile | None = None
        self.folder.mkdir(parents=True, exist_ok=True)
        if isinstance(stream, Video):
            self._video = VideoFile(free_path(self.folder / f"{stream.name}.mp4"), stream.rate)
            self._open.enter_context(self._video)
        name = stream.name if isinstance(stream, Video) else "images"
        self._traces = Traces() if trace else None
        self._tracks = self._open.enter_context(TrackFiles(self.folder, name, track_files))
        self._numbers = self._open.enter_context(JsonList(free_path(self.folder / "results.json")))

    @staticmethod
    def spare_the_originals(folder: Path, stream: Pictures | Video) -> None:
        """Raise UserError where a result in `folder` would take the place of what it is made of."""
        sources = stream.paths if isinstance(stream, Pictures) else [Path(stream.label)]
        for path in sources:
            if path.exists() and path.resolve().parent == folder.resolve():
                raise UserError(
                    f"--output {folder}: results would overwrite {path.name}, which is to be"
                    " looked at; name another folder"
                )

    def add(self, frame: Frame, found: Detections) -> bool:
        """Draw and keep one frame; False when the user has closed the window."""
        drawn = found.above(self.threshold)
        drawn = drawn if self.all_classes else strongest_of_each_place(drawn)
        picture = drawn.plot(frame.image, threshold=self.threshold, theme=self.theme)
        if self._traces is not None:
            picture = self._traces.draw(picture, drawn, self.threshold)
        kept = found.above(self.save_threshold) if self.save_threshold > 0 else found
        self._numbers.append({"name": frame.name, **kept.to_dict()})
        self._tracks.add(frame.name, kept)
        if self._video is not None:
            self._video.write(picture)
        else:
            path = save_picture(self._free_name(frame.name), picture)
            self.saved.append(path)
            above = drawn.birds_eye(threshold=self.threshold, theme=self.theme)
            if above is not None:
                name = path.with_stem(f"{path.stem}_above").name
                self.saved.append(save_picture(self._free_name(name), above))
        return self.window is None or self.window.show(picture, wait=self._video is None)

    def says(self) -> list[str]:
        """Where everything lies, a line a file; of many the first, the last and the folder."""
        named = [f"saved {path}" for path in self.saved]
        if len(named) <= MANY:
            return named
        rest = len(named) - FIRST - 1
        return [*named[:FIRST], f"saved {rest} more in {self.folder}", named[-1]]

    def _free_name(self, name: str) -> Path:
        """A path for image `name` that nothing has yet."""
        path = self.folder / name
        if path.suffix.lower() not in PICTURE_SUFFIXES:
            path = path.with_name(f"{path.name}.jpg")
        return free_path(path)

    def __enter__(self) -> ResultWriter:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._open.__exit__(kind, error, trace)
        if self.window is not None:
            self.window.close()
        if self._video is not None and self._video.frames:
            self.saved.append(self._video.path)
        self.saved += self._tracks.paths
        if self._numbers.count:
            self.saved.append(self._numbers.path)
