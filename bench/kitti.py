"""KITTI's evaluation beside the way of its C++ tool: `python bench/kitti.py [frames]`.

The frames, by default 3769, are made up: 4 to 11 objects and 18 to 32 detections each, many of them
near an object, so that every loop has work. Files are read in the time of both sides.
"""

from __future__ import annotations

import ctypes
import sys
import tempfile
from collections.abc import Callable, Iterator
from functools import partial
from importlib import import_module
from importlib.util import find_spec
from pathlib import Path

import numpy as np
import torch
from baselines.build import shared_library
from report import Row, row
from timer import compare

from centernet.datasets.evaluate import kitti
from centernet.datasets.evaluate.kitti_labels import Labels, read_folder, write_labels
from centernet.datasets.evaluate.kitti_matching import STEPS

NAMES = np.array(["Car", "Pedestrian", "Cyclist", "Van", "DontCare"])
SIZES = np.array([[1.5, 1.7, 4], [1.7, 0.6, 0.8], [1.7, 0.6, 1.8], [2, 1.9, 5], [1, 1, 1]])
FOCAL, HORIZON, MIDDLE = 700.0, 180.0, 600.0
OLD, HERE = "C++ tool", "here"


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


def write_frames(folder: Path, frames: int) -> tuple[Path, Path, list[str]]:
    """Made-up frames: the folders of annotations and detections, and the names of the frames."""
    random = np.random.default_rng(0)
    truth, results = folder / "label_2", folder / "results"
    names = [f"{frame:06d}" for frame in range(frames)]
    for name in names:
        classes, values = annotated(random)
        write_labels(truth / f"{name}.txt", Labels(tuple(NAMES[classes]), values), False)
        found, numbers = detected(classes, values, random)
        write_labels(results / f"{name}.txt", Labels(tuple(NAMES[found]), numbers), True)
    return truth, results, names


def evaluate(truth: Path, results: Path, names: list[str]) -> kitti.Table:
    """The evaluation as `test.py` runs it, from files to curves."""
    labels = read_folder(truth, names, scored=False)
    return kitti.evaluate(labels, read_folder(results, names, scored=True))


def rows(frames: int) -> Iterator[Row]:
    """Milliseconds an evaluation; equal curves are asserted first. Nothing without Boost."""
    rival = devkit()
    if rival is None:
        return
    with tempfile.TemporaryDirectory() as folder:
        files = write_frames(Path(folder), frames)
        agree(rival(*files), evaluate(*files))
        sides = {OLD: partial(rival, *files), HERE: partial(evaluate, *files)}
        yield row("eval", f"KITTI, {frames} frames", compare(sides, 7, warm_up=0), OLD, HERE)


def agree(old: np.ndarray, new: kitti.Table) -> None:
    """Raise AssertionError unless curves (class, metric, level, 2, 41) are those of the table."""
    for kind, name in enumerate(kitti.OFFICIAL):
        for place, metric in enumerate(("2D", "BEV", "3D")):
            np.testing.assert_allclose(old[kind, place, :, 0], new.curves[name, metric], atol=1e-9)
        np.testing.assert_allclose(old[kind, 0, :, 1], new.curves[name, "AOS"], atol=1e-9)


def devkit() -> Callable[[Path, Path, list[str]], np.ndarray] | None:
    """The way of the development kit in C++; None where there are no headers of Boost."""
    if find_spec("boost_headers") is None:
        print("eval: without Boost (pip install boost-headers) KITTI's C++ cannot be compared")
        return None
    library = shared_library("kitti_eval", [import_module("boost_headers").get_include()])

    def run(truth: Path, results: Path, names: list[str]) -> np.ndarray:
        curves = np.zeros((len(kitti.OFFICIAL), 3, len(kitti.DIFFICULTIES), 2, STEPS))
        target = curves.ctypes.data_as(ctypes.c_void_p)
        folders = str(truth).encode(), str(results).encode()
        assert library.kitti_eval(*folders, len(names), target) == len(names)
        return curves

    return run


def main() -> None:
    torch.set_num_threads(1)
    for each in rows(int(sys.argv[1]) if len(sys.argv) > 1 else 3769):
        print(each)


if __name__ == "__main__":
    main()
