"""KITTI's tracking benchmark: cars, pedestrians and cyclists with identities and cuboids.

<data_dir>/kitti_tracking/training/{image_02/0000/000000.png, label_02/0000.txt, calib/0000.txt}
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from centernet.datasets.absent import absent
from centernet.datasets.calibration import read_calibration
from centernet.datasets.evaluate.evaluation import Evaluation
from centernet.datasets.evaluate.kitti_tracks import (
    DONT_CARE,
    KittiTracks,
    countable_kitti,
    read_kitti_tracks,
)
from centernet.datasets.evaluate.track_table import write_tracks
from centernet.datasets.evaluate.tracking import METRICS, Scores, table
from centernet.datasets.inspect import Report, checked
from centernet.datasets.kitti import OTHER_TYPES
from centernet.datasets.mot_files import numbered_images
from centernet.datasets.published import KITTI
from centernet.datasets.table import Table
from centernet.datasets.table_source import TableSource
from centernet.datasets.videos import Videos
from centernet.io.files import write_text
from centernet.runtime.errors import UserError
from centernet.structures.objects import Cuboids

if TYPE_CHECKING:
    from centernet.structures.detections import Detections

MEASURED = ("car", "pedestrian")
RESULTS = "results_kitti_tracking"
FACTS = replace(
    KITTI, name="kitti_tracking", provides=frozenset({"boxes", "cuboids", "identities"})
)
_UNKNOWN = (-10.0, -1.0, -1.0, -1.0, -1000.0, -1000.0, -1000.0, -10.0)


@dataclass(frozen=True)
class KittiVideo:
    """One sequence, or a part of it; frames of the labels are counted from 0 within the part."""

    name: str
    images: Sequence[Path]
    labels: KittiTracks
    camera: np.ndarray  # (3, 4)

    def half(self, first: bool) -> KittiVideo:
        """The first n // 2 of n frames, or the rest, as CenterTrack splits."""
        cut = len(self.images) // 2
        low, high = (0, cut) if first else (cut, len(self.images))
        frame = self.labels.rows.frame
        labels = self.labels.select((frame >= low) & (frame < high))
        labels = replace(labels, rows=replace(labels.rows, frame=labels.rows.frame - low))
        return replace(self, images=self.images[low:high], labels=labels)


class KittiTrackingSource(TableSource):
    """Sequences measured as KITTI measures tracks: cars and pedestrians, each by itself."""

    def __init__(self, *args: Any, videos: Sequence[KittiVideo], **facts: Any) -> None:
        super().__init__(*args, **facts)
        self.videos = videos

    def evaluate(self, results: Mapping[int | str, Detections], folder: Path) -> Evaluation:
        """MOTA, HOTA, IDF1, ... of cars; all of them for each class. AP of plain detections.

        Writes results_kitti_tracking/<sequence>.txt.
        """
        if not any(found.identities is not None for found in results.values()):
            return super().evaluate(results, folder)
        write_tracks(folder, results)
        by_class: dict[str, dict[str, Scores]] = {name: {} for name in MEASURED}
        for video, frames in zip(self.videos, self.sequences(), strict=True):
            found = [results.get(self.image_id(index)) for index in frames]
            path = Path(folder) / RESULTS / f"{video.name}.txt"
            write_text(path, kitti_lines(found, self.info.class_names))
            tracks = read_kitti_tracks(path)
            for name, scores in by_class.items():
                counted = countable_kitti(video.labels, tracks, name, len(frames))
                scores[video.name] = Scores.of(*counted, len(frames))
        totals = {n: Scores.total(list(s.values())).metrics() for n, s in by_class.items()}
        first = totals[MEASURED[0]]
        return Evaluation(
            {"MOTA": first["MOTA"], **{name: first[name] for name in METRICS}},
            per_class={n: {m: values[m] for m in METRICS} for n, values in totals.items()},
            table=table(by_class),
        )


def kitti_lines(found: Sequence[Detections | None], names: Sequence[str]) -> str:
    """The result file of one video: frames from 0, what is unknown as KITTI writes it."""
    lines = []
    for frame, each in enumerate(found):
        if each is None or each.identities is None:
            continue
        solid = each.cuboids
        for row, identity in enumerate(each.identities.tolist()):
            values = list(_UNKNOWN)
            if solid is not None:
                values = [float(solid.alphas[row]), *solid.dimensions[row].tolist()]
                values += [*solid.locations[row].tolist(), float(solid.rotations[row])]
            numbers = [values[0], *each.boxes[row].tolist(), *values[1:], float(each.scores[row])]
            text = " ".join(f"{value:.6f}" for value in numbers)
            lines.append(f"{frame} {identity} {names[int(each.classes[row])]} -1 -1 {text}\n")
    return "".join(lines)


def open_kitti_tracking(
    split: str,
    data_dir: Path,
    *,
    dataset_version: str = "",
    image_dir: Path | str | None = None,
    wanted: Collection[str] | None = None,
    strict: bool = False,
    coco_eval: str = "pycocotools",
) -> KittiTrackingSource:
    """The first half of each training sequence, or ("val", "test") the second.

    `dataset_version` "train" trains on all frames.
    """
    if dataset_version not in ("", "half", "train"):
        raise UserError(
            f"--dataset_version {dataset_version}: for --dataset kitti_tracking half or train"
        )
    root = Path(image_dir) if image_dir else Path(data_dir) / "kitti_tracking"
    if (root / "training").is_dir():
        root = root / "training"
    if not (root / "label_02").is_dir():
        raise absent("kitti_tracking", root / "label_02", Path(data_dir))
    report = Report("kitti_tracking", strict)
    videos = [read_video(root, path) for path in sorted((root / "label_02").glob("*.txt"))]
    if not videos:
        raise UserError(f"{root / 'label_02'}: no file such as 0000.txt")
    if split != "train" or dataset_version != "train":
        videos = [video.half(split == "train") for video in videos]
    rows = checked(tracking_table(videos, root), root, report)
    return KittiTrackingSource(
        FACTS, rows, root, report, wanted=wanted, coco_eval=coco_eval, videos=videos
    )


def read_video(root: Path, labels: Path) -> KittiVideo:
    """One sequence by the path of its labels. Raises UserError when a part is absent."""
    images, numbers = numbered_images(root / "image_02" / labels.stem)
    tracks = read_kitti_tracks(labels)
    last = int(tracks.rows.frame.max(initial=0))
    if last >= len(images) or numbers[0] != 0:
        raise UserError(
            f"{labels}: boxes up to frame {last}, but image_02/{labels.stem} has {len(images)}"
            f" frames from {numbers[0]}"
        )
    camera = read_calibration(root / "calib" / labels.name)
    return KittiVideo(labels.stem, images, tracks, camera)


def tracking_table(videos: Sequence[KittiVideo], root: Path) -> Table:
    """Images and objects; types that are no class have KITTI's negative ones."""
    index = {name: place for place, name in enumerate(FACTS.class_names)} | OTHER_TYPES
    index |= {"Person": OTHER_TYPES["Person_sitting"], DONT_CARE: -1}
    lengths = [len(video.images) for video in videos]
    starts = np.concatenate([[0], np.cumsum(lengths)]).astype(np.int64)
    labels = [video.labels for video in videos]
    names = [name for each in labels for name in each.names.tolist()]
    boxes = np.concatenate([np.zeros((0, 4)), *(each.rows.boxes for each in labels)])
    boxes[:, 2:] -= boxes[:, :2]
    solid = np.concatenate([np.zeros((0, 8)), *(each.solid for each in labels)]).astype(np.float32)
    classes = np.array([index.get(name, -99) for name in names], np.int64)
    identity = [each.rows.identity for each in labels]
    most = 1 + max((int(each.max(initial=0)) for each in identity), default=0)
    image = [e.rows.frame + start for e, start in zip(labels, starts, strict=False)]
    none = np.zeros(0, np.int64)
    return Table(
        image_ids=list(range(1, int(starts[-1]) + 1)),
        files=np.array([str(p.relative_to(root)) for v in videos for p in v.images], np.str_),
        sizes=np.zeros((int(starts[-1]), 2), np.int64),
        image=np.concatenate([none, *image]),
        ids=np.arange(1, len(names) + 1),
        classes=classes,
        boxes=boxes,
        areas=boxes[:, 2] * boxes[:, 3],
        crowd=classes < 0,
        identities=np.concatenate(
            [none, *(np.where(i < 0, -1, i + most * v) for v, i in enumerate(identity))]
        ),
        cuboids=Cuboids(solid[:, 1:4], solid[:, 4:7], solid[:, 7], solid[:, 0], solid[:, 6]),
        calibrations=np.repeat([video.camera for video in videos], lengths, axis=0),
        videos=Videos(
            [video.name for video in videos],
            np.repeat(np.arange(len(videos)), lengths),
            np.concatenate([none, *(np.arange(1, n + 1) for n in lengths)]),
        ),
    )
