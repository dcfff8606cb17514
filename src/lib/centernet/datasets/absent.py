"""What to say where a published data set is not, or not wholly, on the disk."""

from __future__ import annotations

from pathlib import Path
from shlex import quote

from centernet.runtime.errors import UserError


def absent(name: str, path: Path, data_dir: Path, folder: str | None = None) -> UserError:
    """The error for --dataset `name`, of which `path` is missing beneath `data_dir`.

    `folder` is the set as `get_data` calls it, where that is another name.
    """
    remedy = f"centernet get_data {folder or name} --data_dir {quote(str(data_dir.absolute()))}"
    return UserError(
        f"--dataset {name}: no {path.absolute()}; fetch it with: {remedy}; or name another"
        " folder with --data_dir, or take --dataset toy, which needs no download"
    )
