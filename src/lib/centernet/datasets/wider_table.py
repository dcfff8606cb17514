"""WIDER FACE's lists of faces as a table, in both forms that are about.

The owners' `wider_face_train_bbx_gt.txt`: a line with the image, one with the number of faces,
then a face a line: x y width height and six attributes, of which the fourth, 1, means invalid.
The lists of RetinaFace (arXiv 1905.00641), `label.txt`: `# image`, then a face a line: x y width
height, x y state of each landmark (state -1: not there) and a number for the blur.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from centernet.datasets.inspect import Report
from centernet.datasets.table import Table
from centernet.io.files import read_lines
from centernet.runtime.errors import UserError

INVALID = 7  # place of that attribute in a line of the owners' list
SUFFIXES = (".jpg", ".jpeg", ".png", ".webp", ".bmp")


@dataclass
class _Face:
    line: int  # in the list, from 1
    box: list[float]
    marks: list[float]  # x y visibility of each landmark
    ignored: bool


@dataclass
class _Faces:
    file: str
    faces: list[_Face] = field(default_factory=list)


def read_faces(path: Path, report: Report) -> Table:
    """The images of a list and their faces, files as the list names them.

    Every face keeps its row, those that cannot be learned from as regions to ignore: the lists of
    easy and hard faces count rows. UserError if there is no image in the file.
    """
    lines = read_lines(path)
    images = list(_marked(lines, report) if _is_marked(lines) else _counted(lines, report))
    if not images:
        raise UserError(f"{path}: names no image; is it a list of WIDER FACE?")
    return _table(images, path)


def _is_marked(lines: Sequence[str]) -> bool:
    return any(line.startswith("#") for line in lines[:1])


def _marked(lines: Sequence[str], report: Report) -> Iterator[_Faces]:
    current: _Faces | None = None
    for number, line in enumerate(lines, start=1):
        if line.startswith("#"):
            if current is not None:
                yield current
            current = _Faces(line[1:].strip())
        elif line.strip() and current is not None:
            numbers = _numbers(line, number, current.file, report)
            if numbers is not None:
                current.faces.append(_Face(number, numbers[:4], _landmarks(numbers[4:]), False))
    if current is not None:
        yield current


def _landmarks(numbers: Sequence[float]) -> list[float]:
    """x, y, visibility (2 or 0) of each landmark: triples, of which the blur is no part."""
    marks: list[float] = []
    for start in range(0, len(numbers) - 2, 3):
        x, y, state = numbers[start : start + 3]
        there = state >= 0 and x >= 0 and y >= 0
        marks += [x, y, 2.0] if there else [0.0, 0.0, 0.0]
    return marks


def _counted(lines: Sequence[str], report: Report) -> Iterator[_Faces]:
    row = 0
    while row < len(lines):
        name = lines[row].strip()
        row += 1
        if not name:
            continue
        count = lines[row].strip() if row < len(lines) else ""
        if not count.isdecimal():
            report.drop(f"image '{name}'", "no count", f"line {row + 1} has no number of faces")
            continue
        image, wanted = _Faces(name), int(count)
        row += 1
        for number in range(row, row + max(wanted, 1)):  # without faces a line of zeros follows
            text = lines[number] if number < len(lines) else ""
            if not _is_row(text):
                break
            row = number + 1
            numbers = _numbers(text, row, name, report) if wanted else None
            if numbers is not None:
                ignored = len(numbers) > INVALID and numbers[INVALID] == 1
                image.faces.append(_Face(row, numbers[:4], [], ignored))
        if len(image.faces) < wanted:
            report.drop(
                f"image '{name}'", "fewer faces", f"{len(image.faces)} of {wanted} faces are there"
            )
            continue
        yield image


def _is_row(text: str) -> bool:
    """Whether a line holds a face: an image's name is a path with a suffix."""
    return bool(text.strip()) and not text.strip().lower().endswith(SUFFIXES)


def _numbers(text: str, line: int, file: str, report: Report) -> list[float] | None:
    words = text.split()
    try:
        numbers = [float(word) for word in words]
    except ValueError:
        numbers = []
    if len(numbers) < 4:
        report.drop(f"line {line}, '{file}'", "no face", f"'{text[:40]}' is no row of numbers")
        return None
    return numbers


def _table(images: Sequence[_Faces], path: Path) -> Table:
    faces = [(row, face) for row, image in enumerate(images) for face in image.faces]
    boxes = np.array([face.box for _, face in faces], np.float64).reshape(-1, 4)
    empty = ~np.isfinite(boxes).all(axis=1) | ~(boxes[:, 2:] > 0).all(axis=1)
    boxes[empty] = (0.0, 0.0, 1.0, 1.0)
    ignored = np.array([face.ignored for _, face in faces], bool) | empty
    return Table(
        image_ids=[image.file for image in images],
        files=np.array([image.file for image in images], np.str_),
        sizes=np.zeros((len(images), 2), np.int64),
        image=np.array([row for row, _ in faces], np.int64),
        ids=np.array([face.line for _, face in faces], np.int64),
        classes=np.where(ignored, -1, 0),
        boxes=boxes,
        areas=boxes[:, 2] * boxes[:, 3],
        crowd=ignored,
        keypoints=_keypoints(faces, path),
    )


def _keypoints(faces: Sequence[tuple[int, _Face]], path: Path) -> np.ndarray | None:
    """(N, J, 3), zeros for a face without landmarks; None where no face has any."""
    counts = {len(face.marks) // 3 for _, face in faces} - {0}
    if not counts:
        return None
    if len(counts) > 1:
        raise UserError(
            f"{path}: faces have {' and '.join(map(str, sorted(counts)))} landmarks; give each as"
            " many"
        )
    (count,) = counts
    points = np.zeros((len(faces), count, 3), np.float32)
    for row, (_, face) in enumerate(faces):
        if face.marks:
            points[row] = np.array(face.marks, np.float32).reshape(count, 3)
    return points
