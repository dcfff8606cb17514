"""Maps of mirrored images kept beside those of the images, for tasks whose flip test needs both.

Where objects are put together from several points, averaging two maps would blur what belongs
together; such tasks decode the mirrored image by itself and join the detections.
"""

from __future__ import annotations

from collections.abc import Mapping

from torch import Tensor

PREFIX = "mirrored."


def beside(maps: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """Maps (2 B, ...) of [images, mirrored images] as (B, ...) under their names and the twins'."""
    parts = {name: halves(both) for name, both in maps.items()}
    upright = {name: half[0] for name, half in parts.items()}
    return upright | {PREFIX + name: half[1] for name, half in parts.items()}


def apart(maps: Mapping[str, Tensor]) -> list[dict[str, Tensor]]:
    """[maps of the images] or, after `beside`, [those, maps of the mirrored images]."""
    upright = {name: value for name, value in maps.items() if not name.startswith(PREFIX)}
    twins = {n.removeprefix(PREFIX): v for n, v in maps.items() if n.startswith(PREFIX)}
    return [upright, twins] if twins else [upright]


def halves(both: Tensor) -> tuple[Tensor, Tensor]:
    """(B, ...) twice of (2 B, ...): by places, not as chunks, whose number depends on the size."""
    middle = both.shape[0] // 2
    return both[:middle], both[middle:]
