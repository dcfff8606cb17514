"""Writing a video while its frames are made."""

from __future__ import annotations

from contextlib import AbstractContextManager, ExitStack
from pathlib import Path
from types import TracebackType

import cv2
import numpy as np

from centernet.io.files import atomic_write
from centernet.runtime.errors import UserError


class VideoFile(AbstractContextManager["VideoFile"]):
    """An mp4 file written frame by frame with OpenCV's own encoder (mp4v); no ffmpeg program.

    The size is that of the first frame, an odd side continued by a pixel, as the encoder wants even
    ones; later frames are brought to it. The file appears under its
    name when the block ends, and also when it ends by an exception after frames were written: what
    was recorded until then is kept. With no frame no file is made.
    """

    def __init__(self, path: str | Path, rate: float) -> None:
        self.path = Path(path).absolute()
        self.rate = rate
        self.frames = 0
        self._writer: cv2.VideoWriter | None = None
        self._size = (0, 0)
        self._file = ExitStack()

    def write(self, image: np.ndarray) -> None:
        """Append `image` (H, W, 3) BGR uint8."""
        writer = self._writer or self._open(image)
        right, below = self._size[0] - image.shape[1], self._size[1] - image.shape[0]
        if (right, below) != (0, 0):
            if right in (0, 1) and below in (0, 1):
                image = cv2.copyMakeBorder(image, 0, below, 0, right, cv2.BORDER_REPLICATE)
            else:
                image = cv2.resize(image, self._size)
        writer.write(np.ascontiguousarray(image))
        self.frames += 1

    def _open(self, image: np.ndarray) -> cv2.VideoWriter:
        temporary = self._file.enter_context(atomic_write(self.path))
        temporary.touch()  # OpenCV does not say why it cannot
        self._size = (image.shape[1] + image.shape[1] % 2, image.shape[0] + image.shape[0] % 2)
        code = cv2.VideoWriter.fourcc(*"mp4v")
        self._writer = writer = cv2.VideoWriter(str(temporary), code, self.rate, self._size)
        if not writer.isOpened():
            raise UserError(f"{self.path}: OpenCV was built without an mp4v video writer")
        return writer

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        if self._writer is not None:
            self._writer.release()
        if self.frames:
            self._file.close()  # without the exception: a partial recording is worth keeping
        else:
            self._file.__exit__(kind, error, trace)
