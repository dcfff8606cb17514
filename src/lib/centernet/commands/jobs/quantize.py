"""Quantisation of a checkpoint: the files, and the report on them."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import replace
from itertools import islice
from pathlib import Path
from tempfile import TemporaryDirectory

import torch
from numpy.typing import NDArray

from centernet.builders.checkpoint import named_checkpoint
from centernet.builders.data import open_part
from centernet.builders.detection import make_detector
from centernet.commands.quantize import Quantize
from centernet.datasets.evaluate.bootstrap import Results, paired_interval
from centernet.datasets.source import Source
from centernet.detectors.detector import Detector
from centernet.detectors.evaluation import evaluate
from centernet.detectors.preprocess import as_picture
from centernet.detectors.torch_engine import TorchEngine
from centernet.export.extras import extra
from centernet.export.file_engine import file_detector
from centernet.export.formats.onnx_file import onnx_model, save
from centernet.export.job import Job
from centernet.export.making import compared, make_job
from centernet.export.opening import is_exported, open_file
from centernet.export.quantize.calibrate import observe
from centernet.export.quantize.quantize import quantized
from centernet.export.quantize.ranges import BINS, CALIBRATIONS
from centernet.export.quantize.reach import Reach
from centernet.export.quantize.report import Report, Row, latencies
from centernet.export.quantize.sensitivity import by_layer, left_in_float, sqnr
from centernet.export.settings import Settings
from centernet.io.files import digest_of
from centernet.io.stream import open_stream
from centernet.options.flag import unknown
from centernet.options.options import Options
from centernet.runs.logger import Logger
from centernet.runtime.errors import UserError
from centernet.tasks import TASKS

LOOKED_AT = 4  # pictures by which layers are compared
Inputs = dict[str, NDArray]
Pictures = Callable[[], Iterable[Inputs]]


def run(options: Options) -> None:
    """Write the files and the report."""
    asked = options.of(Quantize)
    for word in asked.calibration:
        if word not in CALIBRATIONS:
            raise UserError(unknown("calibration", word, list(CALIBRATIONS)))
    extra("onnxruntime.quantization")
    checkpoint = named_checkpoint(options)
    if is_exported(checkpoint.path):
        raise UserError(f"{checkpoint.name}: is exported already; quantise the checkpoint")
    assert checkpoint.path is not None
    detector = make_detector(
        options.changed(no_fuse=True, flip_test=False), checkpoint, torch.device("cpu")
    )
    logger = Logger()
    if not asked.images or not asked.no_evaluation:
        dataset = options.data.dataset
        known = checkpoint.description.get("dataset")
        data = (
            options.data
            if "dataset" in options.given
            else replace(options.data, dataset=known or dataset)
        )
        options = replace(options, data=data)
    pictures = _pictures(options, asked, detector, logger)
    folder = asked.output_dir or checkpoint.path.parent
    stem = folder / checkpoint.path.stem
    job = _job(options, detector, checkpoint.description, checkpoint.path, "fp32")
    model = onnx_model(job)
    paths = {"float32": stem.with_name(stem.name + ".onnx")}
    _save_compared(job, model, paths["float32"])
    report = Report(
        options.task_name, detector.task.metric, asked.calib_images, 0, job.card.input_size
    )
    report.rows.append(Row("float32", paths["float32"].name, paths["float32"].stat().st_size))
    if asked.fp16_too:
        half = _job(options, detector, checkpoint.description, checkpoint.path, "fp16")
        paths["float16"] = stem.with_name(stem.name + ".fp16.onnx")
        _save_compared(half, onnx_model(half), paths["float16"])
        path = paths["float16"]
        report.rows.append(Row("float16", path.name, path.stat().st_size))
    _quantize(asked, job, model, pictures, stem, paths, report, logger)
    inputs = next(iter(pictures()))
    times = latencies(list(paths.values()), inputs, options.machine.threads)
    for row, each in zip(report.rows, times, strict=True):
        row.milliseconds = each
    if not asked.no_evaluation:
        _evaluate(options, paths, report, logger)
    for path in report.write(stem.with_name(stem.name + ".quantized")):
        logger.write(f"wrote {path.absolute()}")
    for line in report.markdown().splitlines():
        logger.write(line)


def _pictures(options: Options, asked: Quantize, detector: Detector, logger: Logger) -> Pictures:
    """The inputs of the calibration, again at each call, one picture each."""

    def images() -> Iterator[NDArray]:
        if asked.images:
            yield from (frame.image for frame in open_stream(asked.images))
        else:
            assert source is not None
            for index in range(len(source)):
                yield source.image(index)

    source: Source | None = None
    if not asked.images:
        task = TASKS[options.task_name]
        source = open_part(options.data, task, "train", logger)
    available = (
        sum(1 for _ in islice(images(), asked.calib_images)) if asked.images else len(source or ())
    )
    if available < asked.calib_images:
        raise UserError(
            f"--calib_images {asked.calib_images}: there are {available} images to show;"
            " give more of them or ask for fewer"
        )

    def prepared() -> Iterator[Inputs]:
        for image in islice(images(), asked.calib_images):
            preprocess = detector.preprocess
            seen = preprocess(image).input[None]
            yield {"image": as_picture(seen, preprocess.mean, preprocess.std)} | _camera(detector)

    return prepared


def _camera(detector: Detector) -> Inputs:
    """A camera for tasks that take one: what it says changes nothing in the network."""
    if "cuboids" not in detector.task.needs:
        return {}
    return {"calib": torch.eye(3, 4).unsqueeze(0).numpy()}


def _job(
    options: Options, detector: Detector, said: Mapping[str, object], path: Path, precision: str
) -> Job:
    preprocess, engine = detector.preprocess, detector.engine
    assert isinstance(engine, TorchEngine)
    settings = Settings(
        k=options.test.K,
        flip_test=options.test.flip_test,
        precision=precision,
        keep_res=preprocess.keep_res,
        input_size=preprocess.input_size,
    )
    return make_job(
        detector.task,
        engine.model,
        settings,
        {**said, "task": options.task_name},
        mean=preprocess.mean,
        std=preprocess.std,
        sha256=digest_of(path),
    )


def _save_compared(job: Job, model: object, path: Path) -> None:
    """Write the file with the parity that was measured on it."""
    with TemporaryDirectory() as folder:
        trial = Path(folder) / "trial.onnx"
        save(model, job.card, trial)
        job.card = job.with_parity(compared(job, open_file(trial)))
    save(model, job.card, path)


def _quantize(
    asked: Quantize,
    job: Job,
    model: object,
    pictures: Pictures,
    stem: Path,
    paths: dict[str, Path],
    report: Report,
    logger: Logger,
) -> None:
    """One file for each calibration; rows and paths are added."""
    reach = Reach(model)
    logger.write(f"showing {asked.calib_images} images, twice")
    seen = observe(model, reach.activations(reach.quantizable), pictures)
    looked_at = list(islice(pictures(), LOOKED_AT))
    for word in asked.calibration:
        ranges = {name: CALIBRATIONS[word](each) for name, each in seen.items()}
        in_float: list[str] = []
        if asked.sensitivity:
            report.layers = report.layers or by_layer(model, ranges, looked_at)
            in_float = left_in_float(model, ranges, looked_at, report.layers)
        found = quantized(model, ranges, in_float=in_float, weight_bits=asked.weight_bits)
        path = stem.with_name(f"{stem.name}.int8-{word}.onnx")
        facts = {
            "calibration": word,
            "images": asked.calib_images,
            "bins": BINS,
            "weight_bits": asked.weight_bits,
        }
        card = replace(
            job.card,
            precision="int8",
            parity={},
            quantization={**facts, "in_float": in_float},
        )
        save(found, card, path)
        paths[f"int8 {word}"] = path
        row = Row(f"int8 {word}", path.name, path.stat().st_size, in_float=in_float)
        row.sqnr = sqnr(model, found, looked_at)
        report.rows.append(row)


def _evaluate(options: Options, paths: Mapping[str, Path], report: Report, logger: Logger) -> None:
    """The data set's measure of each file, and the interval of its difference to the first."""
    source = open_part(options.data, TASKS[options.task_name], "val", logger)
    report.evaluated_on = len(source)
    every: list[Results] = []
    for row, path in zip(report.rows, paths.values(), strict=True):
        runtime = open_file(path, threads=options.machine.threads)
        detector = file_detector(runtime, path.name, batch_size=options.batches.test_batch_size)
        with TemporaryDirectory() as place:
            evaluation = evaluate(
                detector, source, Path(place), logger, workers=0, keep=every.append
            )
        row.metric, found = evaluation.main, every[-1]
        if len(every) > 1:
            row.difference, row.low, row.high = paired_interval(source, found, every[0])
        logger.write(f"{row.name}: {report.metric} {100 * row.metric:.2f}")
