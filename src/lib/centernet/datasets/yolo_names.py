"""The few keys of a YOLO data.yaml that matter here, read without a YAML package.

Understood: `key: value`, lists in brackets or as lines with a dash, and maps from index to name in
braces or as indented lines. That is all such files hold.
"""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

from centernet.io.files import read_lines
from centernet.runtime.errors import UserError

_KEYS = ("path", "train", "val", "valid", "test")
_ENTRY = re.compile(r"^(?P<key>[\w'\"]+)\s*:\s*(?P<value>.*)$")


def read_data_yaml(path: Path) -> dict[str, Any]:
    """{"names": list of class names, "path", "train", "val", ...: strings}, as far as present.

    "kpt_shape", where labels have keypoints, is a list of two: joints, numbers of each.
    """
    found: dict[str, Any] = {}
    block: str | None = None  # top-level key whose indented lines follow
    lines: dict[str, list[str]] = {}
    for line in read_lines(path):
        line = _without_comment(line).rstrip()
        if not line.strip():
            continue
        indented = line[0] in " \t" or line.startswith("- ")
        entry = _ENTRY.match(line)
        if block and (indented or entry is None):
            lines.setdefault(block, []).append(line.strip())
        elif entry:
            block = _unquoted(entry["key"])
            if entry["value"]:
                lines.setdefault(block, []).append(entry["value"])
    for key in _KEYS:
        if len(lines.get(key, [])) == 1:
            found[key] = _unquoted(lines[key][0].strip())
    if "kpt_shape" in lines:
        given = " ".join(lines["kpt_shape"])
        found["kpt_shape"] = [int(n) for n in re.findall(r"\d+", given)]
        if len(found["kpt_shape"]) != 2:
            raise UserError(
                f"{path}: kpt_shape must be [joints, numbers of each], such as [17, 3], not {given}"
            )
    if "names" in lines:
        found["names"] = _names(lines["names"], path)
    return found


def _names(lines: list[str], path: Path) -> list[str]:
    text = " ".join(lines)
    if text[0] in "[{":
        items = [
            item.strip() for item in re.split(r",(?=(?:[^'\"]|'[^']*'|\"[^\"]*\")*$)", text[1:-1])
        ]
        items = [item for item in items if item]
        mapped = text[0] == "{"
    elif lines[0].startswith("-"):
        items, mapped = [line.lstrip("- ") for line in lines], False
    else:
        items, mapped = lines, True
    if not mapped:
        return [_unquoted(item) for item in items]
    named: dict[int, str] = {}
    for item in items:
        number, _, name = item.partition(":")
        if not _unquoted(number.strip()).isdigit():
            raise UserError(f"{path}: names: '{item}' is not 'number: name'")
        named[int(_unquoted(number.strip()))] = _unquoted(name.strip())
    if sorted(named) != list(range(len(named))):
        raise UserError(f"{path}: names must be numbered 0 to {len(named) - 1} without gaps")
    return [named[number] for number in range(len(named))]


def _unquoted(text: str) -> str:
    quoted = len(text) >= 2 and text[0] == text[-1] and text[0] in "'\""
    return text[1:-1] if quoted else text


def _without_comment(line: str) -> str:
    """`line` up to a # that starts it or follows a blank, outside quotes."""
    quote = ""
    for place, letter in enumerate(line):
        if quote:
            quote = "" if letter == quote else quote
        elif letter in "'\"":
            quote = letter
        elif letter == "#" and (place == 0 or line[place - 1] in " \t"):
            return line[:place]
    return line
