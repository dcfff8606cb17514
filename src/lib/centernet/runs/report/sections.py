"""What a run's page says, section by section; each is "" where the run holds nothing for it."""

from __future__ import annotations

import base64
import math
import re
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from centernet.datasets.evaluate.findings import KINDS
from centernet.io.run_folder import RunFolder
from centernet.runs.report.page import details, escape, figure, grid, table
from centernet.runs.report.plots import MOST, Line, bars_plot, lines_plot

ASIDE = frozenset({"epoch", "phase", "lr", "seconds"})
WAYS = ("taken for another class", "out of place", "not seen")
LARGEST_TABLE = 20  # classes of a confusion matrix that is shown whole
_TIMES = re.compile(r"time per image: (.*)")


def curves(run: RunFolder, other: RunFolder | None) -> str:
    """Losses, learning rate and the metric by which the run is judged, over the epochs."""
    runs = [("", run)] if other is None else [("", run), (f"{other.path.name}: ", other)]
    drawings = []
    for phase in ("train", "val"):
        lines = [line for prefix, each in runs for line in _losses(each, phase, prefix)]
        if lines:
            drawings.append(figure(lines_plot(lines, "epoch", "loss"), f"Losses, {phase}"))
    rates = [
        (f"{prefix}rate", *_series(each, "train", "lr")) for prefix, each in runs
        if _series(each, "train", "lr")[0]
    ]  # fmt: skip
    if rates:
        drawings.append(
            figure(lines_plot(rates, "epoch", "rate"), "Learning rate, last of an epoch")
        )
    names = [name for row in run.metrics() if row["phase"] == "val" for name in row]
    judged = [n for n in dict.fromkeys(names) if n not in ASIDE and not n.endswith("loss")][:3]
    measured = [
        (f"{prefix}{name}", *_series(each, "val", name))
        for name in judged for prefix, each in runs if _series(each, "val", name)[0]
    ]  # fmt: skip
    if measured:
        drawings.append(figure(lines_plot(measured, "epoch", "metric", points=True), "Metrics"))
    return grid(drawings)


def metrics(run: RunFolder, other: RunFolder | None) -> str:
    """The metrics of the last test, else of the last validation."""
    mine, theirs = _last_metrics(run), {} if other is None else _last_metrics(other)
    headings = ["metric", run.path.name] + (
        [] if other is None else [other.path.name, "difference"]
    )
    rows = []
    for name, value in mine.items():
        row: list[object] = [name, _shown(value)]
        if other is not None:
            both = name in theirs and _number(value) and _number(theirs[name])
            row += [_shown(theirs.get(name)), f"{value - theirs[name]:+.4f}" if both else ""]
        rows.append(row)
    return table(headings, rows)


def classes(run: RunFolder) -> str:
    """Metrics of each class, with its objects and the threshold that suits it."""
    per_class, found = run.evaluation().get("per_class") or {}, run.found()
    counts = dict(zip(found.get("classes", []), found.get("objects", []), strict=False))
    best = found.get("best_thresholds") or {}
    names = list(dict.fromkeys(key for values in per_class.values() for key in values))
    headings = ["class", "objects", *names, "best threshold", "precision", "recall"]
    rows = [
        [
            name,
            counts.get(name, ""),
            *(_shown(values.get(key)) for key in names),
            *(_shown(best.get(name, {}).get(key)) for key in ("score", "precision", "recall")),
        ]
        for name, values in per_class.items()
    ]
    shown = table(headings, rows, "The best threshold is the score with the highest F1 (IoU 0.5).")
    curves = run.evaluation().get("curves") or {}
    order = sorted(curves, key=lambda name: -counts.get(name, 0))[:MOST]
    lines: list[Line] = [(name, *curves[name]) for name in order]
    if not lines:
        return shown
    at = run.evaluation().get("curves_at", "")
    title = f"Precision over recall at {at}" + (
        f", the {MOST} classes with most objects" if len(curves) > MOST else ""
    )
    return shown + grid([figure(lines_plot(lines, "recall", "precision", unit=True), title)])


def sizes(run: RunFolder) -> str:
    """AP by the size of the objects and by the overlap that counts as found."""
    by_size = run.evaluation().get("by_size") or {}
    known = {size: row for size, row in by_size.items() if any(v >= 0 for v in row.values())}
    if not known:
        return ""
    names = list(next(iter(known.values())))
    rows = [[size, *("" if row[n] < 0 else f"{row[n]:.3f}" for n in names)]
            for size, row in known.items()]  # fmt: skip
    lines: list[Line] = [
        (size, [float(n) for n in names if row[n] >= 0], [v for v in row.values() if v >= 0])
        for size, row in known.items()
    ]
    drawing = figure(lines_plot(lines, "overlap", "AP", points=True), "AP over overlap, by size")
    caption = "AP of objects of each size (rows) at each overlap that counts as found (columns)"
    return table(["size", *names], rows, caption) + grid([drawing])


def parts(run: RunFolder) -> str:
    """Joints one by one, and depths by distance, of the right detections."""
    found = run.found()
    joints = [[r["joint"], r["count"], f"{r['median']:.3f}", f"{r['near']:.1%}"]
              for r in found.get("joints") or ()]  # fmt: skip
    depths = [[r["range"], r["objects"], f"{r['found']:.1%}", _shown(r["median"])]
              for r in found.get("depths") or ()]  # fmt: skip
    return table(
        ["joint", "labelled", "median distance", "near"],
        joints,
        "Distances in parts of the square root of the object's box; near is within 0.1 of it",
    ) + table(
        ["distance", "objects", "found", "median error of depth, m"],
        depths,
        "Objects by their distance from the camera",
    )


def mistakes(run: RunFolder) -> str:
    """How detections are wrong and objects missed, which classes are confused, what scores mean."""
    found = run.found()
    if not found:
        return ""
    names, threshold = found["classes"], found["threshold"]
    order = sorted(range(len(names)), key=lambda n: -found["objects"][n])[:LARGEST_TABLE]
    shown = [names[n] for n in order]
    kinds = {kind: [found["kinds"][n][k] for n in order] for k, kind in enumerate(KINDS)}
    missed = {way: [found["missed"][n][w] for n in order] for w, way in enumerate(WAYS)}
    calibration = found["calibration"]
    bins = [(i + 0.5) / len(calibration["right"]) for i in range(len(calibration["right"]))]
    known = [(x, y) for x, y in zip(bins, calibration["right"], strict=True) if y >= 0]
    drawings = [
        figure(bars_plot(shown, kinds, "detections"),
               f"Detections that score {threshold:g} and more, by what they are"),
        figure(bars_plot(shown, missed, "objects"),
               f"Objects without a right detection that scores {threshold:g}"),
    ]  # fmt: skip
    if known:
        truth: Line = ("right", [x for x, _ in known], [y for _, y in known])
        ideal: Line = ("as sure as right", [0, 1], [0, 1])
        plot = lines_plot([truth, ideal], "score", "part that is right", unit=True, points=True)
        drawings.append(figure(plot, "Scores against truth: a point above the line is too modest"))
    return grid(drawings) + _confusion(found)


def images(run: RunFolder) -> str:
    """The worst and the best images, each as truth, prediction and heat map."""
    found = run.found()
    parts = []
    for title in ("worst", "best"):
        drawings = [
            figure(
                _embedded(run.findings.parent / each["picture"], each["file"]),
                f"{each['file']}: {each['right']} right, {each['wrong']} wrong,"
                f" {each['missed']} missed (truth, prediction, heat map)",
            )
            for each in found.get(title, [])
            if (run.findings.parent / each["picture"]).exists()
        ]
        if drawings:
            parts.append(f"<h3>The {title}</h3>\n{grid(drawings)}")
    return "\n".join(parts)


def times(run: RunFolder) -> str:
    """The seconds of epochs, and the stages of a test as its log tells them."""
    lines = [found[1] for line in run.log() if (found := _TIMES.search(line))]
    seconds = _series(run, "train", "seconds")[1]
    rows = [["epochs", str(len(seconds))], ["seconds an epoch, mean", f"{_mean(seconds):.1f}"]]
    said = f"<p>Time per image of the last test: {escape(lines[-1])}</p>" if lines else ""
    return (table(["training", ""], rows) if seconds else "") + said


def settings(run: RunFolder, defaults: Mapping[str, Any]) -> str:
    """Flags that differ from their defaults, and where and with what the run was made."""
    events, flags = run.events(), run.options()
    last = events[-1] if events else {}
    flags = flags or last.get("flags") or {}
    rows = [
        [f"--{name}", _plain(flags[name]), _plain(default)]
        for name, default in defaults.items()
        if name in flags and _plain(flags[name]) != _plain(default)
    ]
    facts = [
        [event["event"], event.get("time", ""), str(event.get("commit"))[:12],
         event.get("torch", ""), event.get("hardware", ""),
         str(event.get("weights", {}).get("sha256", ""))[:12]]
        for event in events
    ]  # fmt: skip
    headings = ["what happened", "time", "commit", "PyTorch", "hardware", "weights"]
    command = " ".join(map(str, last.get("command", flags.get("command", []))))
    said = f"<p>Last command: <code>{escape(command)}</code></p>" if command else ""
    return table(["flag", "here", "default"], rows) + said + table(headings, facts)


def log(run: RunFolder, most: int = 400) -> str:
    """What was said, folded."""
    lines = run.log()[-most:]
    return (
        details(f"The last {len(lines)} lines", f"<pre>{escape(chr(10).join(lines))}</pre>")
        if lines
        else ""
    )


def _confusion(found: Mapping[str, Any]) -> str:
    """The confusion matrix, or of many classes the pairs that are confused most."""
    names = [*found["classes"], "background"]
    matrix = found["confusion"]
    if len(names) <= LARGEST_TABLE:
        whole = [[name, *row] for name, row in zip(names, matrix, strict=True)]
        return table(["true \\ found", *names], whole, "Objects by true class and class found")
    pairs = [
        (matrix[a][b], names[a], names[b])
        for a in range(len(names)) for b in range(len(names)) if a != b and matrix[a][b]
    ]  # fmt: skip
    worst = sorted(pairs, key=lambda pair: -pair[0])[:LARGEST_TABLE]
    rows = [[f"{a} found as {b}", count] for count, a, b in worst]
    return table(["confused most", "times"], rows)


def _losses(run: RunFolder, phase: str, prefix: str) -> Iterator[Line]:
    names = [name for row in run.metrics() if row["phase"] == phase for name in row]
    for name in dict.fromkeys(names):
        xs, ys = _series(run, phase, name)
        if name.endswith("loss") and xs:
            yield f"{prefix}{name}", xs, ys


def _series(run: RunFolder, phase: str, name: str) -> tuple[list[float], list[float]]:
    rows = [r for r in run.metrics() if r["phase"] == phase and _number(r.get(name))]
    return [row["epoch"] for row in rows], [row[name] for row in rows]


def _last_metrics(run: RunFolder) -> dict[str, Any]:
    rows = [row for row in run.metrics() if row["phase"] in ("test", "val")]
    last = rows[-1] if rows else {}
    return {name: value for name, value in last.items() if name not in ASIDE}


def _embedded(path: Path, name: str) -> str:
    data = base64.b64encode(path.read_bytes()).decode()
    return f'<img alt="{escape(name)}" loading="lazy" src="data:image/jpeg;base64,{data}">'


def _number(value: object) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool) and math.isfinite(value)


def _shown(value: object) -> str:
    return "" if value is None else f"{value:.4f}" if isinstance(value, float) else str(value)


def _plain(value: Any) -> Any:
    return (
        list(value)
        if isinstance(value, tuple)
        else str(value)
        if isinstance(value, Path)
        else value
    )


def _mean(values: Sequence[float]) -> float:
    return sum(values) / len(values) if values else 0.0
