"""Fetching data sets from where their owners publish them: `get_data coco pascal kitti`."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

from centernet.console.exit_code import exit_code
from centernet.datasets.owners import OWNERS, Part, Published
from centernet.io.archive import unpack
from centernet.io.download import DownloadError, fetch
from centernet.io.meter import Say, megabytes
from centernet.options.flag import unknown
from centernet.options.parser import ArgumentParser
from centernet.runtime.errors import UserError


def get_data(argv: Sequence[str], root: str | Path | None = None, prog: str = "get_data.py") -> int:
    """Fetch the data sets named in `argv` into data/ beneath `root`, by default the current folder.

    The exit code is 2 when something could not be had.
    """
    return exit_code(prog, lambda: run(argv, Path.cwd() if root is None else Path(root), prog))


def run(
    argv: Sequence[str],
    root: Path,
    prog: str = "get_data.py",
    say: Say = print,
    owners: Mapping[str, Published] = OWNERS,
) -> None:
    """Fetch, or with --check only look at, the sets and parts that `argv` names."""
    parser = ArgumentParser(
        prog,
        description="Fetch data sets from their owners: resumed where a call was cut off, verified,"
        " unpacked under data/. What is there already is not fetched again.",
    )
    names = " ".join(owners)
    parser.add_argument("sets", nargs="+", metavar="set", help=f"one or more of: {names}")
    parser.add_argument("--parts", default="", help="only these, as in val2017,train2017")
    parser.add_argument("--data_dir", type=Path, help="folder of the sets (default: data/)")
    parser.add_argument("--check", action="store_true", help="fetch nothing, say what is missing")
    parser.add_argument("--keep", action="store_true", help="keep the archives after unpacking")
    given = parser.parse_args(list(argv))
    wanted = [word for word in given.parts.split(",") if word]
    folder = root / "data" if given.data_dir is None else given.data_dir
    absent = []
    for name, parts in chosen(owners, given.sets, wanted).items():
        place = folder / owners[name].folder
        say(f"{name} in {place.absolute()}; {owners[name].terms}")
        for part in parts:
            if not (look(part, place, say) if given.check else get(part, place, given.keep, say)):
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


def look(part: Part, folder: Path, say: Say) -> bool:
    """Say whether `part` is complete in `folder`; whether it is."""
    faults = part.faults(folder)
    size = f" ({megabytes(part.remote.size)})" if part.remote.size else ""
    say(f"  {part.name}: " + (f"missing{size}: {'; '.join(faults)}" if faults else "complete"))
    return not faults


def get(part: Part, folder: Path, keep: bool, say: Say) -> bool:
    """Make `part` complete in `folder`; False, with a line that says why, if it cannot be."""
    faults = part.faults(folder)
    if not faults:
        say(f"  {part.name}: complete")
        return True
    if not part.remote.url:
        page = part.remote.page
        say(f"  {part.name}: {'; '.join(faults)}; place by hand, from {page}")
        return False
    try:
        archive = fetch(part.remote, folder, say=lambda line: say(f"  {line}"))
    except DownloadError as error:
        say(f"  {part.name}: {error}")
        return False
    count = unpack(archive, folder, place=part.place, say=lambda line: say(f"  {line}"))
    faults = part.faults(folder)
    if faults:
        say(f"  {part.name}: {count} files unpacked, but {'; '.join(faults)}; kept {archive}")
        return False
    if not keep:
        archive.unlink()
    say(f"  {part.name}: complete, {count} files")
    return True
