"""Segmentations of many objects, packed into a few arrays."""

from __future__ import annotations

from array import array
from collections.abc import Iterable, Sequence
from typing import Any

import cv2
import msgspec
import numpy as np
from numpy.typing import NDArray
from pycocotools import mask as coco_mask

MIN_NUMBERS = 6  # of a polygon: three points
MOST_PIXELS = 178_956_970  # of a mask whose image's size is not known


class Masks:
    """One COCO segmentation a row: `masks[i]` is a list of polygons, a run-length dict or None.

    Millions of coordinates as Python floats would fill the memory of every worker process; here
    they are one float32 array that forked workers share. Rows that state a mask which is none (a
    polygon of fewer than three points or of other things than numbers, runs that do not fill the
    picture) are in `malformed`.
    """

    def __init__(self, segmentations: Iterable[Any], sizes: Iterable[tuple[int, ...]]) -> None:
        """`segmentations` are parsed or json text (msgspec.Raw), None where there is no mask.

        `sizes` are the (height, width) of the images, 0 where they are not known.
        """
        self.runs: dict[int, dict[str, Any]] = {}
        self.malformed: list[int] = []
        numbers = array("f")
        counts, lengths = array("q"), array("q")
        for row, (segmentation, size) in enumerate(zip(segmentations, sizes, strict=True)):
            given = _parsed(segmentation)
            before = len(lengths)
            if isinstance(given, dict):
                runs = _compressed(given, size)
                if runs is not None:
                    self.runs[row] = runs
            elif isinstance(given, list):
                for ring in given:
                    if _added(ring, numbers):
                        lengths.append(len(ring))
            counts.append(len(lengths) - before)
            if given and not counts[-1] and row not in self.runs:
                self.malformed.append(row)
        self.first = np.concatenate([[0], np.cumsum(np.array(counts, np.int64))])  # polygon of row
        self.start = np.concatenate([[0], np.cumsum(np.array(lengths, np.int64))])  # of polygons
        self.numbers = np.array(numbers, np.float32)
        self.rows = np.arange(len(counts))

    def __len__(self) -> int:
        return len(self.rows)

    def __getitem__(self, index: int) -> list[NDArray[np.float32]] | dict[str, Any] | None:
        row = int(self.rows[index])
        if row in self.runs:
            return self.runs[row]
        polygons = range(int(self.first[row]), int(self.first[row + 1]))
        return [self.numbers[self.start[p] : self.start[p + 1]] for p in polygons] or None

    def present(self) -> NDArray[np.bool_]:
        """(N,): whether the object has a mask at all."""
        has = np.diff(self.first) > 0
        has[list(self.runs)] = True
        return has[self.rows]

    def select(self, index: Any) -> Masks:
        """The rows at `index` (mask or integer array); the coordinates are shared."""
        chosen = object.__new__(Masks)
        chosen.__dict__.update(self.__dict__)
        chosen.rows = self.rows[index]
        return chosen


def rasterise(
    masks: Sequence[Any], matrix: NDArray[np.float64], size: tuple[int, int]
) -> NDArray[np.uint8]:
    """Segmentations as maps (N, h, w) of 0 and 1 on a canvas of `size` (h, w); None is empty.

    `matrix` (2, 3) is from the pixels of the image the masks are in to those of the canvas, as
    `View.matrix` has it: the centre of the first pixel is at (0, 0). (COCO's polygons have its
    corner there.) A pixel belongs to a polygon by COCO's own rule, to a run-length mask by the
    pixel of the image that its centre falls on.
    """
    drawn = np.zeros((len(masks), *size), np.uint8)
    for canvas, mask in zip(drawn, masks, strict=True):
        if isinstance(mask, dict):
            inside = coco_mask.decode(mask)
            cv2.warpAffine(inside, matrix, size[::-1], dst=canvas, flags=cv2.INTER_NEAREST)
        elif mask:
            canvas |= _filled([np.reshape(ring, (-1, 2)) for ring in mask], matrix, size)
    return drawn


def _filled(
    rings: list[NDArray[Any]], matrix: NDArray[np.float64], size: tuple[int, int]
) -> NDArray[np.uint8]:
    """The pixels (h, w) inside any of the `rings` (V, 2), which are polygons as COCO has them."""
    moved = [(ring - 0.5) @ matrix[:, :2].T + matrix[:, 2] + 0.5 for ring in rings]
    whole = np.concatenate(moved)
    if (whole.max(0) <= 0).any() or (whole.min(0) >= np.array(size[::-1])).any():
        return np.zeros(size, np.uint8)  # all of it is beside the canvas
    runs = coco_mask.frPyObjects([ring.ravel().tolist() for ring in moved], *size)
    return np.asarray(coco_mask.decode(coco_mask.merge(runs)), np.uint8)


def _parsed(segmentation: Any) -> Any:
    if not isinstance(segmentation, msgspec.Raw):
        return segmentation
    try:
        return msgspec.json.decode(segmentation)
    except (msgspec.DecodeError, RecursionError, UnicodeDecodeError):
        return "no mask"


def _added(ring: Any, numbers: array[float]) -> bool:
    """Whether `ring` is the x y x y ... of a polygon, which then is at the end of `numbers`."""
    if isinstance(ring, np.ndarray):
        ring = ring.tolist()
    if not isinstance(ring, list) or len(ring) < MIN_NUMBERS or len(ring) % 2:
        return False
    before = len(numbers)
    try:
        numbers.fromlist(ring)
    except (TypeError, OverflowError):
        del numbers[before:]
        return False
    if not np.isfinite(np.frombuffer(numbers, np.float32)[before:]).all():
        del numbers[before:]
        return False
    return True


def _compressed(runs: dict[str, Any], size: tuple[int, ...]) -> dict[str, Any] | None:
    """Run lengths as pycocotools works with them: counts as bytes; None if they are none.

    The runs must fill the picture to the pixel: pycocotools writes beyond its memory otherwise.
    """
    counts = runs.get("counts")
    try:
        height, width = (int(side) for side in runs.get("size", size))
        if isinstance(counts, str | bytes):
            text = counts.encode() if isinstance(counts, str) else counts
            lengths = _lengths(text)
        elif isinstance(counts, list):
            lengths = [int(count) for count in counts]
            text = b""
        else:
            return None
    except (TypeError, ValueError, OverflowError, IndexError):
        return None
    if height <= 0 or width <= 0 or min(lengths, default=-1) < 0:
        return None
    if sum(lengths) != height * width or height * width > max(MOST_PIXELS, size[0] * size[1]):
        return None
    if not text:
        found = coco_mask.frPyObjects({"size": [height, width], "counts": lengths}, height, width)
        return {"size": [height, width], "counts": found["counts"]}
    return {"size": [height, width], "counts": text}


def _lengths(text: bytes) -> list[int]:
    """The run lengths of COCO's compressed text; ValueError or IndexError when it is none."""
    lengths: list[int] = []
    at = 0
    while at < len(text):
        value, shift, more = 0, 0, True
        while more:
            letter = text[at] - 48
            if not 0 <= letter < 64 or shift > 60:
                raise ValueError("no run length")
            value |= (letter & 31) << shift
            more = bool(letter & 32)
            shift += 5
            at += 1
            if not more and letter & 16:
                value -= 1 << shift
        lengths.append(value + lengths[-2] if len(lengths) > 2 else value)
    return lengths
