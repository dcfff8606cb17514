"""`doctor`: what works on this machine, what does not, and what to do about it."""

from __future__ import annotations

import os
import platform
import shutil
import sys
from collections.abc import Callable, Iterable
from pathlib import Path

from centernet import __version__
from centernet.commands.checkup.finding import BAD, GOOD, NOTE, Finding
from centernet.commands.checkup.packages import check_packages
from centernet.options import groups
from centernet.options.options import Options
from centernet.options.verbs import Verb
from centernet.runtime.errors import UserError

# What needs a package is imported only when the packages have been seen to be there.
LITTLE = 20e9  # bytes: COCO's training images alone


def run(options: Options) -> None:
    """Print what was found; UserError when something is broken that commands need."""
    root, data = options.root, options.data.data_dir
    checks: dict[str, Callable[[], Iterable[Finding]]] = {
        "versions": lambda: [*check_system(), *check_packages()],
        "device": check_device,
        "operators": check_operators,
        "data and checkpoints": lambda: check_files(root, data),
        "disk": lambda: check_disk(root),
    }
    broken: list[str] = []
    for title, check in checks.items():
        print(f"{title}:")
        for finding in looked_at(check):
            for line in finding.lines():
                print(f"  {without_home(line)}")
            if finding.state == BAD:
                broken.append(finding.what)
        if broken and title == "versions":
            print("the rest cannot be looked at without these packages")
            break
    if broken:
        raise UserError(f"{len(broken)} broken: {without_home(broken[0])}; see the remedies above")
    print("nothing is broken")


def looked_at(check: Callable[[], Iterable[Finding]]) -> Iterable[Finding]:
    """The findings of `check`, ended by one about the file or disk that cannot be looked at."""
    try:
        yield from check()
    except OSError as error:
        what = f"{error.filename or 'the disk'}: cannot be looked at ({error.strerror or error})"
        yield Finding(NOTE, what, "give your user the right to read it, or see to the disk")


def without_home(line: str) -> str:
    """`line` with the user's folder written as ~, as a report should have it."""
    home = str(Path.home())
    return line if len(home) < 2 else line.replace(home + os.sep, "~" + os.sep)


def check_system() -> Iterable[Finding]:
    """Python and the system."""
    python = platform.python_version()
    yield Finding(GOOD, f"centernet {__version__}, Python {python}, {platform.platform()}")
    if sys.prefix == sys.base_prefix:
        yield Finding(NOTE, f"{sys.prefix} is no virtual environment")


def check_device() -> Iterable[Finding]:
    """What the network would run on."""
    import torch

    from centernet.io.meter import megabytes
    from centernet.runtime.device import choose_devices

    said: list[str] = []
    choose_devices((0,), said.append)
    for line in said:
        remedy = ""
        if torch.version.cuda is None and shutil.which("nvidia-smi"):
            remedy = "there is an NVIDIA driver: install a CUDA build, see https://pytorch.org"
        yield Finding(NOTE, line, remedy)
    if torch.cuda.is_available():
        for number in range(torch.cuda.device_count()):
            facts = torch.cuda.get_device_properties(number)
            size = megabytes(facts.total_memory)
            what = f"GPU {number}: {facts.name}, {size}, capability {facts.major}.{facts.minor}"
            yield Finding(GOOD, f"{what}, CUDA {torch.version.cuda}")
    cores, threads = os.cpu_count(), torch.get_num_threads()
    yield Finding(GOOD, f"CPU: {platform.machine()}, {cores} cores, {threads} threads for PyTorch")


def check_operators() -> Iterable[Finding]:
    """What is compiled, or stands in for it."""
    from centernet.commands.checkup.operators import check_dcn, check_nms, check_torchvision

    return [*check_torchvision(), *check_dcn(), *check_nms()]


def check_files(root: Path, data: Path) -> Iterable[Finding]:
    """Data sets and checkpoints."""
    from centernet.commands.checkup.data import check_checkpoints, check_data

    return [*check_data(data), *check_checkpoints(root)]


def check_disk(root: Path) -> Iterable[Finding]:
    """The room where runs are kept."""
    root = root.absolute()
    if not root.is_dir():
        yield Finding(BAD, f"there is no folder {root}", "name another with --root")
        return
    free = shutil.disk_usage(root).free
    state = GOOD if free > LITTLE else NOTE
    remedy = "" if free > LITTLE else "COCO needs about 40 GB while it is unpacked: --data_dir"
    yield Finding(state, f"{free / 1e9:.1f} GB free in {root}", remedy)
    if not os.access(root, os.W_OK):
        yield Finding(BAD, f"{root} cannot be written", "name another with --root")


VERB = Verb(
    name="doctor",
    help="What works on this machine, what does not, and what to do about it",
    details="Versions, device, operators, data, checkpoints and disk; fit to be pasted into a"
    " report. Nothing is sent, and nothing written but the compiled kernels in your cache.",
    groups=(groups.Place, groups.Data),
    run=run,
    takes_task=False,
    program="doctor.py",
    partly={groups.Data: ("data_dir",)},
)
