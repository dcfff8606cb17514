"""OpenVINO's own files, an XML and the weights beside it."""

from __future__ import annotations

import json
import os
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from centernet.export.card import KEY
from centernet.export.extras import extra
from centernet.export.formats.onnx_file import onnx_model, save
from centernet.export.job import Job
from centernet.export.runtimes.openvino import read
from centernet.export.settings import Settings


def write_openvino(job: Job, path: Path, settings: Settings) -> None:
    """Write `job` by way of ONNX; float32 weights stay float32."""
    openvino = extra("openvino")
    model = onnx_model(job, settings.opset)
    path.parent.mkdir(parents=True, exist_ok=True)
    with TemporaryDirectory(dir=path.parent) as folder:
        between = Path(folder) / "between.onnx"
        save(model, job.card, between)
        found = read(openvino.Core(), between)
        _save(openvino, found, job, path)


def describe_openvino(job: Job, path: Path) -> None:
    """Let the file say what the card of `job` says."""
    openvino = extra("openvino")
    _save(openvino, openvino.Core().read_model(str(path)), job, path)


def _save(openvino: Any, model: Any, job: Job, path: Path) -> None:
    """Write both parts under other names, then rename them: neither is ever half a file."""
    for name, value in job.card.courtesy().items():
        model.set_rt_info(value, ["model_info", name])
    model.set_rt_info(json.dumps(json.loads(job.card.to_json())), [KEY])
    with TemporaryDirectory(dir=path.parent) as folder:
        part = Path(folder) / path.name
        openvino.save_model(model, str(part), compress_to_fp16=False)
        os.replace(part.with_suffix(".bin"), path.with_suffix(".bin"))
        os.replace(part, path)
