"""Files of tracks in the formats of MOTChallenge, KITTI tracking and COCO with videos.

Rows are written as frames come; the files appear when the video ends.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import AbstractContextManager, ExitStack
from pathlib import Path
from tempfile import TemporaryFile
from types import TracebackType
from typing import Any, Protocol, TextIO

from centernet.io.files import atomic_write, free_path
from centernet.structures.detections import Detections

FORMATS = ("mot", "kitti", "coco")
_UNKNOWN = (-10.0, -1.0, -1.0, -1.0, -1000.0, -1000.0, -1000.0, -10.0)  # alpha hwl xyz rotation


class _Writer(Protocol):
    name: str

    def __init__(self, video: str) -> None: ...

    def rows(self, file: TextIO, number: int, name: str, found: Detections) -> None: ...

    def end(self, file: TextIO) -> None: ...


class TrackFiles(AbstractContextManager["TrackFiles"]):
    """The files of one video, `folder`/<video>_mot.txt, _kitti.txt and _coco.json."""

    def __init__(self, folder: Path, video: str, formats: tuple[str, ...]) -> None:
        makers: dict[str, type[_Writer]] = {"mot": Mot, "kitti": Kitti, "coco": CocoVideo}
        self.paths: list[Path] = []
        self._open = ExitStack()
        self._writers: list[tuple[_Writer, TextIO]] = []
        for each in formats:
            writer = makers[each](video)
            path = free_path(Path(folder) / f"{video}_{writer.name}")
            temporary = self._open.enter_context(atomic_write(path))
            file = self._open.enter_context(temporary.open("w", encoding="utf-8"))
            self._writers.append((writer, file))
            self.paths.append(path)
        self._frames = 0

    def add(self, name: str, found: Detections) -> None:
        """The next frame, called `name`; objects without identity are not written."""
        self._frames += 1
        if found.identities is None:
            found = found.select([])
        for writer, file in self._writers:
            writer.rows(file, self._frames, name, found)
            file.flush()

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        for writer, file in self._writers:
            writer.end(file)
        self._open.close()  # what was tracked until an interruption is kept


class Mot:
    """frame (from 1), id, left, top, width, height, score, -1, -1, -1."""

    name = "mot.txt"

    def __init__(self, video: str) -> None: ...

    def rows(self, file: TextIO, number: int, name: str, found: Detections) -> None:
        for row, (x1, y1, x2, y2) in enumerate(found.boxes.tolist()):
            box = f"{x1:.2f},{y1:.2f},{x2 - x1:.2f},{y2 - y1:.2f}"
            file.write(f"{number},{_id(found, row)},{box},{found.scores[row]:.4f},-1,-1,-1\n")

    def end(self, file: TextIO) -> None: ...


class Kitti:
    """frame (from 0) id type -1 -1 alpha x1 y1 x2 y2 h w l x y z rotation score."""

    name = "kitti.txt"

    def __init__(self, video: str) -> None: ...

    def rows(self, file: TextIO, number: int, name: str, found: Detections) -> None:
        for row, solid in enumerate(_solids(found)):
            values = [solid[0], *found.boxes[row].tolist(), *solid[1:], float(found.scores[row])]
            kind = found.class_name(int(found.classes[row])).replace(" ", "_")
            numbers = " ".join(f"{value:.6f}" for value in values)
            file.write(f"{number - 1} {_id(found, row)} {kind} -1 -1 {numbers}\n")

    def end(self, file: TextIO) -> None: ...


class CocoVideo:
    """One json with videos, images (frame_id from 1), categories and annotations (track_id)."""

    name = "coco.json"

    def __init__(self, video: str) -> None:
        self._video = video
        self._count = 0
        self._images = TemporaryFile("w+", encoding="utf-8")  # noqa: SIM115 - closed in end
        self._names: tuple[str, ...] = ()
        self._begun = False

    def rows(self, file: TextIO, number: int, name: str, found: Detections) -> None:
        file.write("" if self._begun else '{"annotations": [\n')
        self._begun = True
        self._names = found.class_names or self._names
        size = found.image_size or (0, 0)
        image = {"id": number, "file_name": name, "video_id": 1, "frame_id": number}
        image |= {"height": int(size[0]), "width": int(size[1])}
        self._images.write(("" if number == 1 else ",\n") + json.dumps(image))
        ids = range(1, 1 + max(len(self._names), int(found.classes.max(initial=-1)) + 1))
        for row, entry in enumerate(found.to_coco(number, ids)):
            self._count += 1
            _, _, width, height = entry["bbox"]
            entry |= {"id": self._count, "track_id": _id(found, row), "video_id": 1}
            entry |= {"area": round(width * height, 2), "iscrowd": 0}
            file.write((",\n" if self._count > 1 else "") + json.dumps(entry))

    def end(self, file: TextIO) -> None:
        categories = [{"id": i, "name": name} for i, name in enumerate(self._names, start=1)]
        file.write("\n]" if self._begun else '{"annotations": []')
        file.write(f',\n"videos": {json.dumps([{"id": 1, "file_name": self._video}])}')
        file.write(f',\n"categories": {json.dumps(categories)},\n"images": [\n')
        self._images.seek(0)
        for line in self._images:
            file.write(line)
        self._images.close()
        file.write("\n]}\n")


def _id(found: Detections, row: int) -> int:
    assert found.identities is not None
    return int(found.identities[row])


def _solids(found: Detections) -> Iterator[list[Any]]:
    """alpha, height, width, length, x, y, z, rotation of each object; KITTI's unknown values."""
    for row in range(len(found)):
        solid = found.cuboids
        if solid is None:
            yield list(_UNKNOWN)
            continue
        yield [
            float(solid.alphas[row]),
            *solid.dimensions[row].tolist(),
            *solid.locations[row].tolist(),
            float(solid.rotations[row]),
        ]
