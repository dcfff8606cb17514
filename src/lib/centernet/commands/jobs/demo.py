"""The demo: detections in a user's images, video or camera."""

from __future__ import annotations

from itertools import tee
from pathlib import Path

from centernet.builders.checkpoint import named_checkpoint
from centernet.builders.detection import make_detector, make_sketches
from centernet.builders.dry_run import explain_demo
from centernet.builders.process import one_device, place_of
from centernet.detectors.detector import Detector
from centernet.detectors.results_writer import ResultWriter
from centernet.io.stream import Pictures, Video, open_stream
from centernet.options.options import Options
from centernet.runs.logger import Logger
from centernet.runtime.errors import UserError


def run(options: Options) -> None:
    """Detect in a user's images, video or camera, and save what is found."""
    if not options.demo.demo:
        raise UserError("--demo: name an image, a folder, a pattern, a video or webcam")
    if options.run.dry_run:
        explain_demo(options)
        return
    stream = open_stream(options.demo.demo)
    checkpoint = named_checkpoint(options)
    logger = Logger()
    device = one_device(options, logger)
    detector = make_detector(options, checkpoint, device)
    logger.write(f"{checkpoint.name} on {place_of(detector, device)}")
    detector.warm_up()
    writer = ResultWriter(
        options.output_dir,
        stream,
        options.drawing.vis_thresh,
        options.drawing.debugger_theme,
        options.demo.show,
        options.demo.save_thresh,
    )
    try:
        with writer:
            _fill(writer, options, detector, stream, logger)
    finally:
        for line in (*(f"left out: {reason}" for reason in stream.unreadable), *writer.says()):
            logger.write(line)
    logger.write(f"time per image: {detector.timings}")


def _fill(
    writer: ResultWriter,
    options: Options,
    detector: Detector,
    stream: Pictures | Video,
    logger: Logger,
) -> None:
    """Detect in every frame of `stream` until it ends or the user closes the window."""
    sketches = make_sketches(options, detector)
    frames, to_detect = tee(stream)
    for frame, found in zip(frames, detector.run(to_detect), strict=False):
        summary = found.summary(options.drawing.vis_thresh, flag="--vis_thresh")
        logger.write(f"{frame.name}: {summary}")
        if options.drawing.debug > 0:
            ready = detector.prepare(frame.image)
            sketches.draw(Path(frame.name).stem, frame.image, ready, found)
        if not writer.add(frame, found):
            break
