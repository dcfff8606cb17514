"""Detecting on every image of a data set and judging what was found."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from pathlib import Path

from centernet.datasets.source import Source
from centernet.detectors.detector import Detector
from centernet.detectors.diagnose import NEAR_ZERO, post_mortem
from centernet.detectors.preprocess import Ready
from centernet.io.image import ImageError
from centernet.io.prefetch import prefetch
from centernet.runs.logger import Logger
from centernet.runtime.errors import UserError
from centernet.structures.detections import Detections

Look = Callable[[int, Ready, Detections], None]


def evaluate(
    detector: Detector,
    source: Source,
    folder: Path,
    logger: Logger,
    *,
    workers: int = 4,
    phase: str = "test",
    epoch: int | None = None,
    look: Look | None = None,
) -> dict[str, float]:
    """Metrics of `detector` on `source`, whose results files go into `folder`.

    `workers` threads read and prepare images ahead (0: none does). An image that cannot be read is
    told and counts as one without detections; a `source` that is strict raises. `look` is called
    with the index, the prepared image and its detections.
    """
    if len(source) == 0:
        raise UserError(f"data set {source.info.name}: no image to test on")

    def prepare(index: int) -> tuple[int, Ready | ImageError]:
        start = time.perf_counter()
        try:
            image = source.image(index)
        except ImageError as error:
            return index, error
        seconds = time.perf_counter() - start
        objects = source.objects(index)
        path, calibration = source.path(index), objects.calibration
        return index, detector.prepare(image, path, calibration, seconds, objects, index)

    def readable() -> Iterator[Ready]:
        for index, ready in prefetch(prepare, range(len(source)), workers):
            if isinstance(ready, ImageError):
                source.drop_image(index, ready)
            else:
                yield ready

    results: dict[int | str, Detections] = {}
    with logger.epoch(phase, epoch, len(source)) as bar:
        for ready, found in detector.predict(readable()):
            results[source.image_id(ready.index)] = found
            if look is not None:
                look(ready.index, ready, found)
            bar.step()
    if not results:
        raise UserError(f"data set {source.info.name}: not one image can be read")
    metrics = source.evaluate(results, folder)
    if next(iter(metrics.values())) < NEAR_ZERO:
        logger.write(post_mortem(source, results))
    return metrics
