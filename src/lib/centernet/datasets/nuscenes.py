"""nuScenes v1.0: six cameras a sample, cuboids, identities; measured by NDS and mAP.

<data_dir>/nuscenes/{v1.0-trainval, v1.0-mini}/*.json and samples/CAM_*/*.jpg
"""

from __future__ import annotations

import json
from collections.abc import Collection, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from centernet.datasets.absent import absent
from centernet.datasets.evaluate.evaluation import Evaluation
from centernet.datasets.evaluate.nuscenes import ERRORS, MOST, Boxes3D, evaluate_nuscenes
from centernet.datasets.inspect import Report, checked
from centernet.datasets.nuscenes_table import CLASSES, View, table_of, views_of
from centernet.datasets.nuscenes_tables import Record, Tables
from centernet.datasets.source import Info
from centernet.datasets.table_source import TableSource
from centernet.io.files import write_text
from centernet.runtime.errors import UserError

if TYPE_CHECKING:
    from centernet.structures.detections import Detections

NUSCENES = Info(
    name="nuscenes",
    class_names=CLASSES,
    category_ids=tuple(range(1, len(CLASSES) + 1)),
    provides=frozenset({"boxes", "cuboids", "identities"}),
    resolution=(448, 800),
    max_objects=128,
)
VERSIONS = ("v1.0-trainval", "v1.0-mini")
# Numbers of the scenes that validate, as published; of the mini set too.
_VAL = (
    "3 12-18 35-36 38-39 92-110 221 268-278 329-332 344-346 519-524 552-565 625-627 629-630 632-638"
    " 770-771 775 777-778 780-784 794-800 802 904-917 919-931 962-963 966-969 971-972 1059-1073"
)
_MINI_VAL = "103 916"


class NuscenesSource(TableSource):
    """Images of all cameras; `views` tell velocities and attributes of the objects as well."""

    def __init__(
        self, *args: Any, tables: Tables, views: Sequence[View], scenes: list[Record], **facts: Any
    ) -> None:
        super().__init__(*args, **facts)
        self.tables, self.views, self.scenes = tables, views, scenes

    @property
    def metric_names(self) -> tuple[str, ...]:
        return ("NDS", "mAP", "mATE", "mASE", "mAOE", "mAVE", "mAAE")

    def evaluate(self, results: Mapping[int | str, Detections], folder: Path) -> Evaluation:
        """NDS, mAP and the errors of true positives; COCO's AP of detections without cuboids.

        `results.json` is what the benchmark takes: the boxes of all cameras of a sample,
        the 500 best. Velocities are told as 0.
        """
        if not any(found.cuboids is not None for found in results.values()):
            return super().evaluate(results, folder)
        tokens = [row["token"] for scene in self.scenes for row in self.tables.samples_of(scene)]
        rows: dict[str, list[dict[str, Any]]] = {token: [] for token in tokens}
        for index, view in enumerate(self.views):
            found = results.get(self.image_id(index))
            if found is not None:
                rows[view.sample["token"]] += submission_rows(view, found)
        best = {t: sorted(r, key=lambda b: -b["detection_score"])[:MOST] for t, r in rows.items()}
        meta = {f"use_{name}": name == "camera" for name in _SENSORS}
        text = json.dumps({"meta": meta, "results": best})
        write_text(Path(folder) / "results.json", text)
        samples = {token: row for row, token in enumerate(tokens)}
        truth, points = self.tables.truth(samples)
        boxes = Boxes3D.of([row for each in best.values() for row in each], samples)
        scores = evaluate_nuscenes(truth, boxes, self.tables.centres(samples), points)
        per_class = {
            name: {"AP": ap, **scores.label_tp_errors[name]}
            for name, ap in scores.mean_dist_aps.items()
        }
        return Evaluation(scores.metrics(), per_class=per_class, table=_table(per_class))


_SENSORS = ("camera", "lidar", "radar", "map", "external")


def _table(per_class: Mapping[str, Mapping[str, float]]) -> str:
    heads = ("AP", *ERRORS)
    lines = [f"{'nuScenes':<22}" + "".join(f"{head:>11}" for head in heads)]
    for name, values in per_class.items():
        lines.append(f"{name:<22}" + "".join(f"{values[head]:11.4f}" for head in heads))
    return "\n".join(lines)


def submission_rows(view: View, found: Detections) -> list[dict[str, Any]]:
    """The boxes of one image in global coordinates, as a submission has them."""
    solid = found.cuboids
    if solid is None:
        return []
    turn, shift = view.camera.to_camera
    rows = []
    for row, one in enumerate(found):
        height, width, length = solid.dimensions[row].tolist()
        middle = solid.locations[row].astype(np.float64) - np.array([0, height / 2, 0])
        yaw = float(solid.rotations[row])
        heading = turn.T @ np.array([np.cos(yaw), 0, -np.sin(yaw)])
        half = float(np.arctan2(heading[1], heading[0])) / 2
        rows.append(
            {
                "sample_token": view.sample["token"],
                "translation": (turn.T @ (middle - shift)).tolist(),
                "size": [width, length, height],
                "rotation": [float(np.cos(half)), 0.0, 0.0, float(np.sin(half))],
                "velocity": [0.0, 0.0],
                "detection_name": CLASSES[one.index],
                "detection_score": one.score,
                "attribute_name": _USUAL.get(CLASSES[one.index], ""),
            }
        )
    return rows


# The attribute that a class is given where none is predicted: the commonest of the training part.
_USUAL = {
    **dict.fromkeys(("car", "truck", "trailer", "construction_vehicle"), "vehicle.parked"),
    "bus": "vehicle.moving",
    "pedestrian": "pedestrian.moving",
    "motorcycle": "cycle.without_rider",
    "bicycle": "cycle.without_rider",
}


def open_nuscenes(
    split: str,
    data_dir: Path,
    *,
    image_dir: Path | str | None = None,
    wanted: Collection[str] | None = None,
    strict: bool = False,
    coco_eval: str = "pycocotools",
) -> NuscenesSource:
    """The `split` of v1.0-trainval, or of v1.0-mini where only that is there; test is val."""
    root = Path(image_dir) if image_dir else Path(data_dir) / "nuscenes"
    version = next((name for name in VERSIONS if (root / name).is_dir()), None)
    if version is None:
        raise absent("nuscenes", root / VERSIONS[0], Path(data_dir))
    tables = Tables.read(root / version)
    validate = scene_names(_MINI_VAL if version == "v1.0-mini" else _VAL)
    scenes = [
        row for row in tables.lists["scene"] if (row["name"] in validate) == (split != "train")
    ]
    if not scenes:
        raise UserError(f"{root / version}: no scene of the {split} part in its tables")
    return source_of(tables, scenes, root, wanted=wanted, strict=strict, coco_eval=coco_eval)


def source_of(
    tables: Tables, scenes: list[Record], root: Path, *, strict: bool = False, **facts: Any
) -> NuscenesSource:
    """The images and objects of some scenes."""
    report = Report("nuscenes", strict)
    views = views_of(tables, scenes)
    table = table_of(tables, views)
    kept = checked(table, root, report)
    present = set(kept.image_ids)
    views = [view for row, view in zip(table.image_ids, views, strict=True) if row in present]
    return NuscenesSource(
        NUSCENES, kept, root, report, tables=tables, views=views, scenes=scenes, **facts
    )


def scene_names(numbers: str) -> frozenset[str]:
    """scene-0012, ... of "12-18 35"."""
    names = []
    for word in numbers.split():
        first, _, last = word.partition("-")
        names += [f"scene-{number:04d}" for number in range(int(first), int(last or first) + 1)]
    return frozenset(names)
