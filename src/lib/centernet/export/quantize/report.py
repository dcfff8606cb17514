"""What a quantised file costs and gains beside the file it was made from."""

from __future__ import annotations

import json
import statistics
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path

from numpy.typing import NDArray

from centernet.export.extras import installed
from centernet.export.opening import open_file
from centernet.io.files import write_text

ROUNDS = 9


@dataclass
class Row:
    """One file: bytes, milliseconds an image by runtime, the data set's measure in [0, 1].

    `difference`, `low`, `high` are of the box AP to the float32 file, with a 95 % interval.
    """

    name: str
    path: str
    size: int
    milliseconds: dict[str, float] = field(default_factory=dict)
    metric: float | None = None
    difference: float | None = None
    low: float | None = None
    high: float | None = None
    in_float: list[str] = field(default_factory=list)
    sqnr: float | None = None


@dataclass
class Report:
    """The rows, the float32 file's first, and how they came about."""

    task: str
    metric: str
    images: int
    evaluated_on: int
    input_size: tuple[int, int]
    rows: list[Row] = field(default_factory=list)
    layers: Mapping[str, float] = field(default_factory=dict)

    def markdown(self) -> str:
        """A table, and the layers by their cost."""
        runtimes = list(self.rows[0].milliseconds)
        head = ["file", "MB", "of float32", *(f"{name}, ms" for name in runtimes)]
        head += [self.metric, "box AP less float32's (95 %)", "SQNR, dB", "left in float"]
        first = self.rows[0]
        lines = [
            f"{self.task}, input {self.input_size[0]} x {self.input_size[1]}; ranges from"
            f" {self.images} images; evaluated on {self.evaluated_on} images",
            "",
            f"| {' | '.join(head)} |",
            f"|---{'|--:' * (len(head) - 1)}|",
        ]
        for row in self.rows:
            cells = [row.name, f"{row.size / 1e6:.2f}", f"{row.size / first.size:.2f}"]
            for name in runtimes:
                ratio = row.milliseconds[name] / first.milliseconds[name]
                cells.append(f"{row.milliseconds[name]:.1f} ({ratio:.2f})")
            cells.append("" if row.metric is None else f"{100 * row.metric:.2f}")
            if row.difference is None or row.low is None or row.high is None:
                cells.append("")
            else:
                one, low, high = (100 * v for v in (row.difference, row.low, row.high))
                cells.append(f"{one:+.2f} ({low:+.2f} to {high:+.2f})")
            cells.append("" if row.sqnr is None else f"{row.sqnr:.1f}")
            cells.append(", ".join(row.in_float))
            lines.append(f"| {' | '.join(cells)} |")
        if self.layers:
            lines += ["", "SQNR of the maps (dB) with one layer quantised, the worst first:", ""]
            lines += [f"- {name}: {value:.1f}" for name, value in self.layers.items()]
        return "\n".join(lines) + "\n"

    def write(self, path: Path) -> list[Path]:
        """Both forms beside each other: `path` with .md and .json."""
        text = json.dumps(asdict(self), indent=1) + "\n"
        return [
            write_text(path.with_name(path.name + ".md"), self.markdown()),
            write_text(path.with_name(path.name + ".json"), text),
        ]


def latencies(
    paths: Sequence[Path], inputs: Mapping[str, NDArray], threads: int
) -> list[dict[str, float]]:
    """Milliseconds of each file in each runtime that is here: medians of interleaved rounds."""
    names = [name for name in ("onnxruntime", "openvino") if installed(name)]
    calls: dict[tuple[int, str], Callable[[], object]] = {}
    for place, path in enumerate(paths):
        for name in names:
            runtime = open_file(path, name, threads=threads)
            calls[place, name] = lambda runtime=runtime: runtime.run(inputs)  # type: ignore[misc]
    seconds: dict[tuple[int, str], list[float]] = {key: [] for key in calls}
    for number in range(ROUNDS + 1):
        for key, call in calls.items():
            start = time.perf_counter()
            call()
            if number:
                seconds[key].append(time.perf_counter() - start)
    found: list[dict[str, float]] = [{} for _ in paths]
    for (place, name), values in seconds.items():
        found[place][name] = 1000 * statistics.median(values)
    return found
