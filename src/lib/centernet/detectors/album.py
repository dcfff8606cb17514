"""What a demo leaves behind: pictures, or a video, and one file of numbers."""

from __future__ import annotations

import json
from contextlib import ExitStack
from pathlib import Path
from types import TracebackType
from typing import Any

from centernet.console.window import Window
from centernet.io.files import write_text
from centernet.io.picture_file import PICTURE_SUFFIXES, save_picture
from centernet.io.stream import Frame, Pictures, Video
from centernet.io.video_file import VideoFile
from centernet.runtime.errors import UserError
from centernet.structures.detections import Detections

MANY = 20  # pictures that are named one by one
FIRST = 3  # of more, so many are named


class Album:
    """Keeps what was found in the frames of `stream` in `folder`; a context manager.

    Pictures are saved one by one, a video as one mp4 file; `results.json` with all numbers is
    written when the block ends, also when it is ended by Ctrl-C.
    """

    def __init__(
        self, folder: Path, stream: Pictures | Video, threshold: float, theme: str, show: bool
    ) -> None:
        self.folder, self.threshold, self.theme = Path(folder).absolute(), threshold, theme
        self.spare_the_originals(self.folder, stream)
        self.window = Window() if show else None
        self.saved: list[Path] = []
        self._rows: list[dict[str, Any]] = []
        self._open = ExitStack()
        self._video: VideoFile | None = None
        self.folder.mkdir(parents=True, exist_ok=True)
        if isinstance(stream, Video):
            self._video = VideoFile(self.folder / f"{stream.name}.mp4", stream.rate)
            self._open.enter_context(self._video)

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
        picture = found.plot(frame.image, threshold=self.threshold, theme=self.theme)
        self._rows.append({"name": frame.name, **found.to_dict()})
        if self._video is not None:
            self._video.write(picture)
        else:
            path = save_picture(self._free_name(frame.name), picture)
            self.saved.append(path)
            above = found.birds_eye(threshold=self.threshold, theme=self.theme)
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
        """A path for picture `name` that no other picture of this album has."""
        path = self.folder / name
        if path.suffix.lower() not in PICTURE_SUFFIXES:
            path = path.with_name(f"{path.name}.jpg")
        stem, number = path.stem, 1
        while path in self.saved:
            number += 1
            path = path.with_name(f"{stem}_{number}{path.suffix}")
        return path

    def __enter__(self) -> Album:
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
        if self._rows:
            path = self.folder / "results.json"
            self.saved.append(write_text(path, json.dumps(self._rows, indent=1) + "\n"))
