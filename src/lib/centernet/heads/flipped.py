"""Maps of mirrored images kept beside those of the images, for tasks whose flip test needs both.

Where objects are put together from several points, averaging two maps would blur what belongs
together; such tasks decode the mirrored image by itself and join the detections.
"""

from __future__ import annotations

from centernet.heads.head_map import Maps

PREFIX = "mirrored."


def beside(maps: Maps) -> Maps:
    """Maps (2 B, ...) of [images, mirrored images] as (B, ...) under their names and the twins'."""
    halves = {name: both.halves() for name, both in maps.items()}
    upright = {name: half[0] for name, half in halves.items()}
    return upright | {PREFIX + name: half[1] for name, half in halves.items()}


def apart(maps: Maps) -> list[Maps]:
    """[maps of the images] or, after `beside`, [those, maps of the mirrored images]."""
    upright = {name: value for name, value in maps.items() if not name.startswith(PREFIX)}
    twins = {n.removeprefix(PREFIX): v for n, v in maps.items() if n.startswith(PREFIX)}
    return [upright, twins] if twins else [upright]
