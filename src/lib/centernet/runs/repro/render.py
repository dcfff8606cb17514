"""The table as Markdown, as JSON and as a page that needs no network."""

from __future__ import annotations

import html
import json
from collections.abc import Sequence

from centernet.runs.repro.table import Row

HEADINGS = ("script", "test", "metric", "expected", "band", "measured", "difference", "status",
            "what it comes from, or why there is none")  # fmt: skip
MODES = {"none": "as it is", "flip": "mirrored", "multi": "several scales"}
MARKS = {"green": "🟢 ", "red": "🔴 ", "plain": ""}
_STYLE = """
body { font: 15px/1.4 system-ui, sans-serif; margin: 2em; color: #222; background: #fff }
table { border-collapse: collapse }
th, td { padding: .3em .7em; border-bottom: 1px solid #ddd; text-align: left; vertical-align: top }
td:nth-child(n+4):nth-child(-n+7) { text-align: right; font-variant-numeric: tabular-nums }
td:last-child { font-size: 85%; overflow-wrap: anywhere }
tr.green td:nth-child(8) { background: #c9efcf }
tr.red td:nth-child(8) { background: #f8cdc8 }
"""


def cells(row: Row) -> tuple[str, ...]:
    """A row as texts, under HEADINGS."""
    return (
        row.script,
        MODES[row.mode],
        row.metric,
        _number(row.expected),
        "" if row.band is None else f"± {row.band:g}",
        _number(row.measured, 2),
        _number(row.difference, 2, sign=True),
        row.status,
        row.reason if row.origin is None else str(row.origin),
    )


def summary(rows: Sequence[Row]) -> str:
    """How many rows have which status."""
    counts = {status: sum(row.status == status for row in rows) for status in
              dict.fromkeys(row.status for row in rows)}  # fmt: skip
    return ", ".join(f"{count} {status}" for status, count in counts.items())


def to_markdown(rows: Sequence[Row]) -> str:
    """A table in GitHub's Markdown."""
    lines = [" | ".join(HEADINGS), " | ".join("---" for _ in HEADINGS)]
    for row in rows:
        # A line break ends a row, as a bare stroke ends a cell.
        texts = [" ".join(text.split()).replace("|", "\\|") for text in cells(row)]
        texts[7] = MARKS[row.colour] + texts[7]
        lines.append(" | ".join(texts))
    return "".join(f"| {line} |\n" for line in lines)


def to_json(rows: Sequence[Row], commit: str | None) -> str:
    """Every row with all that is known of it; `commit` is that of the program which says so."""
    content = {"commit": commit, "rows": [row.as_dict() for row in rows]}
    return json.dumps(content, indent=1, allow_nan=False) + "\n"


def to_html(rows: Sequence[Row], commit: str | None) -> str:
    """One file without scripts, fonts or images from elsewhere."""
    head = "".join(f"<th>{html.escape(heading)}</th>" for heading in HEADINGS)
    body = "\n".join(
        f'<tr class="{row.colour}">'
        + "".join(f"<td>{html.escape(text)}</td>" for text in cells(row))
        + "</tr>"
        for row in rows
    )
    return (
        '<!doctype html>\n<html lang="en">\n<head>\n<meta charset="utf-8">\n'
        f"<title>Expected and measured</title>\n<style>{_STYLE}</style>\n</head>\n<body>\n"
        f"<h1>Expected and measured</h1>\n<p>{html.escape(summary(rows))}."
        f" Figures in percent; made at commit {html.escape(commit or 'unknown')}.</p>\n"
        f"<table>\n<tr>{head}</tr>\n{body}\n</table>\n</body>\n</html>\n"
    )


def _number(value: float | None, digits: int = 1, sign: bool = False) -> str:
    if value is None:
        return ""
    return f"{value:+.{digits}f}" if sign else f"{value:.{digits}f}"
