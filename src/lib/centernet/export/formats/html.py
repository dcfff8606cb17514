"""A page that detects in a browser, with everything inside it."""

from __future__ import annotations

import base64
import html
from importlib.resources import files
from pathlib import Path

from centernet.export.formats.onnx_file import onnx_model
from centernet.export.job import Job
from centernet.export.settings import Settings
from centernet.export.web.assets import VERSION, web_runtime
from centernet.io.files import write_text
from centernet.runtime.errors import UserError


def write_html(job: Job, path: Path, settings: Settings) -> None:
    """One file that opens from the disk and asks for nothing else."""
    if job.card.raw or not job.card.colours_inside:
        raise UserError("--format html: leave out --raw and --floats")
    runtime = web_runtime()
    model = onnx_model(job, settings.opset)
    folder = files("centernet.export.web")
    title = f"CenterNet: {job.card.description.get('task')}"
    parts = {
        "TITLE": html.escape(title),
        "VERSION": VERSION,
        "LICENSE": html.escape(runtime.license),
        "CARD": job.card.to_json().replace("<", "\\u003c"),
        "RUNTIME": _text(runtime.script),
        "WASM": _text(runtime.wasm),
        "MODEL": _text(model.SerializeToString()),
        "PAGE": (folder / "page.js").read_text(encoding="utf-8"),
    }
    page = (folder / "page.html").read_text(encoding="utf-8")
    for name, value in parts.items():
        page = page.replace(f"@{name}@", value)
    write_text(path, page)


def _text(content: bytes) -> str:
    return base64.b64encode(content).decode("ascii")
