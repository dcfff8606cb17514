"""Streets as the KITTI object data set writes them: image_2, calib, label_2 and ImageSets."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from centernet.datasets.toy.cuboids import Cuboid, Street
from centernet.datasets.toy.pictures import write_png

BASELINE = 0.54  # metres from the left to the right camera of the rig


def write_kitti(folder: Path, split: str, first: int, streets: Iterable[Street]) -> None:
    """Write frames `first`, `first` + 1, ... and list them in ImageSets/<split>.txt."""
    training, lists = folder / "training", folder / "ImageSets"
    for part in (training / "image_2", training / "calib", training / "label_2", lists):
        part.mkdir(parents=True, exist_ok=True)
    names = []
    for number, street in enumerate(streets, start=first):
        name = f"{number:06d}"
        write_png(training / "image_2" / f"{name}.png", street.image)
        (training / "calib" / f"{name}.txt").write_text(calibration_text(street.calibration))
        rows = [label_row(cuboid) + "\n" for cuboid in street.cuboids]
        (training / "label_2" / f"{name}.txt").write_text("".join(rows))
        names.append(name + "\n")
    (lists / f"{split}.txt").write_text("".join(names))


def label_row(cuboid: Cuboid) -> str:
    """The fifteen fields of a label; what cannot be seen becomes a DontCare region."""
    if cuboid.occluded is None:
        box = " ".join(f"{value:.2f}" for value in cuboid.box)
        return f"DontCare -1 -1 -10 {box} -1 -1 -1 -1000 -1000 -1000 -10"
    numbers = (*cuboid.box, *cuboid.dimensions, *cuboid.location, cuboid.rotation_y)
    tail = " ".join(f"{value:.2f}" for value in (cuboid.alpha, *numbers))
    return f"{cuboid.name} {cuboid.truncated:.2f} {cuboid.occluded} {tail}"


def calibration_text(left: NDArray[np.float64]) -> str:
    """The lines of a calib file with `left`, (3, 4), as P2, the left colour camera.

    The other cameras stand where they do on KITTI's car: the reference camera P0 without shift,
    P1 and P3 a baseline to the right.
    """
    inner = left[:, :3]
    reference = np.hstack([inner, np.zeros((3, 1))])
    right = np.hstack([np.zeros((3, 3)), -inner[:, :1] * BASELINE])
    lidar = np.array([[0, -1, 0, 0], [0, 0, -1, -0.08], [1, 0, 0, -0.27]])
    inertial = np.array([[1, 0, 0, -0.81], [0, 1, 0, 0.32], [0, 0, 1, -0.8]])
    lines = {
        "P0": reference, "P1": reference + right, "P2": left, "P3": left + right,
        "R0_rect": np.eye(3), "Tr_velo_to_cam": lidar, "Tr_imu_to_velo": inertial,
    }  # fmt: skip
    rows = [f"{key}: " + " ".join(f"{v:.12e}" for v in lines[key].ravel()) for key in lines]
    return "\n".join(rows) + "\n"
