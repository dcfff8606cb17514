"""Reading an image file: one policy for every kind of picture.

* The result is always (height, width, 3) uint8 in BGR order.
* Grey pictures are repeated over the three channels; palettes are looked up.
* 16 bits a channel become 8 by division by 257 with rounding, so that white stays white. The
  contrast is never stretched: a camera's 12 bits in 16 stay as dark as they were stored.
* Transparency is dropped, the colours beneath are kept as stored.
* Floating-point pictures are refused: nothing says what their white is.
* A file that is missing, cut short or no picture is an `ImageError`; half a picture is never
  returned.
* Exif orientation is ignored for data sets, whose annotations are in stored pixels (COCO, Pascal
  VOC, KITTI), and followed with `upright=True`, for the pictures of a user.
"""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

from centernet.io import jpeg
from centernet.runtime.errors import UserError

SUFFIXES = frozenset({".jpg", ".jpeg", ".png", ".bmp", ".webp", ".tif", ".tiff", ".ppm", ".pgm"})
_PNG = b"\x89PNG\r\n\x1a\n"


class ImageError(UserError):
    """An image file that cannot be used; the message names it."""


def read_image(path: str | Path, upright: bool = False) -> NDArray[np.uint8]:
    """(height, width, 3) BGR uint8 by the policy at the head of this module.

    `upright` turns the picture as its Exif orientation says. Raises ImageError.
    """
    return _decode(_read(path), path, upright)


def image_size(path: str | Path, upright: bool = False) -> tuple[int, int]:
    """(height, width) of what `read_image` gives, from the header alone for JPEG and PNG.

    Raises ImageError, but a file that is cut short after its header is not noticed here.
    """
    data = _read(path)
    size: tuple[int, int] | None = None
    if jpeg.is_jpeg(data):
        size = jpeg.size(data)
        if size is not None and upright and jpeg.orientation(data) >= 5:  # a quarter turn
            size = size[::-1]
    elif data.startswith(_PNG) and len(data) >= 24 and b"eXIf" not in data:
        size = int.from_bytes(data[20:24], "big"), int.from_bytes(data[16:20], "big")
    if size is None or 0 in size:
        height, width = _decode(data, path, upright).shape[:2]
        size = height, width
    return size


def _read(path: str | Path) -> bytes:
    # Not cv2.imread: it cannot open every name on Windows and tells no reason for a failure.
    try:
        data = Path(path).read_bytes()
    except FileNotFoundError:
        raise ImageError(f"{path}: no such image file") from None
    except OSError as error:
        raise ImageError(f"{path}: cannot be read ({error.strerror})") from None
    if not data:
        raise ImageError(f"{path}: the file is empty")
    return data


def _decode(data: bytes, path: str | Path, upright: bool) -> NDArray[np.uint8]:
    if jpeg.is_jpeg(data) and not jpeg.is_complete(data):
        raise ImageError(f"{path}: the JPEG file is cut short; fetch it again")
    flags = cv2.IMREAD_COLOR | cv2.IMREAD_ANYDEPTH
    if not upright:
        flags |= cv2.IMREAD_IGNORE_ORIENTATION
    try:
        image = cv2.imdecode(np.frombuffer(data, np.uint8), flags)
    except cv2.error as error:
        raise ImageError(f"{path}: cannot be decoded ({error.err})") from None
    if image is None:
        raise ImageError(f"{path}: not an image that OpenCV reads, or damaged or cut short")
    if image.dtype == np.uint16:
        return ((image.astype(np.uint32) + 128) // 257).astype(np.uint8)
    if image.dtype != np.uint8:
        raise ImageError(f"{path}: {image.dtype} pixels; save it with 8 or 16 bits a channel")
    return image
