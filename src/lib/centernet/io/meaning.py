"""What is plainly meant by a value of an unusual type: "512" and 512.0 are the size 512.

Each function returns the value in its proper type or raises ValueError; none ever answers with a
default. Texts of numbers are read as they stand; commas and blanks part lists.
"""

from __future__ import annotations

import math
import re
from collections.abc import Callable
from typing import Any

Name = int | str  # an id: of images, categories
Numbers = list[float]

_TRUE = frozenset({"1", "true", "yes", "y", "t"})
_FALSE = frozenset({"0", "false", "no", "n", "f", ""})
LONGEST = 400  # characters of a text that is read as one number


def number(value: Any) -> float:
    """A float, NaN and infinities among them."""
    if isinstance(value, bool):
        raise ValueError("a truth value")
    if isinstance(value, str) and len(value) > LONGEST:
        raise ValueError("too long")
    if isinstance(value, int | float | str):
        try:
            return float(value)
        except OverflowError:
            raise ValueError("too large") from None
    raise ValueError("no number")


def whole(value: Any) -> int:
    """An int: 512, 512.0, "512", "512.0"."""
    if isinstance(value, bool):
        raise ValueError("a truth value")
    if isinstance(value, int):
        return value
    if isinstance(value, str) and len(value) <= LONGEST and re.fullmatch(r"\s*[+-]?\d+\s*", value):
        return int(value)
    found = number(value)
    if not math.isfinite(found) or found != int(found):
        raise ValueError("no whole number")
    return int(found)


def name(value: Any) -> Name:
    """An id: a whole number, also where it is written 7.0, or a text."""
    if isinstance(value, str):
        return value
    if isinstance(value, float) and math.isfinite(value) and value != int(value):
        return repr(value)
    return whole(value)


def truth(value: Any) -> bool:
    """True or False: 0, 1, 0.0, "0", "False", "no" ...; other numbers than 0 are true."""
    if isinstance(value, str):
        word = value.strip().lower()
        if word in _TRUE | _FALSE:
            return word in _TRUE
        return number(word) != 0
    if isinstance(value, bool):
        return value
    found = number(value)
    if math.isnan(found):
        raise ValueError("not a number")
    return found != 0


def text(value: Any) -> str:
    """A text: also a number that stands where a name should."""
    if isinstance(value, bool) or not isinstance(value, str | int | float):
        raise ValueError("no text")
    return str(value)


def numbers(value: Any) -> Numbers:
    """A flat list of floats: nested lists are laid out, null is NaN, "1 2, 3" and "[1, 2]" read."""
    if isinstance(value, str):
        words = value.strip().strip("[]()").replace(",", " ").split()
        if not words:
            raise ValueError("no numbers")
        return [number(word) for word in words]
    if not isinstance(value, list | tuple):
        raise ValueError("no list")
    flat: list[float] = []
    for item in value:
        if isinstance(item, list | tuple):
            flat += numbers(item)
        elif isinstance(item, bool):
            flat.append(float(item))
        else:
            flat.append(math.nan if item is None else number(item))
    return flat


WORDS: dict[Callable[[Any], Any], str] = {
    number: "a number",
    whole: "a whole number",
    name: "a number or a text",
    truth: "0 or 1",
    text: "a text",
    numbers: "a list of numbers",
}
