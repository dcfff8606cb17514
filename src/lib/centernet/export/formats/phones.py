"""Files for phones and small boards: ExecuTorch, LiteRT, ncnn, Core ML."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path
from tempfile import TemporaryDirectory

import torch

from centernet.export.extras import extra
from centernet.export.job import Job
from centernet.export.settings import Settings
from centernet.export.sidecar import write_card
from centernet.io.files import atomic_write
from centernet.runtime.errors import UserError


def write_executorch(job: Job, path: Path, settings: Settings) -> None:
    """With the kernels of XNNPACK where it has some."""
    exir = extra("executorch.exir")
    xnnpack = extra("executorch.backends.xnnpack.partition.xnnpack_partitioner")
    lowered = exir.to_edge_transform_and_lower(
        job.exported, partitioner=[xnnpack.XnnpackPartitioner()]
    )
    with atomic_write(path) as temporary:
        temporary.write_bytes(lowered.to_executorch().buffer)
    write_card(job.card, path)


def write_litert(job: Job, path: Path, settings: Settings) -> None:
    """TensorFlow Lite's format."""
    converted = extra("litert_torch").convert(job.program, job.example)
    with atomic_write(path) as temporary:
        converted.export(str(temporary))
    write_card(job.card, path)


def write_ncnn(job: Job, path: Path, settings: Settings) -> None:
    """The raw maps through pnnx: it fails on decoding."""
    pnnx = extra("pnnx")
    with TemporaryDirectory(dir=path.parent) as folder:
        traced = Path(folder) / "model.pt"
        torch.jit.save(job.traced, str(traced))
        shapes = ",".join(f"[{','.join(map(str, value.shape))}]" for value in job.example)
        found = subprocess.run(
            [pnnx.EXEC_PATH, traced.name, f"inputshape={shapes}"],
            cwd=folder,
            capture_output=True,
            text=True,
            check=False,
        )
        parts = {end: Path(folder) / f"model.ncnn.{end}" for end in ("param", "bin")}
        if found.returncode or not all(part.is_file() for part in parts.values()):
            raise UserError(f"{path}: pnnx failed: {(found.stderr or found.stdout)[-200:]}")
        os.replace(parts["bin"], path.with_suffix(".bin"))
        os.replace(parts["param"], path)
    write_card(job.card, path)


def write_coreml(job: Job, path: Path, settings: Settings) -> None:
    """A package for macOS and iOS, which alone can run it."""
    coremltools = extra("coremltools")
    found = coremltools.convert(
        job.exported.run_decompositions({}),
        convert_to="mlprogram",
        compute_precision=coremltools.precision.FLOAT32,
    )
    found.short_description = job.card.courtesy()["description"]
    found.user_defined_metadata.update(job.card.metadata())
    found.save(str(path))


def describe_executorch(job: Job, path: Path) -> None:
    """Let the file beside it say what the card of `job` says."""
    write_card(job.card, path)


def describe_litert(job: Job, path: Path) -> None:
    """Let the file beside it say what the card of `job` says."""
    write_card(job.card, path)
