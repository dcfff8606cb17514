"""MOTChallenge (MOT15, 16, 17, 20): pedestrians with identities, the folders as they come.

<data_dir>/mot17/{train,test}/MOT17-02-FRCNN/{img1,gt/gt.txt,det/det.txt,seqinfo.ini}
"""

from __future__ import annotations

import re
from collections.abc import Collection, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from centernet.datasets.absent import absent
from centernet.datasets.evaluate.evaluation import Evaluation
from centernet.datasets.evaluate.mot_rules import DISTRACTORS, PEDESTRIAN, countable, rows_of
from centernet.datasets.evaluate.track_table import write_tracks
from centernet.datasets.evaluate.tracking import Scores, metrics, table
from centernet.datasets.inspect import Report, checked
from centernet.datasets.mot_files import MotVideo, mot_lines, read_sequence
from centernet.datasets.source import Info
from centernet.datasets.table import Table
from centernet.datasets.table_source import TableSource
from centernet.datasets.videos import Videos
from centernet.io.files import write_text
from centernet.runtime.errors import UserError

if TYPE_CHECKING:
    from centernet.structures.detections import Detections

VISIBLE = 0.25  # share of an object that must be seen for it to be learned
IGNORED = -1  # class of a region that counts neither way
RESULTS = "results_mot"  # folder of the result files
MOT = Info(
    name="mot",
    class_names=("pedestrian",),
    category_ids=(1,),
    provides=frozenset({"boxes", "identities"}),
    resolution=(544, 960),
    max_objects=256,
)
_DETECTOR = re.compile(r"-(DPM|FRCNN|SDP)$")
_VERSION = re.compile(r"^(\d{0,2})_?(half|halftrain|halfval|train_half|val_half|trainval|test)?$")


class MotSource(TableSource):
    """Videos of MOTChallenge. Tracks are measured by HOTA, MOTA, IDF1; detections by COCO's AP."""

    def __init__(self, *args: Any, videos: Sequence[MotVideo], origin: int, **facts: Any) -> None:
        super().__init__(*args, **facts)
        self.videos, self.origin = videos, origin

    def evaluate(self, results: Mapping[int | str, Detections], folder: Path) -> Evaluation:
        """HOTA, DetA, AssA, MOTA, IDF1 and switches of tracks; AP of plain detections.

        Writes results_mot/<video>.txt. The benchmark's rules on distractors and ignored objects are
        those of the videos' names.
        """
        if not any(found.identities is not None for found in results.values()):
            return super().evaluate(results, folder)
        write_tracks(folder, results)
        scores: dict[str, Scores] = {}
        for video, frames in zip(self.videos, self.sequences(), strict=True):
            found = [results.get(self.image_id(index)) for index in frames]
            rows = track_rows(found, self.table.videos.frame[frames], self.origin)  # type: ignore[union-attr]
            write_text(Path(folder) / RESULTS / f"{video.name}.txt", mot_lines(rows))
            if video.truth is not None:
                length = int(self.table.videos.frame[frames].max(initial=0))  # type: ignore[union-attr]
                counted = countable(video.counted(), rows_of(rows), video.benchmark, length)
                scores[video.name] = Scores.of(*counted, length)
        if not scores:
            place = (Path(folder) / RESULTS).absolute()
            return Evaluation({"MOTA": -1.0}, table=f"no truth to compare with: {place}")
        by_class = {self.info.class_names[0]: scores}
        values = metrics(by_class)
        per_video = {name: _shown(score) for name, score in scores.items()}
        return Evaluation(
            {"MOTA": values.pop("MOTA"), **values}, per_class=per_video, table=table(by_class)
        )


def _shown(scores: Scores) -> dict[str, float]:
    values = scores.metrics()
    return {name: values[name] for name in ("MOTA", "HOTA", "IDF1", "IDSW")}


def track_rows(
    found: Sequence[Detections | None], frames: NDArray[np.int64], origin: int = 0
) -> NDArray[np.float64]:
    """(N, 7) frame, id, left, top, width, height, score of tracked detections, frame by frame."""
    parts = [np.zeros((0, 7))]
    for number, each in zip(frames.tolist(), found, strict=True):
        if each is None or each.identities is None:
            continue
        corners = each.boxes.astype(np.float64)
        head = np.stack([np.full(len(each), number), each.identities], axis=1)
        size = corners[:, 2:] - corners[:, :2]
        parts.append(np.hstack([head, corners[:, :2] + origin, size, each.scores[:, None]]))
    return np.concatenate(parts)


def open_mot(
    split: str,
    data_dir: Path,
    *,
    dataset_version: str = "",
    image_dir: Path | str | None = None,
    wanted: Collection[str] | None = None,
    strict: bool = False,
    coco_eval: str = "pycocotools",
) -> MotSource:
    """The `split` of MOT15, 16, 17 or 20 beneath `data_dir`.

    `dataset_version` is a year, a part or both ("17half", "20trainval", "17test"). Of a half
    version, the default, the first half of every training video is trained on and the second
    validates; "trainval" trains on all of them. Of three copies of one video (-DPM, -FRCNN, -SDP)
    the -FRCNN one is taken, of the test part all.
    """
    match = _VERSION.match(dataset_version)
    if match is None:
        raise UserError(
            f"--dataset_version {dataset_version}: for --dataset mot a year (15, 16, 17, 20) with"
            " half, trainval or test, such as 17half"
        )
    root = Path(image_dir) if image_dir else _root(Path(data_dir), match[1])
    testing = split == "test" or match[2] == "test"
    part = "test" if testing else "train"
    if not (root / part).is_dir():
        raise absent("mot", root / part, Path(data_dir))
    half = None if testing or (match[2] == "trainval" and split == "train") else split == "train"
    return open_mot_folder(
        root / part,
        MOT,
        half=half,
        every=testing,
        wanted=wanted,
        strict=strict,
        coco_eval=coco_eval,
    )


def _root(data_dir: Path, year: str) -> Path:
    """The folder of the set: mot<year>, MOT<year> or the only one there is."""
    names = [f"mot{year}", f"MOT{year}"] if year else []
    names += [] if year else [f"{word}{y}" for y in (17, 16, 20, 15) for word in ("mot", "MOT")]
    for folder in (*(data_dir / name for name in names), data_dir):
        if (folder / "train").is_dir() or (folder / "test").is_dir():
            return folder
    raise absent("mot", data_dir / (names[0] if year else "mot17"), data_dir)


def open_mot_folder(
    folder: Path,
    info: Info,
    *,
    half: bool | None = None,
    every: bool = False,
    origin: int = 0,
    wanted: Collection[str] | None = None,
    strict: bool = False,
    coco_eval: str = "pycocotools",
) -> MotSource:
    """All videos of a folder; `half` True is the first half of each, False the second.

    `every` takes all copies of a video. `origin` is what the files call the first pixel; 0 takes
    their numbers as they are, as published, though MOTChallenge counts from 1.
    """
    report = Report(info.name, strict)
    names = sorted(path for path in folder.iterdir() if (path / "img1").is_dir())
    if not names:
        raise UserError(f"{folder.absolute()}: no video such as MOT17-02-FRCNN with img1 in it")
    copies = [path for path in names if _DETECTOR.search(path.name)]
    if not every and any(path.name.endswith("-FRCNN") for path in copies):
        names = [path for path in names if path not in copies or path.name.endswith("-FRCNN")]
    videos = [read_sequence(path, report) for path in names]
    if half is not None:
        videos = [video.half(half) for video in videos]
    if not every:
        untold = [video.name for video in videos if video.truth is None]
        if len(untold) == len(videos):
            raise UserError(f"{names[0].absolute()}: no gt/gt.txt, nothing to learn or measure")
    table = checked(mot_table(videos, folder, origin), folder, report)
    return MotSource(
        info,
        table,
        folder,
        report,
        wanted=wanted,
        coco_eval=coco_eval,
        videos=videos,
        origin=origin,
    )


def mot_table(videos: Sequence[MotVideo], folder: Path, origin: int = 0) -> Table:
    """Images and the objects that are learned: pedestrians that are seen, regions to ignore.

    Identities are unique over all videos.
    """
    lengths = [len(video.images) for video in videos]
    starts = np.concatenate([[0], np.cumsum(lengths)]).astype(np.int64)
    rows, image, identity, next_identity = [np.zeros((0, 9))], [], [], 1
    for video, start in zip(videos, starts, strict=False):
        kept = _learned(video)
        known, place = np.unique(kept[:, 1], return_inverse=True)
        rows.append(kept)
        image.append(start + kept[:, 0].astype(np.int64) - 1)
        identity.append(place.reshape(-1) + next_identity)
        next_identity += len(known)
    objects = np.concatenate(rows)
    boxes = objects[:, 2:6].copy()
    boxes[:, :2] -= origin
    none = np.zeros(0, np.int64)
    return Table(
        image_ids=list(range(1, int(starts[-1]) + 1)),
        files=np.array([str(p.relative_to(folder)) for v in videos for p in v.images], np.str_),
        sizes=np.repeat([video.size for video in videos], lengths, axis=0).reshape(-1, 2),
        image=np.concatenate([none, *image]),
        ids=np.arange(1, len(objects) + 1),
        classes=np.where(objects[:, 7] == PEDESTRIAN, 0, IGNORED),
        boxes=boxes,
        areas=boxes[:, 2] * boxes[:, 3],
        crowd=objects[:, 7] != PEDESTRIAN,
        identities=np.concatenate([none, *identity]),
        videos=Videos(
            [video.name for video in videos],
            np.repeat(np.arange(len(videos)), lengths),
            np.concatenate([none, *(np.arange(1, n + 1) for n in lengths)]),
        ),
    )


def _learned(video: MotVideo) -> NDArray[np.float64]:
    """(N, 9) rows that count in training: flagged, visible, pedestrian or a distractor."""
    if video.truth is None:
        return np.zeros((0, 9))
    table = np.ones((len(video.truth), 9))
    width = min(video.truth.shape[1], 9)
    table[:, :width] = video.truth[:, :width]
    if width < 9 or video.truth.shape[1] == 10:  # MOT15: x y z in the place of class and share
        table[:, 7:] = 1
    kinds = np.isin(table[:, 7], (PEDESTRIAN, *DISTRACTORS["MOT17"]))
    return table[(table[:, 6] != 0) & (table[:, 8] >= VISIBLE) & kinds]
