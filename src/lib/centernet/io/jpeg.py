"""What can be told of a JPEG file without decoding it (ITU-T T.81, annex B)."""

from __future__ import annotations

from collections.abc import Iterator
from io import BytesIO

from PIL import Image

START = b"\xff\xd8"
END = b"\xff\xd9"
ORIENTATION = 0x0112  # Exif's tag
_WITHOUT_LENGTH = frozenset(range(0xD0, 0xD8)) | {0x00, 0x01}  # restart marks, stuffing


def is_jpeg(data: bytes) -> bool:
    """Whether `data` begins as a JPEG file does."""
    return data[:2] == START


def is_complete(data: bytes) -> bool:
    """Whether the end-of-image mark of the image itself (not of a thumbnail) is there.

    Decoders fill what is missing with grey or black and, in some releases of OpenCV, say nothing.
    """
    if data.rstrip(b"\0").endswith(END):
        return True
    return END[1] in _markers(data)


def size(data: bytes) -> tuple[int, int] | None:
    """(height, width) as stored, before any turn; None when no frame header is found."""
    try:
        with Image.open(BytesIO(data), formats=("JPEG",)) as image:
            return image.height, image.width
    except (OSError, ValueError, SyntaxError, Image.DecompressionBombError):
        return None


def orientation(data: bytes) -> int:
    """Exif orientation, 1 to 8; 1 (upright) when the file does not state it."""
    try:
        with Image.open(BytesIO(data), formats=("JPEG",)) as image:
            found = image.getexif().get(ORIENTATION, 1)
    except (OSError, ValueError, SyntaxError, Image.DecompressionBombError):
        return 1
    return found if isinstance(found, int) and 1 <= found <= 8 else 1


def _markers(data: bytes) -> Iterator[int]:
    """Markers in order."""
    at = len(START)
    while True:
        at = data.find(b"\xff", at)
        if at < 0 or at + 1 >= len(data):
            return
        marker = data[at + 1]
        if marker == 0xFF:  # fill byte before a marker
            at += 1
            continue
        if marker in _WITHOUT_LENGTH:
            at += 2
            continue
        start = at + 4
        end = start if marker == END[1] else at + 2 + int.from_bytes(data[at + 2 : start], "big")
        yield marker
        if marker == END[1]:
            return
        at = max(end, start)
