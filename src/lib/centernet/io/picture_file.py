"""Writing an image."""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np

from centernet.io.files import atomic_write
from centernet.runtime.errors import UserError

PICTURE_SUFFIXES = (".jpg", ".jpeg", ".png", ".webp", ".bmp", ".tif", ".tiff")


def save_picture(path: str | Path, image: np.ndarray, quality: int | None = None) -> Path:
    """Write a BGR image atomically in the format of the suffix; return the absolute path.

    `quality` is that of JPEG files, 0 to 100; None leaves it to OpenCV.
    """
    path = Path(path).absolute()
    with atomic_write(path) as temporary:
        # Not cv2.imwrite: it cannot open names beyond the code page on Windows.
        how = [] if quality is None else [cv2.IMWRITE_JPEG_QUALITY, quality]
        done, data = cv2.imencode(path.suffix, image, how)
        if not done:
            raise UserError(f"{path}: OpenCV cannot write {path.suffix} files here; use .png")
        temporary.write_bytes(data.tobytes())
    return path
