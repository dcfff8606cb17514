"""The export of a checkpoint: the file, and how far it is from the network."""

from __future__ import annotations

import time
from pathlib import Path

import torch

from centernet.builders.checkpoint import named_checkpoint
from centernet.builders.detection import make_detector
from centernet.commands.export import Export
from centernet.detectors.torch_engine import TorchEngine
from centernet.export.formats import FORMATS
from centernet.export.job import Job
from centernet.export.making import compared, make_job
from centernet.export.opening import is_exported, open_file
from centernet.export.settings import Settings
from centernet.io.files import digest_of
from centernet.options.options import Options
from centernet.runtime.errors import UserError


def run(options: Options) -> None:
    """Write the file that the options ask for."""
    asked = options.of(Export)
    checkpoint = named_checkpoint(options)
    if is_exported(checkpoint.path):
        raise UserError(f"{checkpoint.name}: is exported already; name the checkpoint")
    assert checkpoint.path is not None
    form = FORMATS[asked.format]
    if form.raw_alone and not asked.raw:
        raise UserError(f"--format {asked.format}: takes the maps alone; add --raw")
    path = asked.output or checkpoint.path.with_suffix(form.suffix)
    if not str(path).endswith(form.suffix):
        raise UserError(
            f"--output {path}: the name of a file of {asked.format} ends in {form.suffix}"
        )
    detector = make_detector(
        options.changed(no_fuse=True, flip_test=False), checkpoint, torch.device("cpu")
    )
    preprocess, engine = detector.preprocess, detector.engine
    assert isinstance(engine, TorchEngine)
    settings = Settings(
        k=options.test.K,
        floats=asked.floats,
        raw=asked.raw,
        flip_test=options.test.flip_test,
        fixed=preprocess.input_size if asked.fixed or form.fixed else None,
        batch=asked.batch or (1 if form.fixed else None),
        precision=asked.precision,
        dcn="decompose" if asked.decompose_dcn else "native",
        opset=asked.opset,
        keep_res=preprocess.keep_res,
        input_size=preprocess.input_size,
    )
    job = make_job(
        detector.task,
        engine.model,
        settings,
        {**checkpoint.description, "task": options.task_name},
        mean=preprocess.mean,
        std=preprocess.std,
        sha256=digest_of(checkpoint.path),
    )
    write_compared(job, path, asked.format, settings)
    if asked.triton is not None:
        from centernet.export.triton import write_repository

        for each in write_repository(job.card, path, asked.triton):
            print(f"wrote {each}")


def write_compared(job: Job, path: Path, name: str, settings: Settings) -> None:
    """Write `job`, compare what was written with the network, and say both."""
    form = FORMATS[name]
    start = time.perf_counter()
    form.write(job, path, settings)
    print(f"wrote {path.absolute()}: {size_of(path)} in {time.perf_counter() - start:.0f} s")
    print(f"inputs {', '.join(job.card.inputs)}; outputs {', '.join(job.card.outputs)}")
    print(f"sizes: {job.card.sizes}")
    if not form.runs:
        print(f"not run here: {form.remark}")
        return
    parity = compared(job, open_file(path))
    print(f"against PyTorch: {parity}")
    job.card = job.with_parity(parity)
    form.describe(job, path)


def size_of(path: Path) -> str:
    """Bytes of the file, and of what lies beside it under its name, in words."""
    parts = [p for p in path.parent.glob(path.stem + ".*") if p.suffix in (path.suffix, ".bin")]
    return f"{sum(part.stat().st_size for part in parts) / 1e6:.1f} MB"
