"""What the system says of the CPU."""

from __future__ import annotations

import platform
from pathlib import Path

CPUINFO = Path("/proc/cpuinfo")  # Linux alone has it


def processor_lines(*names: str) -> list[str]:
    """The lines of /proc/cpuinfo that begin with one of `names`; none on other systems."""
    try:
        lines = CPUINFO.read_text(encoding="utf-8").splitlines()
    except OSError:
        return []
    return [line for line in lines if line.startswith(names)]


def processor_name() -> str:
    """The name of the CPU, or what the system calls its kind."""
    for line in processor_lines("model name"):
        return line.partition(":")[2].strip()
    return platform.processor() or platform.machine()
