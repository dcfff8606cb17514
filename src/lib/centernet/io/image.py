"""Reading an image file: one policy for every kind of image.

* The result is always (height, width, 3) uint8 in BGR order.
* Grey images are repeated over the three channels; palettes are looked up.
* 16 bits a channel become 8 by division by 257 with rounding, so that white stays white. The
  contrast is never stretched: a camera's 12 bits in 16 stay as dark as they were stored.
* Transparency is dropped, the colours beneath are kept as stored.
* Floating-point images are refused: nothing says what their white is.
* A file that is missing, cut short or no image is an `ImageError`; half an image is never
  returned.
* Exif orientation is ignored for data sets, whose annotations are in stored pixels (COCO, Pascal
  VOC, KITTI), and followed with `upright=True`, for the images of a user.
"""

from __future__ import annotations

import os
import stat
import warnings
from io import BytesIO
from pathlib import Path
from typing import IO

import cv2
import numpy as np
from numpy.typing import NDArray
from PIL import Image

from centernet.io import jpeg
from centernet.runtime.errors import UserError

SUFFIXES = frozenset(
    {".jpg", ".jpeg", ".jpe", ".jfif", ".jif", ".mpo", ".png", ".bmp", ".dib", ".webp", ".tif",
     ".tiff", ".ppm", ".pgm", ".pbm", ".pnm", ".pam", ".ras", ".sr", ".jp2", ".gif", ".avif"}
)  # fmt: skip
MAX_PIXELS = 178_956_970  # of an image: what Pillow takes for an attack, too
_HEADERS = frozenset({"JPEG", "MPO", "PNG", "BMP", "PPM", "WEBP"})  # decoded to just this size


class ImageError(UserError):
    """An image file that cannot be used; the message names it."""


def read_image(path: str | Path, upright: bool = False) -> NDArray[np.uint8]:
    """(height, width, 3) BGR uint8 by the policy at the head of this module.

    `upright` turns the image as its Exif orientation says. Raises ImageError.
    """
    data = _read(path)
    _header(BytesIO(data), path, upright=False)
    return _decode(data, path, upright)


def image_size(path: str | Path, upright: bool = False) -> tuple[int, int]:
    """(height, width) of what `read_image` gives, from the header alone where Pillow knows it.

    Raises ImageError, but a file that is cut short after its header is not noticed here.
    """
    _check_kind(path)
    try:
        with open(path, "rb") as file:
            size = _header(file, path, upright)
    except FileNotFoundError:
        raise ImageError(f"{path}: no such image file") from None
    except (OSError, ValueError) as error:
        raise ImageError(f"{path}: cannot be read ({_reason(error)})") from None
    if size is None:
        height, width = read_image(path, upright).shape[:2]
        size = height, width
    return size


def _header(file: IO[bytes], path: str | Path, upright: bool) -> tuple[int, int] | None:
    """(height, width) as Pillow reads it; None where only decoding tells. ImageError if too large.

    OpenCV turns images by more than Exif in other formats than JPEG, so they are decoded then.
    """
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            with Image.open(file) as image:
                width, height = image.size
                turn = image.getexif().get(jpeg.ORIENTATION, 1) if upright else 1
                kind = image.format
    except Image.DecompressionBombError:
        raise ImageError(f"{path}: more than {MAX_PIXELS} pixels; save it smaller") from None
    except Exception:  # whatever Pillow's readers raise at damaged headers: OpenCV decides
        return None
    if width * height > MAX_PIXELS:
        raise ImageError(
            f"{path}: {width} x {height} are more than {MAX_PIXELS} pixels; save it smaller"
        )
    if kind not in _HEADERS or 0 in (width, height) or (turn != 1 and kind != "JPEG"):
        return None
    return (width, height) if turn in (5, 6, 7, 8) else (height, width)


def _check_kind(path: str | Path) -> None:
    """ImageError for a folder, pipe, device or socket: nothing waits for one."""
    try:
        mode = os.stat(path).st_mode
    except (OSError, ValueError):
        return  # reported where it is opened
    if not stat.S_ISREG(mode):
        kind = "a folder" if stat.S_ISDIR(mode) else "a device, pipe or socket"
        raise ImageError(f"{path}: cannot be read ({kind}, where an image file is expected)")


def _reason(error: Exception) -> str:
    return getattr(error, "strerror", None) or str(error)


def _read(path: str | Path) -> bytes:
    # Not cv2.imread: it cannot open every name on Windows and tells no reason for a failure.
    _check_kind(path)
    try:
        data = Path(path).read_bytes()
    except FileNotFoundError:
        raise ImageError(f"{path}: no such image file") from None
    except (OSError, ValueError) as error:
        raise ImageError(f"{path}: cannot be read ({_reason(error)})") from None
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
    return np.asarray(image, np.uint8)
