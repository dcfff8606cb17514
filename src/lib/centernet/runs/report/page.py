"""The frame of a page: one HTML file without scripts, fonts or files from elsewhere."""

from __future__ import annotations

import html
from collections.abc import Iterable, Sequence
from typing import NamedTuple

STYLE = """
:root { color-scheme: light dark; --line: #8884; --soft: #8881; --good: #2f9e6e; --bad: #c94f4f; }
body { font: 1rem/1.5 system-ui, sans-serif; margin: 0 auto; max-width: 72rem; padding: 0 1rem 4rem;
       color: #1a1a1a; background: #fff; overflow-wrap: anywhere; }
@media (prefers-color-scheme: dark) { body { color: #e6e6e6; background: #14171a; }
  a { color: #7ab7f0; } }
h1 { font-size: 1.6rem; margin: 1.5rem 0 .25rem; } h2 { font-size: 1.2rem; margin: 2.5rem 0 .5rem; }
nav ul { display: flex; flex-wrap: wrap; gap: .25rem 1rem; list-style: none; padding: 0; }
a.skip { position: absolute; left: -99rem; } a.skip:focus { left: 1rem; }
.scroll { overflow-x: auto; } table { border-collapse: collapse; font-size: .9rem; }
th, td { border-bottom: 1px solid var(--line); padding: .2rem .6rem; text-align: right; }
th:first-child, td:first-child { text-align: left; overflow-wrap: normal; }
.grid { display: grid; grid-template-columns: repeat(auto-fill, minmax(min(100%, 24rem), 1fr));
        gap: 1rem; }
figure { margin: 0; padding: .75rem; border: 1px solid var(--line); border-radius: .5rem;
         min-width: 0; }
figure svg, figure img { width: 100%; height: auto; display: block; }
figcaption { font-size: .9rem; padding-top: .5rem; } summary { cursor: pointer; }
pre { overflow-x: auto; background: var(--soft); padding: .75rem; font-size: .8rem; }
"""


class Section(NamedTuple):
    """A part of a page; `body` is HTML."""

    title: str
    body: str


def page(title: str, lead: str, sections: Iterable[Section]) -> str:
    """A whole document with a list of its sections; `lead` is HTML below the title."""
    shown = [section for section in sections if section.body]
    links = "".join(f'<li><a href="#{_anchor(s.title)}">{escape(s.title)}</a></li>' for s in shown)
    body = "\n".join(
        f'<section aria-labelledby="{_anchor(s.title)}">\n'
        f'<h2 id="{_anchor(s.title)}">{escape(s.title)}</h2>\n{s.body}\n</section>'
        for s in shown
    )
    return (
        '<!doctype html>\n<html lang="en">\n<head>\n<meta charset="utf-8">\n'
        '<meta name="viewport" content="width=device-width, initial-scale=1">\n'
        '<link rel="icon" href="data:,">\n'
        f"<title>{escape(title)}</title>\n<style>{STYLE}</style>\n</head>\n<body>\n"
        '<a class="skip" href="#main">To the content</a>\n'
        f"<header><h1>{escape(title)}</h1>\n{lead}\n"
        f'<nav aria-label="Sections"><ul>{links}</ul></nav></header>\n'
        f'<main id="main">\n{body}\n</main>\n</body>\n</html>\n'
    )


def table(headings: Sequence[str], rows: Iterable[Sequence[object]], caption: str = "") -> str:
    """A table whose first column names its rows; "" without rows."""
    lines = [list(row) for row in rows]
    if not lines:
        return ""
    head = "".join(f'<th scope="col">{escape(text)}</th>' for text in headings)
    body = "\n".join(
        f'<tr><th scope="row">{escape(row[0])}</th>'
        + "".join(f"<td>{escape(text)}</td>" for text in row[1:])
        + "</tr>"
        for row in lines
    )
    title = f"<caption>{escape(caption)}</caption>" if caption else ""
    return (
        f'<div class="scroll" tabindex="0"><table>{title}<thead><tr>{head}</tr></thead>\n'
        f"<tbody>\n{body}\n</tbody></table></div>"
    )


def figure(drawing: str, caption: str) -> str:
    """A drawing (an SVG or img element) with words for those who do not see it."""
    label = escape(caption)
    if drawing.startswith("<svg"):
        drawing = drawing.replace("<svg", f'<svg role="img" aria-label="{label}"', 1)
    return f"<figure>{drawing}<figcaption>{label}</figcaption></figure>"


def grid(figures: Iterable[str]) -> str:
    """Figures beside each other where there is room; "" for none."""
    inner = "\n".join(filter(None, figures))
    return f'<div class="grid">\n{inner}\n</div>' if inner else ""


def details(title: str, body: str) -> str:
    """Something that is folded until it is asked for."""
    return f"<details><summary>{escape(title)}</summary>\n{body}\n</details>"


def escape(value: object) -> str:
    """Text for HTML, also within quotes."""
    return html.escape(str(value))


def _anchor(title: str) -> str:
    return "".join(c if c.isalnum() else "-" for c in title.lower())
