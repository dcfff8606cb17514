"""Whether two runs are the same experiment: which flags change its figures, and which do not."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from centernet.options.options import Options
from centernet.options.parser import Parser
from centernet.options.saved import written
from centernet.options.verbs import VERBS

# Where a run lives, what it runs on, what it shows and keeps. Its figures are the same, up to the
# noise between two trainings, whatever these are. A batch that is cut into parts counts as one.
# fmt: off
IRRELEVANT_TO_METRICS = frozenset([
    "exp_id", "root", "data_dir", "seed", "debug", "print_iter", "hide_data_time", "vis_thresh",
    "debugger_theme", "dry_run", "gpus", "num_workers", "threads", "not_cuda_benchmark",
    "channels_last", "compile", "no_fuse", "dcn", "load_model", "resume", "strict",
    "test_batch_size",
    "not_prefetch_test", "master_batch_size", "val_intervals", "metric", "save_all", "test",
    "batch_size", "accumulate", "recipe", "config", "task", "version", "torch", "command",
    "offline",
])
# fmt: on


def relevant_flags(flags: Mapping[str, Any], task: str, verb: str) -> dict[str, Any]:
    """What of `flags` (of opt.json, or of `Options.as_dict`) bears on the figures of a command."""
    silent = Parser(VERBS[verb]).silent(task)
    told = {
        name: list(value) if isinstance(value, tuple) else value
        for name, value in flags.items()
        if name not in IRRELEVANT_TO_METRICS and name not in silent
    }
    if verb == "train":
        told["images a step"] = flags["batch_size"] * flags["accumulate"]
        # Several GPUs and a resumed run lose their last digits.
        told["lr"] = float(f"{flags['lr']:.6g}")
    else:
        told.pop("lr", None)
    return told


def relevant_options(options: Options) -> dict[str, Any]:
    """`relevant_flags` of options that were parsed."""
    return relevant_flags(options.as_dict(), options.task_name, options.verb)


def differences(wanted: Mapping[str, Any], had: Mapping[str, Any]) -> list[str]:
    """`name had, not wanted` of each that is not equal; what only one of them knows is no matter.

    A flag that came to be after a run was recorded has no bearing on it.
    """
    return [
        f"{name} {_shown(had[name])}, not {_shown(value)}"
        for name, value in wanted.items()
        if name in had and had[name] != value
    ]


def _shown(value: Any) -> str:
    if isinstance(value, bool):
        return "on" if value else "off"
    return written(tuple(value)) if isinstance(value, list) else written(value)
