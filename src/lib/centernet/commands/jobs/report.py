"""The page of a run, on request and after a training or a test."""

from __future__ import annotations

from collections.abc import Callable

from centernet.commands.report import Report
from centernet.io.run_folder import RunFolder
from centernet.options.flag import flags_of
from centernet.options.options import Options, common_flags
from centernet.runs.report.report import write_report
from centernet.runtime.errors import UserError
from centernet.tasks import task_options


def run(options: Options) -> None:
    """Write the page of the run that is named, and tell where it is."""
    compare = options.of(Report).compare
    other = RunFolder(options.exp_dir / compare) if compare else None
    _write(options, print, other)


def report(options: Options, log: Callable[[str], None]) -> None:
    """Write the page after a training or a test; where it is, or why not, goes to `log`."""
    try:
        _write(options, log)
    except UserError as error:
        log(f"no report: {error}")


def _write(options: Options, log: Callable[[str], None], other: RunFolder | None = None) -> None:
    flags = [*common_flags(), *flags_of(task_options(options.task_name))]
    path = write_report(options.folder, {flag.name: flag.default for flag in flags}, other)
    log(f"report: {path.absolute()}")
