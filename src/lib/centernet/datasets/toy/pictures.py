"""Writing the drawn images."""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

QUALITY = 95  # of JPEG files


def write_jpeg(path: Path, image: NDArray[np.uint8]) -> None:
    """(H, W, 3) BGR to a JPEG file, as in COCO and MOTChallenge."""
    _write(path, image, [cv2.IMWRITE_JPEG_QUALITY, QUALITY])


def write_png(path: Path, image: NDArray[np.uint8]) -> None:
    """(H, W, 3) BGR to a PNG file, as in KITTI: nothing lost."""
    _write(path, image, [])


def _write(path: Path, image: NDArray[np.uint8], settings: list[int]) -> None:
    # Encoded in memory: cv2.imwrite reports a full disk by a flag only, this by an OSError.
    done, data = cv2.imencode(path.suffix, image, settings)
    if not done:
        raise OSError(f"{path}: OpenCV could not encode the image")
    path.write_bytes(data.tobytes())
