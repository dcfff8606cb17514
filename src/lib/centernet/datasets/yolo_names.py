"""The few keys of a YOLO data.yaml that matter here.

Read by PyYAML with every scalar as the text that stands there, so that a class may be called `no`
or `1.0`; nothing in the file is ever made into an object of Python.
"""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import msgspec
import yaml

from centernet.io.door import shown
from centernet.io.files import read_lines
from centernet.runtime.errors import UserError

PARTS = ("train", "val", "valid", "validation", "test")
LONGEST = 10_000_000  # characters of a file that describes a data set


class Described(msgspec.Struct):
    """What a data.yaml states; None where it does not. Parts are lists of paths, as written."""

    path: str | None = None
    parts: dict[str, list[str]] = {}
    names: list[str] | None = None
    count: int | None = None  # nc
    kpt_shape: tuple[int, int] | None = None
    flip_idx: list[int] | None = None


class _Loader(yaml.BaseLoader):
    """Without anchors: a file of ten lines could mean millions of values by them."""

    def compose_node(self, parent: Any, index: Any) -> Any:
        if self.check_event(yaml.AliasEvent):
            event = self.peek_event()
            raise yaml.composer.ComposerError(
                None, None, "names of other values (*alias) are not read", event.start_mark
            )
        return super().compose_node(parent, index)


def read_described(path: Path) -> Described:
    """The file at `path`; UserError, naming the key, for a statement that is not understood."""
    given = _read(path)
    parts = {}
    for part in PARTS:
        if given.get(part):
            parts[part] = _paths(given[part], f"{path}: {part}")
    described = Described(parts=parts)
    if given.get("path"):
        described.path = _text(given["path"], f"{path}: path")
    if given.get("names"):
        described.names = _names(given["names"], path)
    if given.get("nc"):
        described.count = _whole(given["nc"])
        if described.count is None:
            raise UserError(f"{path}: nc is {shown(given['nc'])}, not a number of classes")
        if described.names is not None and len(described.names) != described.count:
            raise UserError(
                f"{path}: nc is {described.count}, but names has {len(described.names)} names"
            )
    if given.get("kpt_shape"):
        described.kpt_shape = _shape(given["kpt_shape"], path)
    if given.get("flip_idx"):
        found = given["flip_idx"]
        numbers = [_whole(n) for n in found] if isinstance(found, list) else [None]
        if None in numbers:
            raise UserError(f"{path}: flip_idx is {shown(found)}, not a list of joint numbers")
        described.flip_idx = [n for n in numbers if n is not None]
    return described


def read_data_yaml(path: Path) -> dict[str, Any]:
    """{"names": list of class names, "path", "train", "val", ...: strings}, as far as present.

    A part of several folders is a list; "kpt_shape" is [joints, numbers of each].
    """
    described = read_described(path)
    found: dict[str, Any] = {} if described.path is None else {"path": described.path}
    for part, paths in described.parts.items():
        found[part] = paths[0] if len(paths) == 1 else paths
    if described.names is not None:
        found["names"] = described.names
    if described.kpt_shape is not None:
        found["kpt_shape"] = list(described.kpt_shape)
    return found


def _read(path: Path) -> dict[str, Any]:
    text = "\n".join(read_lines(path))
    if len(text) > LONGEST:
        raise UserError(f"{path}: {len(text)} characters are no description of a data set")
    try:
        found = yaml.load(text, _Loader)
    except yaml.YAMLError as error:
        mark = getattr(error, "problem_mark", None)
        where = f", line {mark.line + 1}" if mark else ""
        problem = getattr(error, "problem", None) or str(error).splitlines()[0]
        raise UserError(f"{path}{where}: not YAML ({problem})") from None
    except RecursionError:
        raise UserError(f"{path}: not YAML (nested too deeply)") from None
    if found in (None, ""):
        return {}
    if not isinstance(found, dict):
        raise UserError(f"{path}: {shown(found)}, where 'names: ...' and the like are expected")
    return {str(key): value for key, value in found.items() if isinstance(key, str)}


def _paths(given: Any, where: str) -> list[str]:
    if isinstance(given, str):
        return [given]
    if isinstance(given, list) and all(isinstance(path, str) and path for path in given):
        return given
    raise UserError(f"{where} is {shown(given)}, not a folder, a list file or a list of them")


def _text(given: Any, where: str) -> str:
    if isinstance(given, str) and "\0" not in given:
        return given
    raise UserError(f"{where} is {shown(given)}, not a folder")


def _names(given: Any, path: Path) -> list[str]:
    if isinstance(given, str):
        raise UserError(f"{path}: names: {shown(given)} is not a list of class names")
    if isinstance(given, list):
        wrong = [name for name in given if not isinstance(name, str)]
        if wrong:
            raise UserError(f"{path}: names: {shown(wrong[0])} is not the name of a class")
        return _each_once(given, path)
    named: dict[int, str] = {}
    for key, name in given.items():
        number = _whole(key)
        if number is None or not isinstance(name, str):
            raise UserError(f"{path}: names: '{key}: {name}' is not 'number: name'"[:200])
        named[number] = name
    if sorted(named) != list(range(len(named))):
        raise UserError(f"{path}: names must be numbered 0 to {len(named) - 1} without gaps")
    return _each_once([named[number] for number in range(len(named))], path)


def _each_once(names: list[str], path: Path) -> list[str]:
    twice = sorted({name for name in names if names.count(name) > 1}) if len(names) < 5000 else []
    if twice:
        raise UserError(f"{path}: names: more than one class is called {shown(twice[0])}")
    return names


def _shape(given: Any, path: Path) -> tuple[int, int]:
    words = given if isinstance(given, list) else re.findall(r"[^\s,\[\]()]+", str(given))
    numbers = [_whole(word) for word in words]
    if len(numbers) == 2 and None not in numbers and 0 < int(numbers[0] or 0) < 10_000:
        joints, each = int(numbers[0] or 0), int(numbers[1] or 0)
        if each in (2, 3):
            return joints, each
    raise UserError(
        f"{path}: kpt_shape must be [joints, numbers of each], such as [17, 3], not"
        f" {given if isinstance(given, str) else shown(given)}"
    )


def _whole(word: Any) -> int | None:
    if isinstance(word, str) and word.strip().isascii() and word.strip().isdigit():
        return int(word) if len(word) < 10 else None
    return None
