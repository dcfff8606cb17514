"""Detecting on every image of a data set and evaluating what was found."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from centernet.datasets.evaluate.evaluation import Evaluation
from centernet.datasets.source import Source
from centernet.detectors.detector import Detector
from centernet.detectors.diagnose import NEAR_ZERO, post_mortem
from centernet.detectors.preprocess import Ready
from centernet.detectors.session import Session
from centernet.io.image import ImageError
from centernet.io.prefetch import prefetch
from centernet.runs.logger import Logger
from centernet.runtime.errors import UserError
from centernet.structures.detections import Detections
from centernet.trackers.tracker import Tracker

OnImage = Callable[[int, Ready, Detections], None]
Results = Mapping[int | str, Detections]  # by the ids of images


def evaluate(
    detector: Detector,
    source: Source,
    folder: Path,
    logger: Logger,
    *,
    workers: int = 4,
    phase: str = "test",
    epoch: int | None = None,
    on_image: OnImage | None = None,
    keep: Callable[[Results], None] | None = None,
    tracker: Tracker | None = None,
) -> Evaluation:
    """The evaluation of `detector` on `source`, whose results files go into `folder`.

    Its table goes to the `logger`.

    `workers` threads read and prepare images ahead (0: none does). An image that cannot be read is
    told and left out of the metrics with its objects; a `source` that is strict raises. `on_image`
    is called with the index, the prepared image and its detections, `keep` with all of them at the
    end. A `tracker` gives identities, video by video; the data set must have videos then.
    """
    if len(source) == 0:
        raise UserError(f"data set {source.info.name}: no image to test on")
    unreadable: dict[int, str] = {}
    indices, video = _in_order(source, tracker, detector)
    session = Session(detector, tracker)

    def prepare(index: int) -> tuple[int, Ready | ImageError]:
        start = time.perf_counter()
        try:
            image = source.image(index)
        except ImageError as error:
            return index, error
        seconds = time.perf_counter() - start
        objects = source.objects(index)
        if detector.oracle is not None and len(detector.task.inputs) > 1:
            objects = replace(objects, before=centres_before(source, index))
        path, calibration = source.path(index), objects.calibration
        return index, detector.prepare(image, path, calibration, seconds, objects, index)

    def readable() -> Iterator[Ready]:
        for index, ready in prefetch(prepare, indices, workers):
            if isinstance(ready, ImageError):
                source.drop_image(index, ready)
                unreadable[index] = str(ready)
            else:
                yield ready

    results: dict[int | str, Detections] = {}
    with logger.epoch(phase, epoch, len(source)) as bar:
        for ready, found in session.over(readable(), lambda ready: video[ready.index]):
            results[source.image_id(ready.index)] = found
            if on_image is not None:
                on_image(ready.index, ready, found)
            bar.step()
    if not results:
        raise UserError(f"data set {source.info.name}: not one image can be read")
    if keep is not None:
        keep(results)
    if tracker is not None:
        logger.write(f"association per image: {session}")
    judged = source
    if unreadable:
        tested = np.ones(len(source), bool)
        tested[list(unreadable)] = False
        judged = source.only(tested)
        counted = "" if judged is not source else ", whose objects count as missed"
        logger.write(
            f"metrics over {len(source) - len(unreadable)} of {len(source)} images:"
            f" {len(unreadable)} cannot be read{counted}; such as {next(iter(unreadable.values()))}"
        )
    evaluation = judged.evaluate(results, folder)
    for line in evaluation.table.splitlines():
        logger.write(line)
    if evaluation.main < NEAR_ZERO:
        logger.write(post_mortem(judged, results))
    return evaluation


def centres_before(source: Source, index: int) -> NDArray[np.float32]:
    """(N, 2) where the objects of image `index` were in the frame before; NaN where they were not.

    Of a still image, or without identities, nothing is known.
    """
    objects, earlier = source.objects(index), source.previous(index)
    found = np.full((len(objects), 2), np.nan, np.float32)
    if earlier is None or objects.identities is None:
        return found
    previous = source.objects(earlier)
    assert previous.identities is not None
    middles = previous.boxes.reshape(-1, 2, 2).mean(axis=1)
    place = dict(zip(previous.identities.tolist(), middles, strict=True))
    for n, key in enumerate(objects.identities.tolist()):
        if key >= 0 and key in place:
            found[n] = place[key]
    return found


def _in_order(
    source: Source, tracker: Tracker | None, detector: Detector
) -> tuple[list[int], dict[int, int]]:
    """The images in the order to look at them, and the video of each.

    Still images are videos of one frame, for a task that sees the previous one.
    """
    videos = source.sequences() if tracker or len(detector.task.inputs) > 1 else ()
    if tracker is not None and not videos:
        raise UserError(
            f"--tracker: data set {source.info.name} has no videos, its images do not follow one"
            " another; --dataset mot or --dataset toy --part motion have"
        )
    frames = videos or [[index] for index in range(len(source))]
    video = {index: place for place, each in enumerate(frames) for index in each}
    return list(video), video
