"""The drawings of a run's page: SVG that lies in the page and follows its colours."""

from __future__ import annotations

import io
from collections.abc import Mapping, Sequence
from typing import Any

import matplotlib

matplotlib.use("svg")
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator

INK = "#010203"  # stands for the page's text colour, dark or light
COLOURS = ("#3b82c4", "#d9822b", "#2f9e6e", "#b4559a", "#8a8f3c", "#c94f4f", "#6b6fd0", "#5f9ea0")
STYLES = ("-", "--", ":", "-.")
MOST = 8  # lines of one drawing

Line = tuple[str, Sequence[float], Sequence[float]]  # name, x, y


def lines_plot(
    lines: Sequence[Line], x: str, y: str, *, unit: bool = False, points: bool = False
) -> str:
    """Lines over a common axis; `unit` keeps both axes within 0 and 1."""
    figure, axes = _axes(x, y)
    for number, (name, xs, ys) in enumerate(lines[:MOST]):
        colour, style = COLOURS[number % len(COLOURS)], STYLES[number // 2 % len(STYLES)]
        marker = "o" if points or len(xs) == 1 else None
        axes.plot(
            xs, ys, style, color=colour, label=name, marker=marker, markersize=3, linewidth=1.5
        )
    if x == "epoch":
        axes.xaxis.set_major_locator(MaxNLocator(integer=True))
    if unit:
        axes.set_xlim(0, 1)
        axes.set_ylim(0, 1.02)
    if len(lines) > 1:
        legend = axes.legend(frameon=False, fontsize=8)
        for text in legend.get_texts():
            text.set_color(INK)
    return _svg(figure)


def bars_plot(names: Sequence[str], parts: Mapping[str, Sequence[float]], x: str) -> str:
    """One horizontal bar a name, made of parts of different colours."""
    figure, axes = _axes(x, "", height=0.8 + 0.28 * len(names))
    left = [0.0] * len(names)
    for number, (part, values) in enumerate(parts.items()):
        axes.barh(list(names), values, left=left, label=part, color=COLOURS[number % len(COLOURS)])
        left = [a + b for a, b in zip(left, values, strict=True)]
    axes.invert_yaxis()
    legend = axes.legend(frameon=False, fontsize=8, ncols=3, loc="lower center",
                         bbox_to_anchor=(0.5, 1.0))  # fmt: skip
    for text in legend.get_texts():
        text.set_color(INK)
    return _svg(figure)


def _axes(x: str, y: str, height: float = 3.2) -> tuple[Figure, Any]:
    figure = Figure(figsize=(5.2, height), layout="constrained")
    figure.patch.set_alpha(0)
    axes = figure.add_subplot()
    axes.patch.set_alpha(0)
    axes.set_xlabel(x, color=INK)
    axes.set_ylabel(y, color=INK)
    axes.tick_params(colors=INK, labelsize=8)
    axes.grid(alpha=0.25)
    for name, spine in axes.spines.items():
        spine.set_color(INK)
        spine.set_visible(name in ("left", "bottom"))
    return figure, axes


def _svg(figure: Figure) -> str:
    """The drawing as an element of a page, its text as text, its ink the page's."""
    with matplotlib.rc_context({"svg.fonttype": "none", "svg.hashsalt": "centernet"}):
        buffer = io.StringIO()
        figure.savefig(buffer, format="svg", metadata={"Date": None, "Creator": None})
    text = buffer.getvalue()
    text = text[text.index("<svg") :]
    head, _, rest = text.partition(">")
    keep = [word for word in head.split() if word.startswith(("<svg", "viewBox", "xmlns"))]
    # viewBox="0 0 W H" was cut at its spaces.
    start = head.index('viewBox="')
    box = head[start : head.index('"', start + 9) + 1]
    keep = [word for word in keep if not word.startswith("viewBox")]
    return f"{' '.join(keep)} {box}>{rest}".replace(INK, "currentColor")
