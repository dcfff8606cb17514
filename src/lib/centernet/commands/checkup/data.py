"""Which data sets and checkpoints lie where the commands look for them."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from shlex import quote

from centernet.commands.checkup.finding import GOOD, NOTE, Finding
from centernet.datasets.owners import OWNERS
from centernet.io.meter import megabytes
from centernet.models.zoo import ZOO

SHOWN = 8  # checkpoints listed by name
SUFFIXES = (".pth", ".pkl")


def check_data(folder: Path) -> Iterable[Finding]:
    """Each published set: complete, in part (what is missing), or absent."""
    if (folder / "toy").is_dir():
        parts = sorted(path.name for path in (folder / "toy").iterdir() if path.is_dir())
        yield Finding(GOOD, f"toy: drawn in {folder / 'toy'} ({', '.join(parts)})")
    else:
        yield Finding(GOOD, "toy: not drawn yet; --dataset toy does that at its first use")
    for name, published in OWNERS.items():
        place = folder / published.folder
        wanted = [part for part in published.parts if part.usual]
        faults = {part.name: part.faults(place) for part in wanted}
        missing = [part for part, found in faults.items() if found]
        fetch = f"python tools/get_data.py {name} --data_dir {quote(str(folder.absolute()))}"
        if not missing:
            yield Finding(GOOD, f"{name}: complete in {place}")
        elif len(missing) == len(wanted):
            yield Finding(NOTE, f"{name}: not in {place}", f"{fetch}, if you want it")
        else:
            first = faults[missing[0]][0]
            remedy = f"{fetch} --parts {','.join(missing)}"
            yield Finding(NOTE, f"{name}: without {', '.join(missing)} ({first})", remedy)


def check_checkpoints(root: Path) -> Iterable[Finding]:
    """Files of weights in models/ and in the folders of runs, the newest first."""
    files = [path for path in (root / "models").glob("*") if path.suffix in SUFFIXES]
    files += (root / "exp").glob("*/*/model_*.pth")
    if not files:
        remedy = "train one, or --load_model with a published name, such as ctdet_coco_dla_2x"
        yield Finding(NOTE, f"no checkpoint in {root / 'models'} or {root / 'exp'}", remedy)
    for path in (path for path in files if not path.exists()):
        what = f"{path.relative_to(root)}: leads to {path.readlink()}, which is absent"
        yield Finding(NOTE, what, "delete the link, or put the file there")
    files = [path for path in files if path.exists()]
    files.sort(key=lambda path: path.stat().st_mtime, reverse=True)
    published = {weights.remote.name: name for name, weights in ZOO.items()}
    for path in files[:SHOWN]:
        known = f", published as {published[path.name]}" if path.name in published else ""
        size = megabytes(path.stat().st_size)
        yield Finding(GOOD, f"{path.relative_to(root)} ({size}{known})")
    if len(files) > SHOWN:
        yield Finding(GOOD, f"and {len(files) - SHOWN} more")
    for path in (root / "models").glob("*.part"):
        size = megabytes(path.stat().st_size)
        yield Finding(NOTE, f"{path.relative_to(root)}: an unfinished download of {size}",
                      "the same command goes on from there")  # fmt: skip
