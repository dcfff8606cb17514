"""The source behind every format whose annotations fit a table."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from copy import copy
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from numpy.random import Generator
from numpy.typing import NDArray

from centernet.datasets.evaluate.coco import coco_metrics, evaluate_coco
from centernet.datasets.evaluate.evaluation import Evaluation
from centernet.datasets.evaluate.solid import SOLID_METRICS, evaluate_cuboids, is_solid
from centernet.datasets.evaluate.track_table import evaluate_tracks, is_tracked
from centernet.datasets.inspect import Report
from centernet.datasets.source import Info, Source
from centernet.datasets.summary import described
from centernet.datasets.table import Table
from centernet.io.image import ImageError, read_image
from centernet.structures.objects import Objects

if TYPE_CHECKING:
    from centernet.structures.detections import Detections


class TableSource(Source):
    """Images of a folder with the annotations of a table."""

    def __init__(
        self,
        info: Info,
        table: Table,
        folder: Path,
        report: Report,
        *,
        wanted: Collection[str] | None = None,
        upright: bool = False,
        coco_eval: str = "pycocotools",
    ) -> None:
        """`wanted` are the kinds of annotation that `objects` gives besides boxes (None: all).

        `upright` says that the annotations were made on images turned as their Exif orientation
        tells. `report` holds what was left out when the annotations were read.
        """
        self.info, self.table, self.folder, self.report = info, table, folder, report
        self.wanted, self.upright, self.coco_eval = wanted, upright, coco_eval
        self.strict = report.strict

    def __len__(self) -> int:
        return len(self.table)

    def image_id(self, index: int) -> int | str:
        return self.table.image_ids[index]

    def path(self, index: int) -> Path:
        return self.folder / str(self.table.files[index])

    def image(self, index: int) -> NDArray[np.uint8]:
        """(H, W, 3) BGR; an ImageError also when its size is not the annotated one."""
        image = read_image(self.path(index), self.upright)
        height, width = (int(n) for n in self.table.sizes[index])
        found = image.shape[:2]
        if height > 0 and width > 0 and found != (height, width):
            turned = ": annotated on the turned picture?" if found == (width, height) else ""
            raise ImageError(
                f"{self.path(index)}: {found[1]} x {found[0]} pixels, but {self.report.name} says "
                f"{width} x {height}, so its boxes would be misplaced{turned}"
            )
        return image

    def sequences(self) -> Sequence[Sequence[int]]:
        return () if self.table.videos is None else self.table.videos.sequences

    def previous(self, index: int, rng: Generator | None = None, within: int = 3) -> int | None:
        videos = self.table.videos
        return None if videos is None else videos.previous(index, rng, within)

    @property
    def read(self) -> list[str]:
        """Images, objects by class, images and classes without any, and the report's facts."""
        return [described(self.table, self.info), *self.report.facts]

    def only(self, keep: NDArray[np.bool_]) -> TableSource:
        """A copy with those images alone."""
        part = copy(self)
        part.__dict__.pop("dropped", None)
        part.table = self.table.keep_images(np.asarray(keep, bool))
        return part

    def objects(self, index: int) -> Objects:
        return self.table.objects(index, self.wanted)

    @property
    def metric_names(self) -> tuple[str, ...]:
        """COCO's metrics, of keypoints too where they are used."""
        if self.table.cuboids is not None and "cuboids" in (self.wanted or ()):
            return (*SOLID_METRICS, *(f"box_{name}" for name in coco_metrics(False)))
        jointed = self.table.keypoints is not None and "keypoints" in (self.wanted or ())
        return coco_metrics(jointed)

    def evaluate(self, results: Mapping[int | str, Detections], folder: Path) -> Evaluation:
        """COCO's metrics; "AP" is that of keypoints for detections that have them.

        Where both the annotations and the detections have identities in videos, MOTA, HOTA, IDF1;
        where both have cuboids, those of the cuboids, and COCO's of the boxes as "box_AP" and so
        on.
        """
        if is_tracked(self.table, results):
            return evaluate_tracks(self.table, self.info, results, folder)
        if is_solid(self.table, results):
            flat = evaluate_coco(self.table, self.info, results, folder, backend=self.coco_eval)
            solid = evaluate_cuboids(self.table, self.info, results, folder)
            return solid.joined(flat.prefixed("box_"))
        return evaluate_coco(self.table, self.info, results, folder, backend=self.coco_eval)
