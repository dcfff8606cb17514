"""The two tables of docs/model_zoo.md: what every published row is, gives and costs.

Nothing is written down here: files and licences are those of `models/zoo.py`, expected figures
those in the headers of experiments/, measured ones those of exp/, costs those of `info`.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

from centernet.commands.jobs.info import row_of
from centernet.datasets.published import PUBLISHED
from centernet.geometry.view import Size
from centernet.io.files import write_text
from centernet.models.zoo import ZOO, Weights
from centernet.runs.experiments.script import MODES, Figure, Script, read_scripts
from centernet.runs.repro.table import Row, rows_of
from centernet.runtime.errors import UserError
from centernet.tasks import TASKS

FILES = ("name", "task", "network", "data", "source", "how", "hash", "licence of the code")
FIGURES = (
    *("script", "task", "network", "data", "input", "stride", "parameters, M", "FLOPs, G"),
    *("published, in percent", "measured here", "weights"),
)
WAYS = {"none": "", "flip": "mirrored ", "multi": "several scales "}
# Published files whose script has another name, because the figures are not of the same program.
OTHER_NAMES = {"ctdet_coco_resconv18": "centernet_resnet18_140e_coco"}


def run(root: Path) -> None:
    """Bring the tables of docs/model_zoo.md beneath `root` up to date."""
    scripts = read_scripts(root / "experiments")
    path = root / "docs" / "model_zoo.md"
    text = path.read_text(encoding="utf-8")
    write_text(path, filled(text, tables(scripts, rows_of(scripts, root))))
    print(f"written {path.absolute()}")


def filled(text: str, content: Mapping[str, str]) -> str:
    """`text` with each table between its two comments; UserError where one has no place."""
    for name, table in content.items():
        start, end = f"<!-- {name} -->\n", f"<!-- end of {name} -->"
        before, _, rest = text.partition(start)
        _, found, after = rest.partition(end)
        if not found:
            raise UserError(
                f"the document has no place for a table between {start.strip()} and {end}"
            )
        text = f"{before}{start}{table}{end}{after}"
    return text


def tables(scripts: Sequence[Script], measured: Sequence[Row]) -> dict[str, str]:
    """Both tables by name; `measured` are repro's rows of the `scripts`."""
    return {
        "files": _table(FILES, 0, (_file(name, weights) for name, weights in ZOO.items())),
        "figures": _table(FIGURES, 3, _figures(scripts, measured)),
    }


def _table(headings: Sequence[str], numbers: int, rows: Iterator[Sequence[str]]) -> str:
    """Markdown; the `numbers` columns from the sixth on are set to the right."""
    rules = ["--:" if 5 <= place < 5 + numbers else "---" for place in range(len(headings))]
    lines = [" | ".join(headings), " | ".join(rules), *(" | ".join(row) for row in rows)]
    return "".join(f"| {line} |\n" for line in lines)


def _file(name: str, weights: Weights) -> tuple[str, ...]:
    known, digest = weights.known, weights.remote.digest
    return (
        f"`{name}`",
        known.get("task", "-"),
        known.get("arch", "as the file says"),
        known.get("dataset", "-"),
        f"[{weights.source.removeprefix('https://').split('/')[1]}]({weights.source})",
        "downloaded" if weights.remote.url else "by hand",
        f"{digest.replace(':', ' ')} ..." if digest else "unknown",
        weights.licence,
    )


def _figures(scripts: Sequence[Script], measured: Sequence[Row]) -> Iterator[tuple[str, ...]]:
    for script in scripts:
        if script.training is None:
            continue
        task, given = script.training.task, script.training.given
        size, cost = _cost(task, given["arch"], given["dataset"], given.get("input_res"))
        own = [row for row in measured if row.script == script.name and row.measured is not None]
        name = OTHER_NAMES.get(script.name, script.name)
        yield (
            f"[{script.name}](../experiments/{script.path.name})",
            task,
            given["arch"],
            given["dataset"],
            f"{size[0]} x {size[1]}",
            str(cost["stride"]),
            f"{cost['parameters'] / 1e6:.2f}",
            f"{cost['flops'] / 1e9:.1f}",
            "; ".join(_published(script.expected)) or "none",
            "; ".join(f"{WAYS[r.mode]}{r.metric} {r.measured:.1f}" for r in own) or "not run",
            f"`{name}`" if name in ZOO else "none",
        )


def _cost(task: str, arch: str, dataset: str, side: int | None) -> tuple[Size, Mapping[str, float]]:
    """The input (height, width) of a row, and what `info` says of the network there."""
    kind, facts = TASKS[task], PUBLISHED[dataset]
    built = kind(facts)
    size = (side, side) if side else kind.resolution(facts, built.options)
    return size, row_of(arch, built, size)


def _published(expected: Mapping[str, Sequence[Figure]]) -> Iterator[str]:
    for mode in MODES:
        for figure in expected.get(mode, ()):
            yield f"{WAYS[mode]}{figure.metric} {figure.value:.1f}"
