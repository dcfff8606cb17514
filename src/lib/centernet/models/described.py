"""The description in a checkpoint, checked as it is read: no code behind meets a wrong type."""

from __future__ import annotations

import math
import re
from collections.abc import Iterator, Mapping
from typing import Any, Literal

import msgspec

from centernet.io.door import shown
from centernet.io.meaning import Name
from centernet.runtime.errors import UserError

LARGEST = 1 << 16  # side of an input, channels of a head, objects of an image, joints
MOST_CLASSES = 1 << 20
_AT = re.compile(r" - at `\$\.?(?P<at>[^`]*)`$")
_GOT = re.compile(r"Expected `(?P<wanted>[^`]*)`(?: of length (?P<length>\d+))?")
_WORDS = {
    "int": "a whole number", "float": "a number", "str": "a text", "bool": "True or False",
    "array": "a list", "object": "a mapping", "null": "None",
}  # fmt: skip


class Description(msgspec.Struct):
    """What `describe` writes; any part may be absent, what is there has these types."""

    task: str = ""
    options: dict[str, Any] = {}
    arch: str = ""
    head_conv: int = -1
    network: dict[str, Any] | str = {}
    heads: dict[str, int] = {}
    name: str = ""
    class_names: list[str] = []
    category_ids: list[Name] = []
    provides: list[str] = []
    joints: list[str] = []
    flip_pairs: list[tuple[int, int]] = []
    skeleton: list[tuple[int, int]] = []
    sigmas: list[float] | None = None
    mean: tuple[float, float, float] = (0.0, 0.0, 0.0)
    std: tuple[float, float, float] = (1.0, 1.0, 1.0)
    colour: Literal["BGR", "RGB"] = "BGR"
    max_objects: int = 1
    input_size: tuple[int, int] = (1, 1)
    keep_res: bool = False
    dataset: str = ""
    library_version: str = ""


def checked(description: Mapping[Any, Any], file: str) -> dict[str, Any]:
    """`description` as it is; UserError names `file`, the field, what stands there, what should."""
    for key in description:
        if not isinstance(key, str):
            raise UserError(f"{file}: description: {shown(key)} is not the name of a field")
    try:
        typed = msgspec.convert(dict(description), Description)
    except msgspec.ValidationError as error:
        raise UserError(f"{file}: description: {_in_words(error, description)}") from None
    except (RecursionError, TypeError, ValueError, OverflowError, AttributeError):
        raise UserError(f"{file}: description: holds values that no description has") from None
    for field, fault in _faults(typed, description):
        raise UserError(f"{file}: description: {field} {fault}")
    return dict(description)


def _faults(typed: Description, given: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    """What has the right type and cannot be so all the same."""
    classes, joints = len(typed.class_names), len(typed.joints)
    if "class_names" in given and not 0 < classes <= MOST_CLASSES:
        yield "class_names", f"has {classes} names"
    if "category_ids" in given and "class_names" in given and len(typed.category_ids) != classes:
        yield "category_ids", f"has {len(typed.category_ids)} ids for {classes} classes"
    for field in ("flip_pairs", "skeleton"):
        for pair in getattr(typed, field):
            if not all(0 <= joint < joints for joint in pair):
                yield field, f"has {shown(pair)}, with joints numbered 0 to {joints - 1}"
    if typed.sigmas is not None:
        if len(typed.sigmas) != joints:
            yield "sigmas", f"has {len(typed.sigmas)} numbers for {joints} joints"
        if not all(0 < sigma < math.inf for sigma in typed.sigmas):
            yield "sigmas", "has a number that is not above 0"
    if not all(math.isfinite(value) for value in typed.mean):
        yield "mean", f"is {shown(typed.mean)}, not three finite numbers"
    if not all(0 < value < math.inf for value in typed.std):
        yield "std", f"is {shown(typed.std)}, not three numbers above 0"
    if not all(0 < side <= LARGEST for side in typed.input_size):
        yield "input_size", f"is {shown(typed.input_size)}, not (height, width) in pixels"
    if not 0 < typed.max_objects <= LARGEST:
        yield "max_objects", f"is {shown(typed.max_objects)}, not a number of objects"
    if not -1 <= typed.head_conv <= LARGEST:
        yield "head_conv", f"is {shown(typed.head_conv)}, not a number of channels"
    for head, channels in typed.heads.items():
        if not 0 < channels <= MOST_CLASSES:
            yield "heads", f"has {shown(channels)} channels for {shown(head)}"


def checked_options(
    hints: Mapping[str, Any], options: Mapping[str, Any], file: str
) -> dict[str, Any]:
    """Those of `options` that `hints` ({name: type}) has, in those types; else UserError."""
    found = {}
    for name, value in options.items():
        if name not in hints:
            continue
        try:
            found[name] = msgspec.convert(value, hints[name])
        except (ValueError, TypeError, AttributeError) as error:
            words = _in_words(error, {}) if isinstance(error, msgspec.ValidationError) else ""
            expected = words.partition("where ")[2] or "another type is expected"
            raise UserError(
                f"{file}: description: options: {name} is {shown(value)}, where {expected}"
            ) from None
    return found


def _in_words(error: Exception, given: Mapping[str, Any]) -> str:
    """msgspec's "Expected `int`, got `str` - at `$.heads`" as a sentence."""
    text = str(error)
    at = _AT.search(text)
    place = at["at"] if at else ""
    found = _GOT.search(text)
    words = found["wanted"].split("|") if found else []
    wanted = " or ".join(_WORDS.get(word.strip(), word) for word in words)
    if found is not None and found["length"]:
        wanted += f" of {found['length']}"
    if not wanted:
        wanted = "another value"
    field = re.split(r"[.\[]", place)[0]
    value = f" is {shown(given[field])}" if field in given else ""
    inner = f" (at {place})" if place != field else ""
    return f"{field}{value}, where {wanted} is expected{inner}"
