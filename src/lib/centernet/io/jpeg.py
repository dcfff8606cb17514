"""What can be told of a JPEG file without decoding it (ITU-T T.81, annex B)."""

from __future__ import annotations

from collections.abc import Iterator

START = b"\xff\xd8"
END = b"\xff\xd9"
_SCAN, _EXIF = 0xDA, 0xE1
_FRAMES = frozenset(range(0xC0, 0xD0)) - {0xC4, 0xC8, 0xCC}  # start of frame, all codings
_WITHOUT_LENGTH = frozenset(range(0xD0, 0xD8)) | {0x00, 0x01}  # restart marks, stuffing
_ORIENTATION_TAG = 0x0112


def is_jpeg(data: bytes) -> bool:
    """Whether `data` begins as a JPEG file does."""
    return data[:2] == START


def is_complete(data: bytes) -> bool:
    """Whether the end-of-image mark of the picture itself (not of a thumbnail) is there.

    Decoders fill what is missing with grey or black and, in some releases of OpenCV, say nothing.
    """
    if data.rstrip(b"\0").endswith(END):
        return True
    return any(marker == END[1] for marker, _, _ in _segments(data))


def size(data: bytes) -> tuple[int, int] | None:
    """(height, width) as stored, before any turn; None when no frame header is found."""
    for marker, start, _ in _segments(data):
        if marker in _FRAMES:
            header = data[start + 1 : start + 5]
            return int.from_bytes(header[:2], "big"), int.from_bytes(header[2:], "big")
    return None


def orientation(data: bytes) -> int:
    """Exif orientation, 1 to 8; 1 (upright) when the file does not state it."""
    for marker, start, end in _segments(data):
        if marker == _SCAN:
            break
        if marker == _EXIF and data[start : start + 6] == b"Exif\0\0":
            return _exif_orientation(data[start + 6 : end])
    return 1


def _segments(data: bytes) -> Iterator[tuple[int, int, int]]:
    """Markers in order, each with the start and end of what its length field covers."""
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
        yield marker, start, end
        if marker == END[1]:
            return
        at = max(end, start)


def _exif_orientation(tiff: bytes) -> int:
    order = {b"II": "little", b"MM": "big"}.get(tiff[:2])
    if order is None:
        return 1

    def number(at: int, length: int) -> int:
        return int.from_bytes(tiff[at : at + length], order)  # type: ignore[arg-type]

    directory = number(4, 4)
    for entry in range(number(directory, 2)):
        at = directory + 2 + 12 * entry
        if number(at, 2) == _ORIENTATION_TAG:
            value = number(at + 8, 2)
            return value if 1 <= value <= 8 else 1
    return 1
