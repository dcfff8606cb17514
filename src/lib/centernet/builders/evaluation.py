"""A detector measured on a data set as the options ask."""

from __future__ import annotations

from centernet.builders.findings import keep_evaluation, keep_findings
from centernet.builders.tracking import make_tracker
from centernet.datasets.evaluate.evaluation import Evaluation
from centernet.datasets.source import Source
from centernet.detectors.detector import Detector
from centernet.detectors.error_budget import budget_lines, error_budget
from centernet.detectors.evaluation import OnImage, Results, evaluate
from centernet.detectors.preprocess import Ready
from centernet.detectors.sketches import Sketches
from centernet.options.options import Options
from centernet.runs.logger import Logger
from centernet.runtime.errors import UserError
from centernet.structures.detections import Detections
from centernet.tasks.oracle import Oracle


def run_test(
    options: Options,
    detector: Detector,
    source: Source,
    logger: Logger,
    phase: str = "test",
    epoch: int | None = None,
) -> Evaluation:
    """The evaluation of `detector` on `source`; results files go into the run's folder.

    The heads of --eval_oracle are made perfect for it.
    """
    names = options.oracle.eval_oracle
    if names:
        detector = detector.with_oracle(Oracle(detector.task, names))
    ahead = not options.evaluate.not_prefetch_test

    def keep(results: Results) -> None:
        if phase == "test" and not options.evaluate.error_budget:
            threshold = options.drawing.vis_thresh
            keep_findings(options.folder, detector, source, results, threshold)

    evaluation = evaluate(
        detector,
        source,
        options.save_dir,
        logger,
        workers=options.batches.num_workers if ahead else 0,
        phase=phase,
        epoch=epoch,
        on_image=make_image_callback(options, detector, source),
        keep=keep,
        tracker=make_tracker(options.track, source.info.num_classes),
    )
    keep_evaluation(options.folder, evaluation)
    return evaluation


def run_budget(
    options: Options, detector: Detector, source: Source, logger: Logger, epoch: int | None = None
) -> Evaluation:
    """As `run_test`; before it what each perfect head would gain, as a table."""
    if options.oracle.eval_oracle:
        raise UserError("--error_budget tries every --eval_oracle by itself: leave that out")
    evaluations: list[Evaluation] = []

    def measure(tested: Detector) -> float:
        evaluations.append(run_test(options, tested, source, logger, epoch=epoch))
        return evaluations[-1].main

    budget = error_budget(detector, measure)
    last = evaluations[-1]  # of the network as it is
    for line in budget_lines(budget, next(iter(last.metrics))):
        logger.write(line)
    return last


def make_image_callback(options: Options, detector: Detector, source: Source) -> OnImage | None:
    """What --debug draws of each image that is tested on."""
    if options.drawing.debug == 0:
        return None
    sketches = make_sketches(options, detector)

    def draw(index: int, ready: Ready, found: Detections) -> None:
        sketches.draw(str(source.image_id(index)), source.image(index), ready, found)

    return draw


def make_sketches(options: Options, detector: Detector) -> Sketches:
    """The drawings of --debug."""
    asked = options.drawing
    return Sketches(
        options.debug_dir, detector, asked.debug, asked.vis_thresh, asked.debugger_theme
    )
