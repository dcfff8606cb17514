"""The text format of KITTI's objects: a row an object, one file a frame.

A row is: type, truncated, occluded, alpha, left, top, right, bottom, height, width, length, x, y,
z, rotation_y; 15 fields, and a detection has its score as the sixteenth. Boxes are in image pixels,
sizes in metres, x y z the centre of the bottom face in camera coordinates, angles in radians.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from centernet.io.files import write_text
from centernet.runtime.errors import UserError

FIELDS = (
    *("type", "truncated", "occluded", "alpha", "left", "top", "right", "bottom"),
    *("height", "width", "length", "x", "y", "z", "rotation_y", "score"),
)


@dataclass(frozen=True)
class Labels:
    """The N objects of one frame, in the order of their rows.

    Attributes:
        names: the types as written, "DontCare" among them.
        values: (N, 15) float64, the fields after the type; the score of an annotation is 1.
    """

    names: tuple[str, ...]
    values: NDArray[np.float64]

    def __len__(self) -> int:
        return len(self.names)

    @property
    def truncated(self) -> NDArray[np.float64]:
        """(N,) share of the object outside the image, 0 to 1."""
        return self.values[:, 0]

    @property
    def occluded(self) -> NDArray[np.float64]:
        """(N,) 0 visible, 1 partly, 2 largely, 3 unknown."""
        return self.values[:, 1]

    @property
    def alphas(self) -> NDArray[np.float64]:
        """(N,) observation angle; -10 is none."""
        return self.values[:, 2]

    @property
    def boxes(self) -> NDArray[np.float64]:
        """(N, 4) left top right bottom."""
        return self.values[:, 3:7]

    @property
    def dimensions(self) -> NDArray[np.float64]:
        """(N, 3) height width length."""
        return self.values[:, 7:10]

    @property
    def locations(self) -> NDArray[np.float64]:
        """(N, 3) x y z."""
        return self.values[:, 10:13]

    @property
    def rotations(self) -> NDArray[np.float64]:
        """(N,) rotation_y."""
        return self.values[:, 13]

    @property
    def scores(self) -> NDArray[np.float64]:
        """(N,)."""
        return self.values[:, 14]


def read_labels(
    path: str | Path, scored: bool, drop: Callable[[str], None] | None = None
) -> Labels:
    """The objects of one file: annotations of 15 fields or, with `scored`, detections of 16.

    A row that has another number of fields, or a field that is not a finite number, is reported to
    `drop` and left out.

    Raises:
        UserError: the file is missing or, without `drop`, a row is bad; the line names both.
    """
    try:
        text = Path(path).read_text(encoding="utf-8-sig")
    except FileNotFoundError:
        kind = "detections (an empty file is a frame without any)" if scored else "annotations"
        raise UserError(f"{path} does not exist: a KITTI frame needs its file of {kind}") from None
    except (OSError, ValueError) as error:
        raise UserError(f"{path} cannot be read as KITTI labels: {error}") from error
    names: list[str] = []
    values: list[list[float]] = []
    for row, line in enumerate(text.splitlines(), start=1):
        fields = line.split()
        if not fields:
            continue
        try:
            values.append(_numbers(fields, scored))
        except ValueError as error:
            if drop is None:
                raise UserError(f"{path}, row {row}: {error}") from None
            drop(f"row {row}: {error}")
            continue
        names.append(fields[0])
    return Labels(tuple(names), np.array(values, np.float64).reshape(len(names), len(FIELDS) - 1))


def read_folder(folder: str | Path, frames: Iterable[str], scored: bool) -> list[Labels]:
    """The labels of `frames` ("000042") in their order, from the files <frame>.txt in `folder`."""
    return [read_labels(Path(folder) / f"{frame}.txt", scored) for frame in frames]


def write_labels(path: str | Path, labels: Labels, scored: bool) -> Path:
    """Write one file, numbers with two decimals and scores with six, by way of a temporary name."""
    rows = []
    for name, values in zip(labels.names, labels.values, strict=True):
        occluded = f"{values[1]:.0f}"
        fields = [name, f"{values[0]:.2f}", occluded, *(f"{value:.2f}" for value in values[2:14])]
        rows.append(" ".join([*fields, f"{values[14]:.6f}"] if scored else fields) + "\n")
    return write_text(path, "".join(rows))


def _numbers(fields: list[str], scored: bool) -> list[float]:
    """The fifteen numbers after the type; a score of 1 where the row has none."""
    wanted = len(FIELDS) if scored else len(FIELDS) - 1
    if len(fields) != wanted:
        kind = "a detection" if scored else "an annotation"
        raise ValueError(f"{len(fields)} fields where {kind} has {wanted}: {' '.join(fields)}")
    numbers = []
    for field, written in zip(FIELDS[1:], fields[1:], strict=False):
        try:
            number = float(written)
        except ValueError:
            number = math.nan
        if not math.isfinite(number):
            raise ValueError(f"{field} {written!r} is not a finite number")
        numbers.append(number)
    return numbers if scored else [*numbers, 1.0]
