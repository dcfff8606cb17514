"""`repro`: reads the scripts and the runs, writes one table."""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from difflib import get_close_matches
from pathlib import Path

from centernet.console.exit_code import exit_code
from centernet.io.files import write_text
from centernet.options.parser import ArgumentParser
from centernet.runs.experiments.script import Script, read_scripts
from centernet.runs.provenance import commit_here
from centernet.runs.repro.render import summary, to_html, to_json, to_markdown
from centernet.runs.repro.table import rows_of
from centernet.runtime.errors import UserError, WriteError

NAME = "repro"  # of the three files, less the suffix


def repro(argv: Sequence[str], root: str | Path | None = None, prog: str = "repro.py") -> int:
    """Write the table of the scripts named in `argv`, by default all, and print it.

    experiments/ and exp/ lie beneath `root`, by default the current folder.
    """
    return exit_code(prog, lambda: _repro(argv, Path.cwd() if root is None else Path(root), prog))


def _repro(argv: Sequence[str], root: Path, prog: str) -> None:
    parser = ArgumentParser(
        prog,
        description="Published figures beside those that the runs in exp/ have produced.",
        formatter_class=argparse.ArgumentDefaultsHelpFormatter,
    )
    parser.add_argument("names", nargs="*", metavar="NAME", help="scripts, by name; none for all")
    parser.add_argument("--root", type=Path, default=root, help="folder with experiments/ and exp/")
    parser.add_argument("--output", type=Path, help="folder of the table; none for exp/")
    args = parser.parse_args(list(argv))
    scripts = _chosen(read_scripts(args.root / "experiments"), args.names)
    folder = args.root / "exp" if args.output is None else args.output
    rows, (commit, _) = rows_of(scripts, args.root), commit_here()
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
