"""Lists of many objects out of a json file, each declared as a struct.

A list in which every object is as declared is decoded in one go. Where one is not, the objects are
read one by one and field by field: what is plainly meant is coerced and counted, what is not is
kept as a fault beside the object, whose field is then None.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from types import NoneType, UnionType
from typing import Any, Generic, TypeVar, Union, get_args, get_origin, get_type_hints

import msgspec

from centernet.io import meaning
from centernet.io.door import no_collection, shown
from centernet.runtime.errors import UserError

S = TypeVar("S", bound=msgspec.Struct)
LITERALS = frozenset({"NaN", "Infinity", "-Infinity"})  # quoted by the door, not by the user
_DAMAGE = (msgspec.DecodeError, UnicodeDecodeError, RecursionError, OverflowError)


@dataclass
class Coerced:
    """How many values of a field were of an unusual type, and the first of them."""

    first: str
    count: int = 0


@dataclass
class Rows(Generic[S]):
    """The objects of one list, in its order; a None is one that is no object at all.

    `faults[place][field]` quotes a value that is not what the field holds.
    """

    items: list[S]
    faults: dict[int, dict[str, str]] = field(default_factory=dict)
    coerced: dict[str, Coerced] = field(default_factory=dict)


def read_rows(data: msgspec.Raw, kind: type[S], name: str) -> Rows[S]:
    """The json list `data` as structs of `kind`, whose fields all have a default.

    UserError, beginning with `name`, when it is not a list of objects.
    """
    try:
        with no_collection():
            return Rows(msgspec.json.decode(data, type=list[kind]))  # type: ignore[valid-type]
    except _DAMAGE:
        pass  # at least one is unusual: look at each
    try:
        with no_collection():
            listed = msgspec.json.decode(data, type=list[msgspec.Raw])
    except _DAMAGE:
        raise UserError(f"{name} is not a list of objects") from None
    rows: Rows[S] = Rows([])
    one, fields = msgspec.json.Decoder(kind), _fields(kind)
    parts = msgspec.json.Decoder(dict[str, msgspec.Raw])
    for place, raw in enumerate(listed):
        try:
            rows.items.append(one.decode(raw))
        except _DAMAGE:
            try:
                given = parts.decode(raw)
            except _DAMAGE:
                raise UserError(
                    f"{name} is not a list of objects: number {place + 1} is {_quoted(raw)}"
                ) from None
            rows.items.append(_one(given, kind, fields, place, rows))
    return rows


def _one(
    given: dict[str, msgspec.Raw], kind: type[S], fields: dict[str, Any], place: int, rows: Rows[S]
) -> S:
    values: dict[str, Any] = {}
    for key, hint in fields.items():
        if key not in given:
            continue
        try:
            values[key] = msgspec.json.decode(given[key], type=hint)
            continue
        except _DAMAGE:
            values[key] = None
        try:
            raw = msgspec.json.decode(given[key])
            values[key] = _meant(raw, hint)
        except (*_DAMAGE, ValueError):
            rows.faults.setdefault(place, {})[key] = _quoted(given[key])
            continue
        if _is_of_the_users(raw):
            rows.coerced.setdefault(key, Coerced(shown(raw))).count += 1
    return kind(**values)


def _meant(value: Any, hint: Any) -> Any:
    kinds = set(get_args(hint)) - {NoneType} if get_origin(hint) in (Union, UnionType) else {hint}
    if kinds == {int, str}:
        return meaning.name(value)
    wanted = next(iter(kinds))
    if get_origin(wanted) is tuple:
        found = meaning.numbers(value)
        if len(found) != len(get_args(wanted)):
            raise ValueError("another count")
        return tuple(found)
    if get_origin(wanted) is list:
        return meaning.numbers(value)
    reader = {int: meaning.whole, float: meaning.number, bool: meaning.truth, str: meaning.text}
    if bool in kinds:
        return meaning.truth(value)
    return reader[wanted](value)


def _is_of_the_users(value: Any) -> bool:
    """Whether the unusual value is one that a line should tell: not NaN, nor null in a list."""
    if isinstance(value, list):
        return not all(v is None or type(v) in (int, float) or _is_literal(v) for v in value)
    return not _is_literal(value)


def _is_literal(value: Any) -> bool:
    return isinstance(value, str) and value in LITERALS


def _fields(kind: type[msgspec.Struct]) -> dict[str, Any]:
    hints = get_type_hints(kind)
    return {f.encode_name: hints[f.name] for f in msgspec.structs.fields(kind)}


def _quoted(raw: msgspec.Raw) -> str:
    return shown_json(bytes(raw))


def shown_json(data: bytes) -> str:
    """A piece of json as a message quotes it."""
    try:
        value = msgspec.json.decode(data[:4000])
    except _DAMAGE:
        return shown(data[:80].decode("utf-8", "replace")).strip("'")
    return "null" if value is None else shown(value)
