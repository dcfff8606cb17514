"""WIDER FACE (arXiv 1511.06523): faces, five landmarks where a list gives them, its own measure."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from centernet.datasets.absent import absent
from centernet.datasets.evaluate.evaluation import Evaluation
from centernet.datasets.evaluate.wider import LEVELS, wider_curve
from centernet.datasets.inspect import Report, checked
from centernet.datasets.skeleton import flip_pairs
from centernet.datasets.source import Info
from centernet.datasets.table import Table
from centernet.datasets.table_source import TableSource
from centernet.datasets.wider_levels import Levels, read_levels
from centernet.datasets.wider_table import read_faces
from centernet.io.files import write_text

if TYPE_CHECKING:
    from centernet.structures.detections import Detections

LANDMARKS = ("left_eye", "right_eye", "nose", "left_mouth", "right_mouth")  # as seen in the image
SKELETON = ((0, 1), (0, 2), (1, 2), (2, 3), (2, 4), (3, 4))
RESOLUTION = (800, 800)
_BASES = ("widerface", "WIDER", "widerface_val", "")


class FaceSource(TableSource):
    """A table source that is measured as WIDER FACE is."""

    def __init__(self, *args: object, levels: Levels, iou: float, **facts: object) -> None:
        super().__init__(*args, **facts)  # type: ignore[arg-type]
        self.levels, self.iou = levels, iou

    @property
    def metric_names(self) -> tuple[str, ...]:
        return ("AP", *(f"{level}_AP" for level in self.levels))

    def evaluate(self, results: Mapping[int | str, Detections], folder: Path) -> Evaluation:
        """AP of the easy, medium and hard faces ("AP" is that of the hard ones).

        Without the owners' lists "AP" is that of all faces. `wider/<event>/<image>.txt` are the
        files that the owners' program reads.
        """
        faces = {str(name): self.boxes(row) for row, name in enumerate(self.table.image_ids)}
        found = {str(name): _rows(each) for name, each in results.items()}
        for name, rows in found.items():
            write_text(folder / "wider" / Path(name).with_suffix(".txt"), _lines(name, rows))
        metrics = {
            f"{level}_AP": wider_curve(faces, found, rows, self.iou).ap
            for level, rows in self.levels.items()
        }
        overall = metrics.get("hard_AP")
        if overall is None:
            counted = {name: self._valid(row) for row, name in enumerate(faces)}
            overall = wider_curve(faces, found, counted, self.iou).ap
        shown = ", ".join(f"{name} {value:.4f}" for name, value in metrics.items())
        table = f"WIDER FACE at overlap {self.iou:g}: {shown or f'AP of all faces {overall:.4f}'}"
        return Evaluation({"AP": overall, **metrics}, table=table)

    def boxes(self, index: int) -> NDArray[np.float64]:
        """(N, 4) x y width height of all faces of image `index`."""
        return self.table.boxes[self.table.image == index]

    def _valid(self, index: int) -> NDArray[np.int64]:
        return np.flatnonzero(~self.table.crowd[self.table.image == index])


def open_widerface(
    split: str,
    data_dir: Path,
    *,
    wanted: Collection[str] | None = None,
    strict: bool = False,
    iou: float = 0.5,
) -> FaceSource:
    """The `split` of WIDER FACE; "test" is the validation part, the only one with truth."""
    part = "train" if split == "train" else "val"
    base, listed, folder = _find(Path(data_dir), part)
    report = Report("widerface", strict)
    table = checked(read_faces(listed, report), folder, report)
    levels = {} if part == "train" else read_levels(base, table)
    if part == "val" and not levels:
        report.notes.append(
            f"widerface: no wider_{{{','.join(LEVELS)}}}_val.mat and no wider_lists.json beneath"
            f" {base}: AP is that of all faces"
        )
    return FaceSource(
        face_info(table), table, folder, report, wanted=wanted, levels=levels, iou=iou
    )


def face_info(table: Table) -> Info:
    """The facts of a set of faces with the landmarks that its lists give."""
    count = 0 if table.keypoints is None else table.keypoints.shape[1]
    named = count == len(LANDMARKS)
    joints = LANDMARKS if named else tuple(f"landmark_{i + 1}" for i in range(count))
    return Info(
        name="widerface",
        class_names=("face",),
        category_ids=(1,),
        provides=frozenset({"boxes", "keypoints"} if count else {"boxes"}),
        joints=joints,
        flip_pairs=flip_pairs(joints),
        skeleton=SKELETON if named else (),
        resolution=RESOLUTION,
        max_objects=max(32, int(table.objects_per_image().max(initial=0))),
    )


def _find(data_dir: Path, part: str) -> tuple[Path, Path, Path]:
    """(folder of the set, list of faces, folder of the images) of a part."""
    for base in (data_dir / name for name in _BASES):
        for listed, images in (
            (f"wider_face_split/wider_face_{part}_bbx_gt.txt", f"WIDER_{part}/images"),
            (f"{part}/label.txt", f"{part}/images"),
            ("label.txt", "images"),
        ):
            if (base / listed).is_file() and (base / images).is_dir():
                return base, base / listed, base / images
    usual = data_dir / _BASES[0] / "wider_face_split" / f"wider_face_{part}_bbx_gt.txt"
    raise absent("widerface", usual, data_dir)


def _rows(found: Detections) -> NDArray[np.float64]:
    """(M, 5) x y width height score."""
    boxes = np.asarray(found.boxes, np.float64).reshape(-1, 4)
    scores = np.asarray(found.scores, np.float64).reshape(-1, 1)
    return np.hstack([boxes[:, :2], boxes[:, 2:] - boxes[:, :2], scores])


def _lines(name: str, rows: NDArray[np.float64]) -> str:
    """A file as the owners' program reads it: name, number of faces, one a line."""
    faces = [" ".join(f"{value:.4f}" for value in row) for row in rows]
    return "\n".join([Path(name).stem, str(len(rows)), *faces]) + "\n"
