"""The toy set as a data set: drawn on first use, read by the readers of the real formats."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass, replace
from pathlib import Path

from centernet.datasets.coco import open_coco
from centernet.datasets.kitti import open_kitti_list
from centernet.datasets.mot import MOT, open_mot_folder
from centernet.datasets.published import KITTI
from centernet.datasets.source import Source, Triple
from centernet.datasets.toy.writer import PARTS, ensure_toy, read_stamp
from centernet.runtime.errors import UserError

MAX_OBJECTS = 32


@dataclass(frozen=True)
class Reading:
    """How a part is read, and facts measured on it. Colours are BGR, in [0, 1]."""

    annotations: str  # file under annotations/, less the split
    mean: Triple
    std: Triple
    resolution: tuple[int, int] = (128, 128)  # half the images: five minutes on a CPU, not twenty


READINGS = {
    "shapes": Reading("instances", (0.495, 0.484, 0.489), (0.156, 0.158, 0.158)),
    "figures": Reading("person_keypoints", (0.499, 0.502, 0.503), (0.164, 0.165, 0.167)),
    "faces": Reading("face_keypoints", (0.514, 0.515, 0.514), (0.156, 0.156, 0.154)),
}
STREETS = replace(
    KITTI,
    name="toy",
    mean=(0.501, 0.514, 0.459),
    std=(0.226, 0.186, 0.168),
    resolution=(128, 384),
    max_objects=MAX_OBJECTS,
)
FILMS = replace(
    MOT,
    name="toy",
    class_names=("shape",),
    mean=(0.495, 0.484, 0.489),
    std=(0.156, 0.158, 0.158),
    resolution=(128, 192),
    max_objects=MAX_OBJECTS,
)
# The part that has a kind of annotation; whatever is not listed, the shapes have.
PART_WITH = {"cuboids": "cuboids", "identities": "motion", "keypoints": "figures"}


def part_for(wanted: Collection[str]) -> str:
    """The part that provides what a task needs."""
    found = [part for kind, part in PART_WITH.items() if kind in wanted]
    if len(found) > 1:
        raise UserError(
            f"--dataset toy: no part has {' and '.join(sorted(wanted))} at once; "
            f"there are {', '.join(PARTS)}"
        )
    return found[0] if found else "shapes"


def not_yet_drawn(data_dir: Path, wanted: Collection[str]) -> Path | None:
    """The folder that `open_toy` would draw first; None if the part is there already."""
    folder = Path(data_dir) / "toy" / part_for(wanted)
    return folder if read_stamp(folder) is None else None


def open_toy(
    split: str,
    data_dir: Path,
    *,
    wanted: Collection[str] | None = None,
    part: str | None = None,
    strict: bool = False,
    coco_eval: str = "pycocotools",
) -> Source:
    """The `split` of the part of the toy set that has what is `wanted`, or of `part` by name.

    What is missing under `data_dir`/toy is drawn there first. A third split is not drawn: "test"
    is the validation images.
    """
    part = part_for(wanted or ()) if part is None else part
    folder = ensure_toy(Path(data_dir) / "toy", part)
    split = "train" if split == "train" else "val"
    if part == "cuboids":
        return open_kitti_list(
            folder, folder / "ImageSets" / f"{split}.txt", STREETS, strict=strict
        )
    if part == "motion":
        return open_mot_folder(
            folder / split, FILMS, origin=1, wanted=wanted, strict=strict, coco_eval=coco_eval
        )
    facts = READINGS[part]
    return open_coco(
        folder / "annotations" / f"{facts.annotations}_{split}.json",
        folder / split,
        name="toy",
        wanted=wanted,
        strict=strict,
        coco_eval=coco_eval,
        mean=facts.mean,
        std=facts.std,
        resolution=facts.resolution,
        max_objects=MAX_OBJECTS,
    )
