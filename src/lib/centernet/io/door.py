"""The typed door: what is read back from disk is declared as types and checked here, by msgspec.

Code behind the door meets no wrong type. What does not fit is one line that names the file, the
object, the field, what stood there and what is expected. Lists of many objects are read by `rows`,
which coerces what is plainly meant (see `meaning`), counts it, and names the rest object by object.
"""

from __future__ import annotations

import gc
import re
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, TypeVar

import msgspec

from centernet.runtime.errors import UserError

T = TypeVar("T")
MARK = b"\xef\xbb\xbf"  # byte order mark, as Windows writes
SHOWN = 60  # characters of a wrong value that are quoted

_WORDS = {
    "int": "a whole number",
    "float": "a number",
    "str": "text",
    "bool": "true or false",
    "array": "a list",
    "object": "an object {...}",
    "null": "nothing (null)",
}
_EXPECTED = re.compile(r"Expected `(?P<wanted>[^`]*)`(?: of length \d+)?, got `(?P<got>[^`]*)`")
_AT = re.compile(r" - at `\$(?P<at>[^`]*)`$")
# Python's own writer puts NaN and Infinity into files, which json does not know; strings are kept.
_LITERALS = re.compile(rb'"(?:[^"\\]|\\.)*"|-?Infinity|NaN')


def read_bytes(path: str | Path, what: str = "file") -> bytes:
    """The whole of a plain file; UserError, in a line, where that cannot be had."""
    path = Path(path)
    try:
        if path.exists() and not path.is_file():
            kind = "a folder" if path.is_dir() else "a device, pipe or socket"
            raise UserError(f"{path}: {kind}, where a {what} is expected")
        return path.read_bytes()
    except FileNotFoundError:
        raise UserError(f"{path}: no such {what}") from None
    except (OSError, ValueError) as error:
        raise UserError(f"{path}: cannot be read ({_reason(error)})") from None


def read_json(path: str | Path, kind: type[T] | Any = Any, what: str = "json file") -> Any:
    """The json document at `path` as a `kind` (anything that msgspec knows as a type).

    UserError where there is none, where it is no json, or where a part of it has a wrong type.
    """
    return decode_json(read_bytes(path, what), kind, str(path))


def decode_json(data: bytes | msgspec.Raw, kind: type[T] | Any, name: str) -> Any:
    """`data` as a `kind`; UserError, beginning with `name`, as `read_json`."""
    if isinstance(data, bytes):
        data = data.removeprefix(MARK)
    try:
        with no_collection():
            return msgspec.json.decode(data, type=kind)
    except msgspec.ValidationError as error:
        raise UserError(f"{name}: {_in_words(error, data)}") from None
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError, OverflowError) as error:
        raise UserError(f"{name}: not a json file, or damaged ({_damage(error)})") from None


def with_numbers_quoted(data: bytes) -> bytes:
    """`data` with NaN, Infinity and -Infinity, which json does not have, as texts."""
    if b"NaN" not in data and b"Infinity" not in data:
        return data
    return _LITERALS.sub(
        lambda found: found[0] if found[0][:1] == b'"' else b'"' + found[0] + b'"', data
    )


def shown(value: Any) -> str:
    """A wrong value as a message quotes it: cut short, on one line, without lone surrogates."""
    text = value if isinstance(value, str) else _plain(value)
    text = " ".join(text.encode("utf-8", "backslashreplace").decode().split())
    text = text if len(text) <= SHOWN else text[: SHOWN - 3] + "..."
    return f"'{text}'" if isinstance(value, str) else text


def one_line(text: str, most: int = 300) -> str:
    """`text` as a part of a message: no line breaks or control characters, not too long."""
    if not text.isprintable():
        text = "".join(c if c.isprintable() else ascii(c)[1:-1] for c in text)
    return text if len(text) <= most else f"{text[: most // 2]} ... {text[-most // 4 :]}"


@contextmanager
def no_collection() -> Iterator[None]:
    """No search for garbage: among the millions of new json objects it takes half of the time."""
    enabled = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if enabled:
            gc.enable()


def _plain(value: Any) -> str:
    if isinstance(value, int) and not isinstance(value, bool) and abs(value) >= 10**40:
        return "a whole number of more than 40 digits"
    try:
        return str(value) if isinstance(value, float) else repr(value)
    except (RecursionError, ValueError):
        return f"a {type(value).__name__}"


def _in_words(error: Exception, data: bytes | msgspec.Raw) -> str:
    """msgspec's "Expected `int`, got `str` - at `$.images[3].id`" as a sentence."""
    text = str(error)
    at = _AT.search(text)
    place = (at["at"] if at else "").lstrip(".") or "the whole file"
    text = text[: at.start()] if at else text
    found = _EXPECTED.search(text)
    if found is None:
        return f"{place}: {text[:1].lower()}{text[1:]}".replace("`", "'")
    wanted = " or ".join(_WORDS.get(word.strip(), word) for word in found["wanted"].split("|"))
    return f"{place} is {_found(data, place, found['got'])}, where {wanted} is expected"


def _found(data: bytes | msgspec.Raw, place: str, got: str) -> str:
    """What stands at `place` ("images[3].id"), quoted if it can be told, else its kind."""
    kind = _WORDS.get(got, got)
    if place == "the whole file" or "..." in place:
        return kind
    try:
        value = msgspec.json.decode(data)
        for step in re.findall(r"[^.\[\]]+", place):
            value = value[int(step)] if isinstance(value, list) else value[step]
    except (ValueError, RecursionError, LookupError, TypeError):
        return kind
    return shown(value)


def _damage(error: Exception) -> str:
    if isinstance(error, RecursionError):
        return "nested too deeply"
    if isinstance(error, UnicodeDecodeError):
        return f"not UTF-8 at byte {error.start}; save it as UTF-8"
    text = str(error).removeprefix("JSON is malformed: ")
    return text if "truncated" not in text else "it ends too early, or a text in it is cut"


def _reason(error: Exception) -> str:
    return (getattr(error, "strerror", None) or str(error)).splitlines()[0]
