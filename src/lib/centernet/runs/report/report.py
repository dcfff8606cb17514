"""The page of a run, made of the files in its folder alone."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from centernet.io.files import write_text
from centernet.io.run_folder import RunFolder
from centernet.runs.report import sections
from centernet.runs.report.page import Section, escape, page
from centernet.runtime.errors import UserError


def write_report(
    run: RunFolder, defaults: Mapping[str, Any], other: RunFolder | None = None
) -> Path:
    """Write the page of `run`, beside `other` if given, into its folder; return its path.

    `defaults` are the values of flags that are not worth showing. UserError where a folder holds
    neither a training nor a test.
    """
    for each in (run, *([] if other is None else [other])):
        if not each.metrics():
            raise UserError(
                f"{each.path}: holds no run to report of (no {each.path / 'metrics.jsonl'})"
            )
    events = run.events()
    kinds = ", ".join(dict.fromkeys(event["event"] for event in events)) or "in progress"
    beside = f" beside {escape(other.path)}" if other is not None else ""
    lead = f"<p>{escape(run.path.absolute())}{beside}: {escape(kinds)}.</p>"
    text = page(
        f"Run {run.path.parent.name}/{run.path.name}",
        lead,
        [
            Section("Metrics", sections.metrics(run, other)),
            Section("Training", sections.curves(run, other)),
            Section("Classes", sections.classes(run)),
            Section("Sizes", sections.sizes(run)),
            Section("Joints and distances", sections.parts(run)),
            Section("Mistakes", sections.mistakes(run)),
            Section("Images", sections.images(run)),
            Section("Time", sections.times(run)),
            Section("Settings", sections.settings(run, defaults)),
            Section("Log", sections.log(run)),
        ],
    )
    return write_text(run.page, text)
