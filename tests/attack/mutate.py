"""Mutations of small files: every field replaced, absent, doubled, huge, cut short."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

from hypothesis import HealthCheck, settings
from hypothesis import strategies as st

from tests.long import LONG

TRIED = settings(
    max_examples=4000 if LONG else 250,
    deadline=None,
    derandomize=not LONG,
    suppress_health_check=list(HealthCheck),
)


class Text(str):
    """A piece of json as it stands, well-formed or not."""


WRONG: list[Any] = [
    None, True, False, 0, -1, 1, 7, 0.5, 1e30, -0.0, 2**63, 2**70, -(2**64), "", "a", "0", "1.0",
    "512.0", "False", "nan", "[1, 2, 3, 4]", "../../x", "a\0b", "\u202e", "é" * 300, [], [[]], [1],
    [1, 2, 3, 4], [0.5] * 6, ["a"] * 4, [None] * 4, {}, {"a": 1}, {"size": [4, 4], "counts": "04"},
    {"size": [9999999, 9999999], "counts": [1, 2]}, {"size": [40, 60], "counts": "zzzz"},
    [{}], [[[[1]]]], Text("NaN"), Text("-Infinity"), Text("1e999"), Text('"\\ud800"'),
    Text("[" * 10000 + "]" * 10000), Text('{"a":' * 10000 + "1" + "}" * 10000), Text("9" * 100_000),
    Text("0." + "1" * 5000), Text("nul"), Text("01"), Text("'a'"), Text('"\t"'), Text("/**/1"),
]  # fmt: skip


def places(value: Any, path: tuple[Any, ...] = ()) -> Iterator[tuple[Any, ...]]:
    """The path of every value in a document, the document itself among them."""
    yield path
    if isinstance(value, dict | list):
        items: Any = value.items() if isinstance(value, dict) else enumerate(value)
        for key, item in items:
            yield from places(item, (*path, key))


def written(value: Any, doubled: tuple[Any, ...] = (), path: tuple[Any, ...] = ()) -> str:
    """The document as json, in which the key at `doubled` stands twice."""
    if isinstance(value, Text):
        return str(value)
    if isinstance(value, dict):
        parts = [
            f"{json.dumps(key)}: {written(item, doubled, (*path, key))}"
            for key, item in value.items()
            for _ in range(1 + (bool(doubled) and (*path, key) == doubled))
        ]
        return "{" + ", ".join(parts) + "}"
    if isinstance(value, list):
        inner = (written(item, doubled, (*path, n)) for n, item in enumerate(value))
        return "[" + ", ".join(inner) + "]"
    return json.dumps(value)


def replaced(value: Any, path: tuple[Any, ...], new: Any, absent: bool = False) -> Any:
    """A copy of the document with another value at `path`, or none."""
    if not path:
        return new
    key, *rest = path
    copy = dict(value) if isinstance(value, dict) else list(value)
    if absent and not rest:
        del copy[key]
    else:
        copy[key] = replaced(copy[key], tuple(rest), new, absent)
    return copy


@st.composite
def json_attacks(draw: st.DrawFn, document: Any) -> bytes:
    """One to three mutations of `document`, sometimes cut short, sometimes with stray bytes."""
    doubled: tuple[Any, ...] = ()
    for _ in range(draw(st.integers(1, 3))):
        path = draw(st.sampled_from(list(places(document))))
        kind = draw(st.sampled_from(["wrong"] * 6 + ["absent", "doubled"]))
        if kind == "doubled":
            doubled = path
        elif kind == "absent" and path:
            document = replaced(document, path, None, absent=True)
        else:
            document = replaced(document, path, draw(st.sampled_from(WRONG)))
        if not isinstance(document, dict | list) or isinstance(document, Text):
            break
    text = written(document, doubled).encode("utf-8", "surrogatepass")
    if draw(st.integers(0, 9)) == 0:
        return text[: draw(st.integers(0, len(text)))]
    if draw(st.integers(0, 9)) == 0:
        at = draw(st.integers(0, len(text)))
        return text[:at] + draw(st.binary(min_size=1, max_size=4)) + text[at:]
    return text


WORDS = [
    "", " ", "-", "nan", "inf", "-inf", "1e999", "9" * 5000, "0x10", "a", "é", "\0", "-1", "1e30",
    "0.5,", "1_000", "\u0664", "\ufeff", "-0.0", "9223372036854775808", "\x1b[2J", "1" * 400, "#",
    "\u2028", "\r", "'", '"', "[", "{", "&a", "*a", "!!python/object:os.system", "<", "&", "%s",
]  # fmt: skip


@st.composite
def text_attacks(draw: st.DrawFn, text: str, separators: str = " \n") -> bytes:
    """Mutations of a text of words: one replaced, absent, doubled; lines too; bytes; cut short."""
    for _ in range(draw(st.integers(1, 3))):
        words = _split(text, separators)
        at = draw(st.integers(0, len(words) - 1))
        kind = draw(st.sampled_from(["wrong"] * 5 + ["absent", "doubled"]))
        if kind == "wrong":
            words[at] = draw(st.sampled_from(WORDS))
        elif kind == "absent":
            del words[at]
        else:
            words.insert(at, words[at])
        text = "".join(words) or "\n"
    data = text.encode("utf-8", "surrogatepass")
    if draw(st.integers(0, 5)) == 0:
        return data[: draw(st.integers(0, len(data)))]
    if draw(st.integers(0, 5)) == 0:
        at = draw(st.integers(0, len(data)))
        return data[:at] + draw(st.binary(min_size=1, max_size=4)) + data[at:]
    return data


def _split(text: str, separators: str) -> list[str]:
    """The words and the separators between them, in order."""
    parts = [""]
    for letter in text:
        if (letter in separators) != (parts[-1][:1] in separators and parts[-1] != ""):
            parts.append("")
        parts[-1] += letter
    return [part for part in parts if part] or [text]
