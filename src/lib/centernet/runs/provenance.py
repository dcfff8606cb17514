"""Where the figures of a run come from: run.json, a list of what happened in the run's folder.

Every training adds an event when it starts and one when it ends, every test one with its figures.
An event tells the command, the flags, the commit, the versions, the hardware and the hash of the
weights. Each is sealed by a hash of itself and of the seal before it, so that a figure changed by
hand, or a removed event, is noticed. A seal is no signature: who means to forge can renew it.
"""

from __future__ import annotations

import hashlib
import json
import os
import platform
import subprocess
from collections.abc import Mapping, Sequence
from datetime import datetime, timezone
from pathlib import Path
from typing import Any

import torch

from centernet import __version__
from centernet.io.files import write_text
from centernet.io.run_folder import EVENTS, RunFolder
from centernet.runtime.errors import UserError
from centernet.runtime.processor import processor_name

STARTED, ENDED, TESTED = "training started", "training ended", "tested"

Event = dict[str, Any]


class Record:
    """The events of the run in `folder`; each is written as soon as it is added."""

    def __init__(self, folder: str | Path) -> None:
        self.folder = RunFolder(folder)
        self.path = self.folder.file(EVENTS)

    def read(self) -> list[Event]:
        """All events, oldest first; [] without a file. UserError if it is no such file."""
        return self.folder.events()

    def add(self, kind: str, machine: str, **facts: Any) -> None:
        """Append an event that happened on `machine`; a damaged file is put aside first."""
        try:
            events = self.read()
        except UserError:
            os.replace(self.path, self.path.with_suffix(".damaged.json"))
            events = []
        event = {"event": kind, "time": _now(), **facts, **environment(), "hardware": machine}
        event = json.loads(json.dumps(event, allow_nan=False))  # as it will be read: lists
        event["seal"] = seal(event, events[-1].get("seal", "") if events else "")
        text = json.dumps({"events": [*events, event]}, indent=1, allow_nan=False)
        write_text(self.path, text + "\n")


def broken_seal(events: Sequence[Mapping[str, Any]]) -> int | None:
    """The place of the first event that is not as it was written, or whose forerunner is gone."""
    before = ""
    for place, event in enumerate(events):
        if event.get("seal") != seal(event, before):
            return place
        before = event["seal"]
    return None


def seal(event: Mapping[str, Any], before: str) -> str:
    """The hash of an event (without its own seal) that follows the one sealed `before`."""
    content = {name: value for name, value in event.items() if name != "seal"}
    text = before + json.dumps(content, sort_keys=True)
    return hashlib.sha256(text.encode()).hexdigest()


def environment() -> Event:
    """The commit of the code and the versions."""
    commit, changed = commit_here()
    return {
        "commit": commit,
        "changed": changed,  # whether tracked files differed from that commit
        "version": __version__,
        "torch": str(torch.__version__),
        "python": platform.python_version(),
    }


def commit_here() -> tuple[str | None, bool]:
    """(commit of this package's checkout or None, whether its tracked files were changed)."""
    here = Path(__file__).resolve()
    # A package that is installed inside somebody's repository is not of that repository's commit.
    if _git(here.parent, "ls-files", "--error-unmatch", here.name) is None:
        return None, False
    changes = _git(here.parent, "status", "--porcelain", "--untracked-files=no")
    return _git(here.parent, "rev-parse", "HEAD"), bool(changes)


def _git(folder: Path, *words: str) -> str | None:
    try:
        done = subprocess.run(
            ["git", "-C", str(folder), *words], capture_output=True, text=True, check=True
        )
    except (OSError, subprocess.CalledProcessError):  # no git, or no repository
        return None
    return done.stdout.strip()


def hardware(device: torch.device, count: int = 1) -> str:
    """What `count` processes, each on a device like this one, run on."""
    if device.type == "cuda":
        return f"{count} x {torch.cuda.get_device_name(device)}"
    return f"{processor_name()}, {os.cpu_count()} threads"


def _now() -> str:
    return datetime.now(timezone.utc).isoformat(timespec="seconds")
