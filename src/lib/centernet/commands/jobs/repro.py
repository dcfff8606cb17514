"""Reads the scripts and the runs, writes one table."""

from __future__ import annotations

from collections.abc import Sequence
from difflib import get_close_matches
from pathlib import Path

from centernet.commands.repro import Repro
from centernet.io.files import write_text
from centernet.runs.experiments.script import Script, read_scripts
from centernet.runs.provenance import commit_here
from centernet.runs.repro.render import summary, to_html, to_json, to_markdown
from centernet.runs.repro.table import rows_of
from centernet.runtime.errors import UserError, WriteError

NAME = "repro"  # of the three files, less the suffix


def run(given: Repro, root: Path) -> None:
    """Write the table of the scripts that are named, by default all, and print it."""
    scripts = _chosen(read_scripts(root / "experiments"), given.names)
    folder = root / "exp" if given.output is None else given.output
    rows, (commit, _) = rows_of(scripts, root), commit_here()
    texts = {
        ".md": to_markdown(rows),
        ".json": to_json(rows, commit),
        ".html": to_html(rows, commit),
    }
    try:
        paths = [write_text(folder / f"{NAME}{suffix}", text) for suffix, text in texts.items()]
    except WriteError as error:
        raise UserError(f"{error}; --output names another folder") from error
    print(texts[".md"], summary(rows), *(f"written {p.absolute()}" for p in paths), sep="\n")


def _chosen(scripts: Sequence[Script], names: Sequence[str]) -> list[Script]:
    by_name = {script.name: script for script in scripts}
    wanted = [Path(name).stem for name in names]
    for name in wanted:
        if name not in by_name:
            near = get_close_matches(name, by_name, n=1)
            hint = f"did you mean {near[0]}?" if near else f"there are {', '.join(by_name)}"
            raise UserError(f"no script {name}; {hint}")
    return [by_name[name] for name in wanted] if wanted else list(scripts)
