"""The demo: detections in a user's images, video or camera."""

from __future__ import annotations

from itertools import tee
from pathlib import Path

from centernet.builders.checkpoint import named_checkpoint
from centernet.builders.detection import make_detector
from centernet.builders.dry_run import explain_demo
from centernet.builders.evaluation import make_sketches
from centernet.builders.process import one_device
from centernet.builders.tracking import make_tracker
from centernet.detectors.detector import Detector
from centernet.detectors.results_writer import ResultWriter
from centernet.detectors.session import Session
from centernet.io.stream import Pictures, Video, left_aside, open_videos
from centernet.options.options import Options
from centernet.runs.logger import Logger
from centernet.runtime.errors import UserError

FRAME_RATE = 30.0  # of images that are the frames of a video


def run(options: Options) -> None:
    """Detect in a user's images, video or camera, and save what is found."""
    if not options.demo.demo:
        raise UserError("--demo: name an image, a folder, a pattern, a video or webcam")
    if options.run.dry_run:
        explain_demo(options)
        return
    streams = open_videos(options.demo.demo)
    aside = left_aside(options.demo.demo) if isinstance(streams[0], Pictures) else ""
    checkpoint = named_checkpoint(options)
    logger = Logger()
    device = one_device(options, logger)
    detector = make_detector(options, checkpoint, device)
    logger.write(f"{checkpoint.name} on {detector.engine.place}")
    if aside:
        logger.write(f"{options.demo.demo}: passed over: {aside}")
    detector.warm_up()
    for stream in streams:
        folder = options.output_dir
        if len(streams) > 1 and isinstance(stream, Video):
            folder = folder / stream.name
        _one(options, folder, stream, detector, logger)


def _one(
    options: Options, folder: Path, stream: Pictures | Video, detector: Detector, logger: Logger
) -> None:
    """Detect in one video, or one set of images."""
    tracked = options.track.tracker != "none"
    writer = ResultWriter(
        folder,
        stream,
        options.drawing.vis_thresh,
        options.drawing.debugger_theme,
        options.demo.show,
        options.demo.save_thresh,
        all_classes=options.demo.all_classes,
        trace=tracked and options.track.show_trace,
        track_files=options.track.track_files if tracked else (),
    )
    rate = stream.rate if isinstance(stream, Video) else FRAME_RATE
    tracker = make_tracker(options.track, len(detector.task.info.class_names), rate)
    session = Session(detector, tracker)
    try:
        with writer:
            _fill(writer, options, session, stream, logger)
    finally:
        for line in (*(f"left out: {reason}" for reason in stream.unreadable), *writer.says()):
            logger.write(line)
    logger.write(f"time per image: {detector.timings}{f' | {session}' if tracked else ''}")


def _fill(
    writer: ResultWriter,
    options: Options,
    session: Session,
    stream: Pictures | Video,
    logger: Logger,
) -> None:
    """Detect in every frame of `stream` until it ends or the user closes the window."""
    detector = session.detector
    sketches = make_sketches(options, detector)
    frames, to_detect = tee(stream)
    for frame, found in zip(frames, session.run(to_detect), strict=False):
        summary = found.summary(options.drawing.vis_thresh, flag="--vis_thresh")
        logger.write(f"{frame.name}: {summary}")
        if options.drawing.debug > 0:
            ready = detector.prepare(frame.image)
            sketches.draw(Path(frame.name).stem, frame.image, ready, found)
        if not writer.add(frame, found):
            break
