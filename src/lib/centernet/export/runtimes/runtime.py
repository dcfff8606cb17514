"""What every runtime gives: a file that has been opened, and a call."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Protocol

from numpy.typing import NDArray

from centernet.export.card import Card
from centernet.runtime.errors import UserError


class Runtime(Protocol):
    """An exported file ready to run."""

    name: str
    card: Card

    def run(self, inputs: Mapping[str, NDArray]) -> dict[str, NDArray]:
        """Inputs by name -> outputs by name; UserError for a size that the file does not take."""
        ...


def check_inputs(card: Card, inputs: Mapping[str, NDArray], name: str) -> None:
    """Raise UserError if the picture is of a size or batch that the file does not take."""
    picture = inputs[card.inputs[0]]
    height, width = picture.shape[1:3] if card.colours_inside else picture.shape[2:4]
    card.sizes.check((height, width), name)
    batch = card.sizes.batch
    if batch is not None and len(picture) != batch:
        raise UserError(f"{name}: made for batches of {batch}, not of {len(picture)}")
