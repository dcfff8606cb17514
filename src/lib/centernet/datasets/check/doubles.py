"""Images that are there twice: in a part, and in two parts, where they make a metric flatter."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

from centernet.io.files import digest_of

Paths = Sequence[Path]


def by_content(paths: Paths) -> dict[str, list[Path]]:
    """The files by what is in them: {key: those that are the same bytes}, in order.

    Only files of equal length are read. One that cannot be read is left out.
    """
    lengths: dict[int, list[Path]] = {}
    for path in paths:
        try:
            lengths.setdefault(path.stat().st_size, []).append(path)
        except OSError:
            continue
    found: dict[str, list[Path]] = {}
    for length, same in lengths.items():
        for path in same:
            try:
                key = f"{length} {digest_of(path)}" if len(same) > 1 else f"{length} alone"
            except OSError:
                continue
            found.setdefault(key, []).append(path)
    return found


def doubled(parts: Mapping[str, Paths], content: bool) -> list[str]:
    """A line for each part with doubled images and each two parts that share some.

    The files are compared by their places on the disk, with `content` by what is in them too.
    """
    places = [(part, path) for part, paths in parts.items() for path in paths]
    groups: dict[str, list[tuple[str, Path]]] = {}
    if content:
        unique = list(dict.fromkeys(path.absolute() for _, path in places))
        key_of = {path: key for key, same in by_content(unique).items() for path in same}
    for part, path in places:
        place = path.absolute()
        key = key_of.get(place, str(place)) if content else str(place)
        groups.setdefault(key, []).append((part, path))
    return [*_within(groups, parts), *_between(groups, parts)]


def _within(groups: Mapping[str, list[tuple[str, Path]]], parts: Mapping[str, Paths]) -> list[str]:
    lines = []
    for part in parts:
        several = [[p for name, p in same if name == part] for same in groups.values()]
        several = [same for same in several if len(same) > 1]
        if several:
            more = sum(len(same) - 1 for same in several)
            first = several[0]
            lines.append(
                f"{part}: {more} images are there once more, such as {first[1]}"
                + (f" (as {first[0].name})" if first[0] != first[1] else "")
            )
    return lines


def _between(groups: Mapping[str, list[tuple[str, Path]]], parts: Mapping[str, Paths]) -> list[str]:
    lines, names = [], list(parts)
    for place, one in enumerate(names):
        for other in names[place + 1 :]:
            shared = [
                same for same in groups.values() if {one, other} <= {name for name, _ in same}
            ]
            count = sum(sum(name == other for name, _ in same) for same in shared)
            if count:
                first = next(path for name, path in shared[0] if name == other)
                lines.append(
                    f"{count} of the {len(parts[other])} images of {other} are in {one} too, such"
                    f" as {first}: what is measured there flatters"
                )
    return lines
