"""How long KITTI's evaluation takes: `python bench/kitti.py [frames]`, by default 3769.

The frames are made up: 4 to 11 objects and 18 to 32 detections each, many of them near an object,
so that every loop has work. Times are CPU and wall seconds of the process, label files included;
the first evaluation on a machine also compiles (about 6 s of CPU time, kept for later processes).
"""

from __future__ import annotations

import sys
import tempfile
import time
from pathlib import Path

import numpy as np

from centernet.datasets.evaluate import kitti
from centernet.datasets.evaluate.kitti_labels import Labels, read_folder, write_labels

NAMES = np.array(["Car", "Pedestrian", "Cyclist", "Van", "DontCare"])
SIZES = np.array([[1.5, 1.7, 4], [1.7, 0.6, 0.8], [1.7, 0.6, 1.8], [2, 1.9, 5], [1, 1, 1]])
FOCAL, HORIZON, MIDDLE = 700.0, 180.0, 600.0


def annotated(random: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
    """Classes (N,) and label values (N, 15) of one frame, seen by a camera 1.6 m above ground."""
    count = random.integers(4, 12)
    classes = random.choice(5, count, p=[0.5, 0.15, 0.1, 0.1, 0.15])
    x, z = random.uniform(-20, 20, count), random.uniform(5, 60, count)
    turn = random.uniform(-np.pi, np.pi, count)
    height, width = FOCAL * SIZES[classes, 0] / z, FOCAL * SIZES[classes, 2] * 0.6 / z
    u, bottom = MIDDLE + FOCAL * x / z, HORIZON + FOCAL * 1.6 / z
    boxes = np.stack([u - width / 2, bottom - height, u + width / 2, bottom], axis=1)
    places = np.stack([x, np.full(count, 1.6), z], axis=1)
    head = np.stack(
        [
            random.choice([0, 0.1, 0.4], count),
            random.integers(0, 3, count),
            turn - np.arctan2(x, z),
        ],
        axis=1,
    )
    values = [head, boxes, SIZES[classes], places, turn[:, None], np.ones((count, 1))]
    return classes, np.concatenate(values, axis=1)


def detected(
    classes: np.ndarray, values: np.ndarray, random: np.random.Generator
) -> tuple[np.ndarray, np.ndarray]:
    """Detections of a frame: its objects, some met well and others badly, some more than once."""
    count = random.integers(18, 33)
    source = random.integers(0, len(classes), count)
    found = values[source].copy()
    spread = np.where(random.random(count) < 0.4, 0.02, 0.3)[:, None]
    found[:, 3:7] += 20 * spread * random.normal(size=(count, 4))
    found[:, [10, 12]] += spread * random.normal(size=(count, 2)) * [2, 4]
    found[:, [2, 13]] += 0.2 * random.normal(size=(count, 2))
    found[:, 14] = random.random(count)
    return classes[source] % 3, found


def main() -> None:
    frames = int(sys.argv[1]) if len(sys.argv) > 1 else 3769
    random = np.random.default_rng(0)
    with tempfile.TemporaryDirectory() as folder:
        truth, results = Path(folder, "label_2"), Path(folder, "results")
        names = [f"{frame:06d}" for frame in range(frames)]
        for name in names:
            classes, values = annotated(random)
            write_labels(truth / f"{name}.txt", Labels(tuple(NAMES[classes]), values), False)
            found, numbers = detected(classes, values, random)
            write_labels(results / f"{name}.txt", Labels(tuple(NAMES[found]), numbers), True)
        for _ in range(4):
            cpu, wall = time.process_time(), time.perf_counter()
            labels = read_folder(truth, names, scored=False)
            detections = read_folder(results, names, scored=True)
            read = time.process_time() - cpu
            table = kitti.evaluate(labels, detections)
            cpu, wall = time.process_time() - cpu, time.perf_counter() - wall
            print(f"{frames} frames: reading {read:.2f}, all {cpu:.2f} CPU s, {wall:.2f} wall s")
    print(f"{sum(map(len, labels))} objects, {sum(map(len, detections))} detections\n{table}")


if __name__ == "__main__":
    main()
