"""Films as MOTChallenge writes them: img1, gt/gt.txt and seqinfo.ini of each sequence."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

from centernet.datasets.toy.motion import Frame, Track
from centernet.datasets.toy.pictures import write_jpeg

RATE = 12  # frames a second


def write_mot(folder: Path, split: str, films: Iterable[list[Frame]]) -> None:
    """Write each film to `folder`/<split>/toy-<split>-NN."""
    for number, frames in enumerate(films, start=1):
        target = folder / split / f"toy-{split}-{number:02d}"
        for part in ("img1", "gt"):
            (target / part).mkdir(parents=True)
        rows = []
        for count, frame in enumerate(frames, start=1):
            write_jpeg(target / "img1" / f"{count:06d}.jpg", frame.image)
            rows += [track_row(count, track) + "\n" for track in frame.tracks]
        (target / "gt" / "gt.txt").write_text("".join(rows))
        (target / "seqinfo.ini").write_text(sequence_text(target.name, frames))


def track_row(frame: int, track: Track) -> str:
    """frame, identity, left, top, width, height, 1 = counts, class 1, visible share.

    The format counts frames from 1, and pixels too: the upper left pixel is (1, 1).
    """
    x, y, width, height = track.box
    return f"{frame},{track.identity},{x + 1},{y + 1},{width},{height},1,1,{track.visible:.5f}"


def sequence_text(name: str, frames: list[Frame]) -> str:
    """The contents of seqinfo.ini."""
    height, width = frames[0].image.shape[:2]
    return (
        f"[Sequence]\nname={name}\nimDir=img1\nframeRate={RATE}\nseqLength={len(frames)}\n"
        f"imWidth={width}\nimHeight={height}\nimExt=.jpg\n"
    )
