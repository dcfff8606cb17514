"""A data set looked at as a network with these settings would see it."""

from __future__ import annotations

from centernet.datasets.check.figures import doubts, doubts_as_seen
from centernet.datasets.check.seen import Framed, Seen, as_seen
from centernet.datasets.framing import SquareFraming
from centernet.datasets.source import Source
from centernet.datasets.table_source import TableSource
from centernet.geometry.view import Size, View


def framed_for(framing: SquareFraming, size: Size, pad: int, keep_res: bool) -> Framed:
    """How images of any size come onto an input of `size`."""

    def framed(image: Size) -> tuple[View, Size]:
        return framing.whole(image, size, pad=pad, keep_res=keep_res)

    return framed


def as_shown(source: TableSource, framed: Framed, stride: int) -> Seen:
    """The objects of `source` on the input of the network."""
    return as_seen(source.table, framed, stride)


def doubts_of(source: Source, framed: Framed, stride: int) -> list[str]:
    """What is doubtful about the annotations of `source`, a line each.

    Sets that are not tables are looked at in no more than their own reader does.
    """
    if not isinstance(source, TableSource):
        return []
    seen = as_seen(source.table, framed, stride)
    return [*doubts_as_seen(source.table, seen), *doubts(source.table)]
