"""The folders of MOTChallenge as they come: img1, gt/gt.txt, det/det.txt, seqinfo.ini."""

from __future__ import annotations

import configparser
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from centernet.datasets.evaluate.mot_rules import MotTruth, read_mot
from centernet.datasets.inspect import Report
from centernet.io.image import SUFFIXES
from centernet.runtime.errors import UserError

_TRUTH = Path("gt/gt.txt")
_PUBLIC = Path("det/det.txt")


@dataclass(frozen=True)
class MotVideo:
    """One video, or a part of it. Frames are counted from 1 within the part."""

    name: str
    folder: Path
    images: Sequence[Path]  # of the frames
    numbers: NDArray[np.int64]  # (F,) of the frames in the text files of the folder
    size: tuple[int, int]  # height, width; 0 where seqinfo.ini does not say
    rate: float
    truth: NDArray[np.float64] | None  # rows of gt.txt of these frames, counted from 1 here

    @property
    def benchmark(self) -> str:
        """MOT15, MOT16, MOT17 or MOT20, by the name of the video; "" if it tells none."""
        head = self.name.split("-")[0].upper()
        return head if head in ("MOT16", "MOT17", "MOT20") else ""

    def counted(self) -> MotTruth:
        """The truth, as the evaluation reads it."""
        assert self.truth is not None
        return MotTruth.of(self.truth)

    def public(self) -> NDArray[np.float64]:
        """(N, 7) frame (from 1), -1, left, top, width, height, score of the public detections."""
        path = self.folder / _PUBLIC
        return self._of_frames(read_mot(path, 7)[:, :7])

    def _of_frames(self, table: NDArray[np.float64]) -> NDArray[np.float64]:
        """The rows of this part's frames, counted from 1."""
        place = np.searchsorted(self.numbers, table[:, 0])
        inside = place < len(self.numbers)
        inside[inside] = self.numbers[place[inside]] == table[inside, 0]
        kept = table[inside].copy()
        kept[:, 0] = place[inside] + 1
        return kept

    def half(self, first: bool) -> MotVideo:
        """Frames 0 to n // 2 of n, or those after them, as CenterTrack splits."""
        cut = len(self.images) // 2 + 1
        rows = slice(0, cut) if first else slice(cut, None)
        part = replace(self, images=self.images[rows], numbers=self.numbers[rows])
        if self.truth is None:
            return part
        truth = self.truth.copy()
        truth[:, 0] = self.numbers[truth[:, 0].astype(int) - 1]
        return replace(part, truth=part._of_frames(truth))


def read_sequence(folder: Path, report: Report) -> MotVideo:
    """One video of MOTChallenge. Raises UserError when it cannot be used."""
    facts = _facts(folder / "seqinfo.ini")
    inner = folder / facts.get("imdir", "img1")
    images, numbers = numbered_images(inner)
    _compare_length(folder.name, facts, numbers, report)
    size = (_whole(facts, "imheight"), _whole(facts, "imwidth"))
    name = facts.get("name", folder.name)
    video = MotVideo(name, folder, images, numbers, size, float(facts.get("framerate", 30)), None)
    path = folder / _TRUTH
    if not path.is_file():
        return video
    table = read_mot(path, 7)
    if len(table) and (table[:, 1] < 0).all():
        raise UserError(
            f"{path}: every identity is -1: these are detections; boxes alone train ctdet"
            " (--dataset custom), tracking needs an identity for each object"
        )
    here = video._of_frames(table)
    if len(here) < len(table):
        report.notes.append(
            f"{path}: {len(table) - len(here)} of {len(table)} boxes are in frames without image"
        )
    return replace(video, truth=here)


def _facts(path: Path) -> dict[str, str]:
    """Lower-case keys of [Sequence]; nothing where the file is absent."""
    if not path.is_file():
        return {}
    parser = configparser.ConfigParser(interpolation=None)
    try:
        parser.read(path, encoding="utf-8-sig")
    except (configparser.Error, UnicodeDecodeError) as error:
        raise UserError(f"{path}: {str(error).splitlines()[0]}") from None
    return dict(parser["Sequence"]) if parser.has_section("Sequence") else {}


def _whole(facts: dict[str, str], key: str) -> int:
    value = facts.get(key, "0")
    return int(value) if value.isdigit() else 0


def numbered_images(folder: Path) -> tuple[list[Path], NDArray[np.int64]]:
    """Images in the order of their numbers, and the numbers."""
    if not folder.is_dir():
        raise UserError(f"{folder.absolute()}: no such folder of frames")
    paths = [p for p in folder.iterdir() if p.suffix.lower() in SUFFIXES and p.stem.isdigit()]
    if not paths:
        raise UserError(f"{folder.absolute()}: no frames such as 000001.jpg in it")
    paths.sort(key=lambda path: int(path.stem))
    return paths, np.array([int(path.stem) for path in paths], np.int64)


def _compare_length(
    name: str, facts: dict[str, str], numbers: NDArray[np.int64], report: Report
) -> None:
    """Notes where seqinfo.ini or the numbers of the frames tell another length."""
    said = _whole(facts, "seqlength")
    if said and said != len(numbers):
        report.notes.append(
            f"{name}: seqinfo.ini says {said} frames, {len(numbers)} are there; those are taken"
        )
    missing = int(numbers[-1] - numbers[0]) + 1 - len(numbers)
    if missing:
        report.notes.append(f"{name}: {missing} frames are missing between its first and last")


def mot_lines(rows: NDArray[Any], digits: int = 2) -> str:
    """Rows frame, id, left, top, width, height, score as a MOT result file."""
    return "".join(
        f"{int(frame)},{int(identity)},{','.join(f'{v:.{digits}f}' for v in box)},{score:.4f},"
        "-1,-1,-1\n"
        for frame, identity, *box, score in rows.tolist()
    )
