"""The test of a checkpoint on a data set."""

from __future__ import annotations

from centernet.builders.checkpoint import fill_from_checkpoint, named_checkpoint
from centernet.builders.data import open_part, renamed, tested_part
from centernet.builders.detection import make_detector
from centernet.builders.dry_run import explain_test
from centernet.builders.evaluation import run_budget, run_test
from centernet.builders.process import make_logger, one_device
from centernet.builders.record import record_test
from centernet.commands.jobs.report import report
from centernet.datasets.class_map import matched
from centernet.datasets.table_source import TableSource
from centernet.io.files import digest_of
from centernet.options.options import Options
from centernet.tasks import TASKS


def run(options: Options) -> None:
    """Evaluate a checkpoint on a part of a data set."""
    if options.run.dry_run:
        explain_test(options)
        return
    checkpoint = named_checkpoint(options)
    assert checkpoint.path is not None  # a test reads it from a file
    sha256 = digest_of(checkpoint.path)
    options = fill_from_checkpoint(options, checkpoint, ("dataset",))
    logger = make_logger(options)
    device = one_device(options, logger)
    task, data = TASKS[options.task_name], options.data
    source = open_part(data, task, tested_part(options), logger)
    learned = checkpoint.description.get("class_names") or ()
    if isinstance(source, TableSource) and len(learned) != source.info.num_classes:
        for line in matched(source, learned):
            logger.write(line)
    for line in renamed(checkpoint.name, checkpoint.description, source.info):
        logger.write(line)
    detector = make_detector(options, checkpoint, device, source.info)
    place = detector.engine.place
    logger.write(f"{checkpoint.name} (epoch {checkpoint.epoch}) on {place}, {len(source)} images")
    detector.warm_up()
    measure = run_budget if options.evaluate.error_budget else run_test
    evaluation = measure(options, detector, source, logger)
    logger.write(f"time per image: {detector.timings}")
    logger.metrics(checkpoint.epoch, "test", evaluation.metrics)
    record_test(options, checkpoint, sha256, source, evaluation.metrics, device)
    report(options, logger.write)
    logger.write(f"results in {options.save_dir.absolute()}")
