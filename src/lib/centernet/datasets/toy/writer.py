"""Drawing the parts of the toy set to disk: each once, whole or not at all."""

from __future__ import annotations

import json
import os
import shutil
import sys
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import asdict, dataclass
from functools import partial
from pathlib import Path
from typing import Any, TypeVar

from numpy.random import Generator

from centernet.datasets.toy import cuboids, faces, figures, motion, shapes
from centernet.datasets.toy.coco_files import categories, write_coco
from centernet.datasets.toy.kitti_files import write_kitti
from centernet.datasets.toy.mot_files import write_mot
from centernet.datasets.toy.scene import SPLITS, generator
from centernet.io.door import read_json
from centernet.runtime.errors import UserError

VERSION = 4  # of the drawings: raise it whenever they change, and old folders are drawn again
ABANDONED = 600  # seconds after which nobody is still drawing
STAMP = "toy.json"  # written last into the folder of a part

Drawn = TypeVar("Drawn")


@dataclass(frozen=True)
class Part:
    """One kind of scenes: how many by default, how to draw one, how to write those of a split."""

    counts: tuple[int, int]  # of training and validation
    draw: Callable[[Generator], Any]
    write: Callable[[Path, str, int, Iterator[Any]], None]  # folder, split, first number, scenes


@dataclass(frozen=True)
class Stamp:
    """What a folder holds; equal stamps mean equal files."""

    part: str
    version: int
    seed: int
    train: int
    val: int


def _coco(title: str, rows: list[dict[str, Any]]) -> Callable[..., None]:
    def write(folder: Path, split: str, _first: int, scenes: Iterator[Any]) -> None:
        write_coco(folder, split, title, rows, scenes)

    return write


def _mot(folder: Path, split: str, _first: int, films: Iterator[Any]) -> None:
    write_mot(folder, split, films)


PARTS: dict[str, Part] = {
    "shapes": Part((400, 100), shapes.draw_shapes, _coco("instances", categories(shapes.CLASSES))),
    "figures": Part(
        (400, 100),
        figures.draw_figures,
        _coco("person_keypoints", categories({"person": 1}, figures.JOINTS, figures.SKELETON)),
    ),
    "cuboids": Part((1200, 100), cuboids.draw_cuboids, write_kitti),
    "motion": Part((6, 2), motion.draw_motion, _mot),
    "faces": Part(
        (300, 60),
        faces.draw_faces,
        _coco("face_keypoints", categories({"face": 1}, faces.LANDMARKS, faces.SKELETON)),
    ),
}


def write_toy(
    folder: str | Path,
    seed: int = 0,
    parts: Sequence[str] = tuple(PARTS),
    counts: Mapping[str, tuple[int, int]] | None = None,
) -> Path:
    """Draw `parts` into `folder`/<part> unless these very drawings are there already.

    `counts` gives other numbers of training and validation scenes (films, for motion) for some
    parts. Returns the folder. Raises UserError for an unknown part or a folder of somebody else's.
    """
    folder = Path(folder)
    for name in parts:
        if name not in PARTS:
            raise UserError(f"toy set: no part {name!r}; there are {', '.join(PARTS)}")
        train, val = (counts or {}).get(name, PARTS[name].counts)
        stamp = Stamp(name, VERSION, seed, train, val)
        if read_stamp(folder / name) != stamp:
            _replace(folder / name, stamp)
    return folder


def ensure_toy(folder: str | Path, part: str) -> Path:
    """The folder of a part: as it is if it is whole and of this version, else drawn again."""
    folder = Path(folder)
    if read_stamp(folder / part) is None:
        write_toy(folder, parts=[part])
    return folder / part


def read_stamp(folder: Path) -> Stamp | None:
    """What a folder says it holds; None if nothing, another version's, or some files are gone.

    Raises UserError when there is a folder that this program did not write.
    """
    if not folder.exists() or not any(folder.iterdir()):
        return None
    try:
        facts = read_json(folder / STAMP)
        if facts["version"] != VERSION:
            return None
        files = facts.pop("files")
        stamp = Stamp(**facts)
    except (UserError, KeyError, TypeError, AttributeError):
        raise UserError(
            f"{folder}: not a drawn toy set ({STAMP} is missing or damaged); "
            "move this folder away or delete it, and it is drawn again"
        ) from None
    return stamp if _count(folder) == files else None


def _replace(target: Path, stamp: Stamp) -> None:
    """Draw into a folder beside `target` and put it in its place when it is whole."""
    target.parent.mkdir(parents=True, exist_ok=True)
    _sweep(target)
    fresh = target.with_name(f".{target.name}.{os.getpid()}.new")
    stale = target.with_name(f".{target.name}.{os.getpid()}.old")
    try:
        _draw(fresh, stamp)
        with suppress(FileNotFoundError):
            os.replace(target, stale)
        try:
            os.replace(fresh, target)
        except OSError:  # another process was quicker
            if read_stamp(target) != stamp:
                raise
    finally:
        for leftover in (fresh, stale):
            shutil.rmtree(leftover, ignore_errors=True)


def _sweep(target: Path) -> None:
    """Remove what killed processes left beside `target`."""
    for suffix in ("new", "old"):
        for leftover in target.parent.glob(f".{target.name}.*.{suffix}"):
            if time.time() - leftover.stat().st_mtime > ABANDONED:
                shutil.rmtree(leftover, ignore_errors=True)


def _draw(folder: Path, stamp: Stamp) -> None:
    """Draw everything that `stamp` names into an empty folder, and the stamp."""
    part, begin = PARTS[stamp.part], time.perf_counter()
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir()
    first = 0
    for split, count in zip(SPLITS, (stamp.train, stamp.val), strict=True):
        draw = partial(_scene, part.draw, stamp, split)
        report = _Progress(f"drawing toy {stamp.part}, {split}", count)
        part.write(folder, split, first, report.over(map(draw, range(count))))
        first += count
    facts = {**asdict(stamp), "files": _count(folder) + 1}
    (folder / STAMP).write_text(json.dumps(facts) + "\n", encoding="utf-8")
    seconds = time.perf_counter() - begin
    text = f"drew {folder.parent / stamp.part}: {stamp.train} train, {stamp.val} val"
    print(f"{text} ({seconds:.1f} s)", file=sys.stderr)


def _scene(draw: Callable[[Generator], Drawn], stamp: Stamp, split: str, index: int) -> Drawn:
    return draw(generator(stamp.seed, stamp.part, split, index))


def _count(folder: Path) -> int:
    return sum(len(files) for _, _, files in os.walk(folder))


class _Progress:
    """A line that is written over and over, on a terminal only."""

    def __init__(self, title: str, total: int) -> None:
        self.title, self.total = title, total

    def over(self, items: Iterator[Drawn]) -> Iterator[Drawn]:
        """The same items; says from time to time how many there were."""
        terminal = sys.stderr.isatty()
        for number, item in enumerate(items, start=1):
            yield item
            if terminal and (number % 20 == 0 or number == self.total):
                print(f"\r{self.title}: {number}/{self.total}", end="", file=sys.stderr, flush=True)
        if terminal:
            print("\r\033[K", end="", file=sys.stderr, flush=True)
