"""The tasks, by the word that starts every command.

A task is imported when it is first used; its flags, which `--help` shows, are in `tasks.options`.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

from centernet.runtime.registry import Registry
from centernet.tasks.options import TaskOptions

if TYPE_CHECKING:
    from centernet.heads.head import Head
    from centernet.tasks.task import Task

TASKS: Registry[type[Task]] = Registry(
    {
        "ctdet": "centernet.tasks.ctdet:Ctdet",
        "multi_pose": "centernet.tasks.multi_pose:MultiPose",
        "ddd": "centernet.tasks.ddd:Ddd",
        "exdet": "centernet.tasks.exdet:Exdet",
        "triplet": "centernet.tasks.triplet:Triplet",
        "tracking": "centernet.tasks.tracking:Tracking",
    }
)
# The flags of each, by the same name.
OPTIONS: Registry[type[TaskOptions]] = Registry(
    {
        "ctdet": "centernet.tasks.options:CtdetOptions",
        "multi_pose": "centernet.tasks.options:MultiPoseOptions",
        "ddd": "centernet.tasks.options:DddOptions",
        "exdet": "centernet.tasks.options:ExdetOptions",
        "triplet": "centernet.tasks.options:TripletOptions",
        "tracking": "centernet.tasks.options:TrackingOptions",
    }
)

ALIASES = {"tracking,ctdet": "tracking"}  # other words for some, as CenterTrack has them

__all__ = ["ALIASES", "OPTIONS", "TASKS", "Head", "Task", "task_options"]


def task_options(name: str) -> type[TaskOptions]:
    """The flags of a task; those of one that a program has added are its class's `Options`."""
    known = name in OPTIONS and not TASKS.imported(name)
    return OPTIONS[name] if known else TASKS[name].Options


def __getattr__(name: str) -> Any:
    """`Head` and `Task`, imported when first used: they need PyTorch, the names above do not."""
    if name not in ("Head", "Task"):
        raise AttributeError(f"module 'centernet.tasks' has no attribute '{name}'")
    where = {"Head": "centernet.heads.head", "Task": "centernet.tasks.task"}
    return getattr(import_module(where[name]), name)
