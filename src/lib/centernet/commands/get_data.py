"""Fetching data sets from where their owners publish them: `get_data coco pascal kitti`."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from centernet.datasets.owners import OWNERS, Part, Published
from centernet.io.archive import unpack
from centernet.io.download import DownloadError, fetch
from centernet.io.meter import Log, megabytes
from centernet.options import groups
from centernet.options.flag import unknown
from centernet.options.options import Options
from centernet.options.verbs import Verb
from centernet.runtime.errors import UserError
from centernet.runtime.option import option, words


@dataclass(frozen=True)
class GetData:
    """What is fetched"""

    sets: tuple[str, ...] = words("set", f"one or more of: {' '.join(OWNERS)}", at_least=1)
    parts: tuple[str, ...] = option((), "only these parts, as in val2017,train2017")
    check: bool = option(False, "fetch nothing, say what is missing")
    keep: bool = option(False, "keep the archives after unpacking")


def run(options: Options) -> None:
    """Fetch the data sets that are named into data/; UserError when something could not be had."""
    get_data(options.of(GetData), options.data.data_dir)


def get_data(
    given: GetData, folder: Path, log: Log = print, owners: Mapping[str, Published] = OWNERS
) -> None:
    """Fetch into `folder`, or with `check` only look at, the sets and parts that `given` names."""
    absent = []
    for name, parts in chosen(owners, given.sets, given.parts).items():
        place = folder / owners[name].folder
        log(f"{name} in {place.absolute()}; {owners[name].terms}")
        for part in parts:
            if not (look(part, place, log) if given.check else get(part, place, given.keep, log)):
                absent.append(f"{name} {part.name}")
    if absent:
        raise UserError(f"missing: {', '.join(absent)}; the lines above say what to do")


def chosen(
    owners: Mapping[str, Published], sets: Sequence[str], wanted: Sequence[str]
) -> dict[str, list[Part]]:
    """The parts of each set that are asked for; UserError for a name that there is not."""
    for name in sets:
        if name not in owners:
            raise UserError(unknown("data set", name, list(owners)))
    every = [part.name for name in sets for part in owners[name].parts]
    for name in wanted:
        if name not in every:
            raise UserError(f"--parts: {unknown('part', name, every)}")
    return {
        name: [p for p in owners[name].parts if (p.name in wanted if wanted else p.usual)]
        for name in sets
    }


def look(part: Part, folder: Path, log: Log) -> bool:
    """Say whether `part` is complete in `folder`; whether it is."""
    faults = part.faults(folder)
    size = f" ({megabytes(part.remote.size)})" if part.remote.size else ""
    log(f"  {part.name}: " + (f"missing{size}: {'; '.join(faults)}" if faults else "complete"))
    return not faults


def get(part: Part, folder: Path, keep: bool, log: Log) -> bool:
    """Make `part` complete in `folder`; False, with a line that says why, if it cannot be."""
    faults = part.faults(folder)
    if not faults:
        log(f"  {part.name}: complete")
        return True
    if not part.remote.url:
        page = part.remote.page
        log(f"  {part.name}: {'; '.join(faults)}; place by hand, from {page}")
        return False
    try:
        archive = fetch(part.remote, folder, log=lambda line: log(f"  {line}"))
    except DownloadError as error:
        log(f"  {part.name}: {error}")
        return False
    count = unpack(archive, folder, place=part.place, log=lambda line: log(f"  {line}"))
    faults = part.faults(folder)
    if faults:
        log(f"  {part.name}: {count} files unpacked, but {'; '.join(faults)}; kept {archive}")
        return False
    if not keep:
        archive.unlink()
    log(f"  {part.name}: complete, {count} files")
    return True


VERB = Verb(
    name="get_data",
    help="Fetch data sets from their owners",
    details="Resumed where a call was cut off, verified, unpacked under data/. What is there"
    " already is not fetched again.",
    groups=(GetData, groups.Place, groups.Data),
    run=run,
    takes_task=False,
    program="get_data.py",
    partly={groups.Data: ("data_dir",)},
)
