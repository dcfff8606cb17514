"""KITTI's object data set: the folders as they come, one camera matrix an image.

kitti/training/{image_2,label_2,calib}/000042.{png,txt,txt}    kitti/testing/{image_2,calib}/...
kitti/ImageSets_3dop/{train,val,test}.txt   or ImageSets_subcnn/, or ImageSets/
"""

from __future__ import annotations

import json
import os
from collections import Counter
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from centernet.datasets.absent import absent
from centernet.datasets.calibration import read_calibration
from centernet.datasets.evaluate.evaluation import Evaluation
from centernet.datasets.evaluate.kitti import (
    DIFFICULTIES,
    LOOSE,
    METRICS,
    OFFICIAL,
    Table,
    evaluate,
)
from centernet.datasets.evaluate.kitti_labels import Labels, read_folder, read_labels, write_labels
from centernet.datasets.inspect import Report
from centernet.datasets.kitti_plausible import is_unknown, tell_camera, usable_labels
from centernet.datasets.published import KITTI
from centernet.datasets.source import Info, Source
from centernet.io.files import read_lines, write_text
from centernet.io.listing import is_image_name
from centernet.runtime.errors import UserError
from centernet.structures.objects import Cuboids, Objects

if TYPE_CHECKING:
    from centernet.structures.detections import Detections

# Types that are no class: what looks like a class is ignored for it, DontCare for all of them, and
# the rest is background. As published, Truck goes with Car.
OTHER_TYPES = {
    "Van": -3, "Truck": -3, "Person_sitting": -2, "Tram": -99, "Misc": -99, "DontCare": -1,
}  # fmt: skip
SPLITS = ("3dop", "subcnn")
RESULTS = "results"  # folder of the result files
JUDGED = "Car"  # the class whose moderate objects a run is evaluated by, as KITTI ranks methods


@dataclass(frozen=True)
class Frame:
    """One image with its annotations. `labels` is None for a test image, which has none."""

    name: str  # "000042"
    path: Path
    calibration: NDArray[np.float32]  # (3, 4) P2
    labels: Labels | None


def open_kitti(
    split: str,
    data_dir: Path,
    *,
    wanted: Collection[str] | None = None,
    strict: bool = False,
    kitti_split: str = "3dop",
) -> KittiSource:
    """KITTI under `data_dir`/kitti with the lists of one of the published splits.

    Without the folder ImageSets_<kitti_split> the plain ImageSets is taken, which is noted. Raises
    UserError when there is no list, or not one frame of it can be used.
    """
    root = Path(data_dir) / "kitti"
    if kitti_split not in SPLITS:
        raise UserError(f"--kitti_split: choose from {', '.join(SPLITS)}, not '{kitti_split}'")
    own = root / f"ImageSets_{kitti_split}" / f"{split}.txt"
    plain = root / "ImageSets" / f"{split}.txt"
    images = root / ("testing" if split == "test" else "training") / "image_2"
    needed = (root, images, plain if plain.is_file() else own)
    for path in needed:
        if not path.exists():
            raise absent("kitti", path, Path(data_dir))
    if own.is_file() or not plain.is_file():
        return open_kitti_list(root, own, KITTI, strict=strict, testing=split == "test")
    source = open_kitti_list(root, plain, KITTI, strict=strict, testing=split == "test")
    source.report.notes.append(f"kitti: no {own}; the frames of {plain} are taken")
    return source


def open_kitti_list(
    root: Path, path: Path, info: Info, *, strict: bool = False, testing: bool = False
) -> KittiSource:
    """The frames of the folder `root` that the list `path` names, one a line.

    A frame without image, labels or camera is left out, and so is a bad row of labels, each with a
    line that says why (`strict` raises it).
    """
    report = Report(info.name, strict)
    try:
        listed = " ".join(read_lines(path)).split()
    except UserError as error:
        raise UserError(f"{error}; write the names of frames (000042), one a line") from None
    names = list(dict.fromkeys(listed))
    if len(names) < len(listed):
        twice = next(name for name in names if listed.count(name) > 1)
        report.count("frames listed twice, taken once", twice, len(listed) - len(names))
    folder = root / ("testing" if testing else "training")
    images = _images(folder / "image_2")
    frames = [
        frame
        for name in names
        if (frame := _read_frame(name, folder, images, report, testing, info)) is not None
    ]
    if names and not frames:
        first = report.faults[0].removesuffix(", dropped (--strict to stop)")
        raise UserError(f"{path}: not one of its {len(names)} frames can be used; {first}")
    tell_camera([(frame.path, frame.calibration) for frame in frames[:1]], report)
    return KittiSource(info, frames, report)


def _images(folder: Path) -> dict[str, Path]:
    """The images of a folder by their names without suffix."""
    try:
        files = sorted(os.listdir(folder))
    except OSError:
        raise UserError(f"{folder.absolute()}: no such folder of images") from None
    return {os.path.splitext(file)[0]: folder / file for file in files if is_image_name(file)}


def _read_frame(
    name: str,
    folder: Path,
    images: Mapping[str, Path],
    report: Report,
    testing: bool,
    info: Info,
) -> Frame | None:
    if name not in images:
        report.drop(f"frame {name}", "listed but absent", f"no image of it in {folder / 'image_2'}")
        return None
    try:
        calibration = read_calibration(folder / "calib" / f"{name}.txt")
    except UserError as error:
        report.drop(f"frame {name}", "without camera", str(error))
        return None
    labels = None
    if not testing:
        path = folder / "label_2" / f"{name}.txt"
        try:
            labels = read_labels(
                path, scored=False, drop=lambda why: report.drop(str(path), "bad row", why)
            )
        except UserError as error:
            if report.strict:
                raise
            report.drop(f"frame {name}", "without labels", str(error))
            return None
        classes = (*info.class_names, *OTHER_TYPES)
        labels = usable_labels(labels, path, images[name], classes, info.class_names, report)
    return Frame(name, images[name], calibration, labels)


class KittiSource(Source):
    """Frames in the folders of KITTI, evaluated as KITTI does."""

    results_name = "kitti.json"

    def __init__(self, info: Info, frames: Sequence[Frame], report: Report) -> None:
        self.info, self.frames, self.report = info, list(frames), report
        self.strict = report.strict
        self._classes = {**OTHER_TYPES, **{name: c for c, name in enumerate(info.class_names)}}

    def __len__(self) -> int:
        return len(self.frames)

    @property
    def read(self) -> list[str]:
        """Frames and their objects by type."""
        counts = Counter(n for f in self.frames if f.labels is not None for n in f.labels.names)
        kinds = ", ".join(f"{name} {count}" for name, count in counts.most_common(12))
        said = f"{counts.total()} objects ({kinds})" if counts else "no objects"
        lines = [f"{self.info.name}: {len(self)} frames, {said}", *self.report.facts]
        own = sum(counts[name] for name in self.info.class_names)
        if counts and not own:
            lines.append(
                f"{self.info.name}: no object is a {', '.join(self.info.class_names)}: nothing will"
                " be learned"
            )
        return lines

    def only(self, keep: NDArray[np.bool_]) -> KittiSource:
        """A copy with those frames alone."""
        frames = [frame for frame, kept in zip(self.frames, keep, strict=True) if kept]
        return KittiSource(self.info, frames, self.report)

    def image_id(self, index: int) -> str:
        return self.frames[index].name

    def path(self, index: int) -> Path:
        return self.frames[index].path

    def objects(self, index: int) -> Objects:
        """Boxes and cuboids; types that are no class have the negative classes of OTHER_TYPES."""
        frame = self.frames[index]
        labels = frame.labels
        if labels is None:
            return replace(Objects.empty(), calibration=frame.calibration)
        cuboids = Cuboids(
            dimensions=labels.dimensions.astype(np.float32),
            locations=labels.locations.astype(np.float32),
            rotations=labels.rotations.astype(np.float32),
            alphas=labels.alphas.astype(np.float32),
            depths=labels.locations[:, 2].astype(np.float32),
        )
        classes = np.array([self._classes.get(n, -99) for n in labels.names], np.int64)
        # A box without a known cuboid is a region to ignore for its class.
        classes = np.where(is_unknown(labels) & (classes >= 0), -2 - classes, classes)
        return Objects(
            boxes=labels.boxes.astype(np.float32),
            classes=classes,
            ids=np.arange(1, len(labels) + 1),
            cuboids=cuboids,
            calibration=frame.calibration,
        )

    def evaluate(self, results: Mapping[int | str, Detections], folder: Path) -> Evaluation:
        """Write results/<frame>.txt as KITTI takes them, and evaluate those files.

        "AP" is the average precision (0 to 1, over 40 recalls) of moderate cars in 3D at an overlap
        of 0.5: at KITTI's own 0.7 a detector with one eye is too near to 0 to distinguish epochs.
        Detections without cuboids are evaluated in the image, at 0.7. Then every class and metric
        for moderate objects, by name and overlap, and cars as papers before 2019 report them: over
        11 recalls. `kitti.json` has all difficulties and both averages of every class.
        Of unannotated frames only the files are written, and AP is -1.
        """
        place = Path(folder) / RESULTS
        place.mkdir(parents=True, exist_ok=True)
        for frame in self.frames:
            labels = to_labels(results.get(frame.name), self.info.class_names)
            write_labels(place / f"{frame.name}.txt", labels, scored=True)
        truth = [frame.labels for frame in self.frames if frame.labels is not None]
        if len(truth) < len(self.frames):
            reason = f"AP is -1: these frames have no annotations; results in {place.absolute()}"
            return Evaluation({"AP": -1.0}, table=reason)
        found = read_folder(place, [frame.name for frame in self.frames], scored=True)
        # Every recall that is passed counts, so that perfect results are 1 in a small set too.
        tables = [evaluate(truth, found, least, fill_recall=True) for least in (OFFICIAL, LOOSE)]
        titles = ("official", "looser in space")
        shown = [f"{title}: {table}" for table, title in zip(tables, titles, strict=True)]
        solid = any(d.cuboids is not None for d in results.values())
        metrics = METRICS if solid else ("2D",)
        percent = {f"R{points}": _named(tables, points, metrics) for points in (40, 11)}
        write_text(Path(folder) / self.results_name, json.dumps(percent, indent=1) + "\n")
        judged = f"{JUDGED}_3D_0.5" if solid else f"{JUDGED}_2D_0.7"
        moderate = {n: v[DIFFICULTIES.index("moderate")] / 100 for n, v in percent["R40"].items()}
        return Evaluation(
            metrics={"AP": moderate[judged], **moderate, **_eleven_recalls(percent["R11"])},
            per_class=_per_class(moderate, self.info.class_names),
            table="\n".join(shown),
        )


def _per_class(
    moderate: Mapping[str, float], class_names: Sequence[str]
) -> dict[str, dict[str, float]]:
    """{class: {metric: AP}} of names such as Car_3D_0.5."""
    return {
        name: {
            key.removeprefix(f"{name}_"): value
            for key, value in moderate.items()
            if key.startswith(f"{name}_")
        }
        for name in class_names
    }


def to_labels(found: Detections | None, class_names: Sequence[str]) -> Labels:
    """The rows of a result file; what `found` does not say has KITTI's values for unknown."""
    if found is None:
        return Labels((), np.zeros((0, 15)))
    values = np.tile([-1.0, -1, -10, 0, 0, 0, 0, -1, -1, -1, -1000, -1000, -1000, -10, 0],
                     (len(found), 1))  # fmt: skip
    values[:, 3:7], values[:, 14] = found.boxes, found.scores
    solid = found.cuboids
    if solid is not None:
        values[:, 2], values[:, 13] = solid.alphas, solid.rotations
        values[:, 7:10], values[:, 10:13] = solid.dimensions, solid.locations
    return Labels(tuple(class_names[c] for c in found.classes), values)


def _named(tables: Sequence[Table], points: int, metrics: Sequence[str]) -> dict[str, list[float]]:
    """{"Car_3D_0.5": AP in percent for easy, moderate, hard}; 0 for a class never detected."""
    columns = {"2D": 0, "AOS": 0, "BEV": 1, "3D": 2}
    named = {}
    for table in tables:
        found = table.ap(points)
        for name, least in table.overlaps.items():
            for metric in metrics:
                values = found.get((name, metric), np.zeros(len(DIFFICULTIES)))
                named[f"{name}_{metric}_{least[columns[metric]]:g}"] = values.tolist()
    return named


def _eleven_recalls(percent: Mapping[str, Sequence[float]]) -> dict[str, float]:
    """{"Car_3D_0.5_R11_moderate": AP in [0, 1]} of the judged class at each difficulty."""
    return {
        f"{name}_R11_{difficulty}": value / 100
        for name, values in percent.items()
        if name.startswith(f"{JUDGED}_")
        for difficulty, value in zip(DIFFICULTIES, values, strict=True)
    }
