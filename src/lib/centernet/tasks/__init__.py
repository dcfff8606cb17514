"""The tasks, by the word that starts every command."""

from __future__ import annotations

from centernet.tasks.ctdet import Ctdet
from centernet.tasks.ddd import Ddd
from centernet.tasks.exdet import Exdet
from centernet.tasks.multi_pose import MultiPose
from centernet.tasks.task import Head, Task
from centernet.tasks.triplet import Triplet

TASKS: dict[str, type[Task]] = {task.name: task for task in (Ctdet, MultiPose, Ddd, Exdet, Triplet)}

__all__ = ["TASKS", "Head", "Task"]
