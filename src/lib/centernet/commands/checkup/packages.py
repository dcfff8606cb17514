"""Which packages are installed, as the package's own requirements name them."""

from __future__ import annotations

import importlib
import re
from collections.abc import Iterable
from importlib import metadata

from centernet.commands.checkup.finding import BAD, GOOD, NOTE, Finding

# Where the module is not called like the package.
MODULES = {"opencv-python": "cv2", "PyYAML": "yaml", "pillow": "PIL"}
WINDOWLESS = "opencv-python-headless"
REQUIREMENT = re.compile(r"([\w.-]+)\s*(?:>=\s*([\d.]+))?")


def check_packages() -> Iterable[Finding]:
    """Each required package: whether it is there, imports, and is new enough; then the extras."""
    extras: dict[str, list[str]] = {}
    for line in metadata.requires("centernet") or []:
        stated = REQUIREMENT.match(line)
        assert stated is not None  # our own pyproject.toml
        name, least = stated.groups()
        extra = re.search(r"extra == ['\"](\w+)", line)
        if extra is None:
            yield required(name, least)
        else:
            extras.setdefault(extra[1], []).append(name)
    for title, names in extras.items():
        versions = {name: version_of(name) for name in names}
        missing = [name for name, version in versions.items() if version is None]
        there = [f"{name} {version}" for name, version in versions.items() if version]
        if missing:
            text = f"optional [{title}]: without {', '.join(missing)}"
            yield Finding(NOTE, text, f'pip install "centernet[{title}]", if you want it')
        else:
            yield Finding(GOOD, f"optional [{title}]: {', '.join(there)}")
    if version_of("opencv-python") and version_of(WINDOWLESS):
        yield Finding(
            NOTE,
            f"opencv-python and {WINDOWLESS} lie over each other",
            f"pip uninstall opencv-python {WINDOWLESS}, then install one of them",
        )


def required(name: str, least: str | None) -> Finding:
    """The finding on one required package, of which `least` is the oldest that will do."""
    version = version_of(name) or (version_of(WINDOWLESS) if name == "opencv-python" else None)
    install = f'pip install "{name}>={least}"' if least else f"pip install {name}"
    if version is None:
        return Finding(BAD, f"{name} is not installed", install)
    try:
        importlib.import_module(MODULES.get(name, name))
    except Exception as error:  # whatever a broken installation raises
        first = (str(error) or type(error).__name__).splitlines()[0]
        remedy = f"{install} again"
        if name == "opencv-python":
            remedy = f"pip uninstall {name}, then pip install {WINDOWLESS}: it needs no display"
        return Finding(BAD, f"{name} {version} does not import ({first})", remedy)
    if least and numbers(version) < numbers(least):
        return Finding(BAD, f"{name} {version} is older than {least}", install)
    return Finding(GOOD, f"{name} {version}")


def version_of(name: str) -> str | None:
    """The installed version of a package; None if there is none."""
    try:
        return metadata.version(name)
    except metadata.PackageNotFoundError:
        return None


def numbers(version: str) -> tuple[int, ...]:
    """ "2.15.0+cu132" as (2, 15, 0)."""
    digits = re.split(r"[^\d.]", version, maxsplit=1)[0]
    return tuple(int(part) for part in digits.split(".") if part)
