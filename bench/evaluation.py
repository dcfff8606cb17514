"""Suite `eval`: soft-NMS beside the Cython of 2019, COCO's figures beside pycocotools, KITTI's
beside its C++ tool.

The fast backend of COCO's figures is left out where the extra `fast` is not installed, KITTI's tool
where there are no headers of Boost.
"""

from __future__ import annotations

import contextlib
import io
import os
import tempfile
from collections.abc import Callable, Iterator
from functools import partial
from importlib.util import find_spec
from pathlib import Path

import kitti
import numpy as np
from baselines.build import build
from nms import LIMIT, METHODS, crowd
from report import Row, row
from timer import Ceilings, compare

from centernet.datasets.evaluate.coco import evaluate_coco
from centernet.datasets.source import Info
from centernet.datasets.table import Table
from centernet.external import nms
from centernet.structures.detections import Detections

OLD, HERE, ORACLE, FAST = "2019", "here", "pycocotools", "hotcoco"
CROWDS = {100: 250, 2000: 2}  # different ones a timing, or branches are learnt by heart
CLASSES = 20


def rows(short: bool, ceilings: Ceilings) -> Iterator[Row]:
    """Milliseconds a timing; equal results are asserted first."""
    yield from soft_nms_rows()
    os.environ.setdefault("RAYON_NUM_THREADS", "1")  # read when hotcoco is first used
    if find_spec(FAST) is not None:
        yield coco_row(40 if short else 1000)
    if not short:
        yield from kitti.rows(400)


def soft_nms_rows() -> Iterator[Row]:
    rival = build("soft_nms").soft_nms
    for count, many in CROWDS.items():
        crowds = [crowd(count, seed) for seed in range(many)]
        for method, name in enumerate(METHODS):
            sides: dict[str, Callable[[], object]] = {
                side: partial(suppress, function, crowds, method)
                for side, function in ((OLD, rival), (HERE, nms.soft_nms))
            }
            for boxes in crowds:
                old, new = boxes.copy(), boxes.copy()
                kept = len(rival(old, 0.5, LIMIT, 0.001, method))
                assert kept == len(nms.soft_nms(new, 0.5, LIMIT, 0.001, method))
                np.testing.assert_allclose(new[:kept], old[:kept], rtol=1e-5)
            rounds = compare(sides, rounds=11)
            yield row("eval", f"soft-NMS {name}, {count} boxes", rounds, OLD, HERE)


def suppress(function: Callable, crowds: list[np.ndarray], method: int) -> None:
    for boxes in crowds:
        function(boxes.copy(), 0.5, LIMIT, 0.001, method)


def coco_row(images: int) -> Row:
    """All of the evaluation but the choice of the backend, on made-up boxes."""
    truth, info, results = made_up(images)
    figures: dict[str, dict[str, float]] = {}

    def side(backend: str) -> Callable[[], object]:
        def run() -> None:
            with tempfile.TemporaryDirectory() as folder, contextlib.redirect_stdout(io.StringIO()):
                figures[backend] = evaluate_coco(
                    truth, info, results, Path(folder), backend=backend
                ).metrics

        return run

    sides = {ORACLE: side(ORACLE), FAST: side(FAST)}
    for work in sides.values():
        work()
    for name, value in figures[ORACLE].items():
        assert abs(figures[FAST][name] - value) <= 1e-10, name
    rounds = compare(sides, rounds=7, warm_up=0)
    return row("eval", f"COCO evaluation, {images} images", rounds, ORACLE, FAST)


def made_up(images: int) -> tuple[Table, Info, dict[int, Detections]]:
    """Seven boxes of 20 classes an image and 100 detections, many of them near a box."""
    random = np.random.default_rng(0)
    count = 7 * images
    corner = random.uniform(0, 400, (count, 2))
    size = random.uniform(8, 240, (count, 2))
    boxes = np.hstack([corner, size]).astype(np.float64)
    classes = random.integers(0, CLASSES, count)
    names = tuple(f"class {n}" for n in range(CLASSES))
    table = Table(
        files=np.array([f"{n}.jpg" for n in range(images)]),
        sizes=np.full((images, 2), 640),
        image_ids=list(range(1, images + 1)),
        image=np.repeat(np.arange(images), 7),
        classes=classes,
        boxes=boxes,
        areas=size.prod(axis=1),
        crowd=random.random(count) < 0.01,
        ids=np.arange(1, count + 1),
    )
    results = {}
    for n in range(images):
        chosen = random.integers(7 * n, 7 * n + 7, 100)
        near = boxes[chosen] + random.normal(0, 12, (100, 4))
        corners = np.hstack([near[:, :2], near[:, :2] + np.maximum(near[:, 2:], 2)])
        scores = random.random(100).astype(np.float32)
        results[n + 1] = Detections(corners.astype(np.float32), scores, classes[chosen], names)
    return table, Info("made up", names, tuple(range(1, CLASSES + 1))), results
