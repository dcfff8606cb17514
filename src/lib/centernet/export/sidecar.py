"""What a file says of itself, in a file beside it, for formats that cannot hold it."""

from __future__ import annotations

from pathlib import Path

from centernet.export.card import Card
from centernet.io.files import write_text
from centernet.runtime.errors import UserError


def place(path: Path) -> Path:
    """Where the card of `path` lies."""
    return path.with_name(path.name + ".json")


def write_card(card: Card, path: Path) -> None:
    """Write the card of `path` beside it."""
    write_text(place(path), card.to_json() + "\n")


def read_card(path: Path) -> Card:
    """The card of `path`; UserError if none lies beside it."""
    try:
        return Card.from_json(place(path).read_text(encoding="utf-8"), str(place(path)))
    except OSError as error:
        raise UserError(
            f"{place(path)}: cannot be read ({error.strerror}); it was written with {path.name}"
            " and says what that is"
        ) from None
