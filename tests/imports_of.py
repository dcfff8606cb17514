"""The imports of the package, read from its sources."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Literal

PACKAGE = "centernet"
SOURCES = Path(__file__).parents[1] / "src" / "lib"
ADDRESS = re.compile(rf"{PACKAGE}(\.\w+)+(:\w+)?")  # as registries keep them

Kind = Literal["start", "later", "address", "types"]


@dataclass(frozen=True)
class Import:
    """That `source` imports `target` (both modules): when it starts, in a function, or for types.

    "address" is a text that names a module of the package, to be imported when it is asked for.
    """

    source: str
    target: str
    line: int
    kind: Kind
    names: tuple[str, ...] = ()

    def __str__(self) -> str:
        path = SOURCES / self.source.replace(".", "/")
        file = path / "__init__.py" if path.is_dir() else path.with_suffix(".py")
        return f"{file.relative_to(SOURCES.parents[1])}:{self.line} imports {self.target}"


def module_name(path: Path) -> str:
    """The module that a file is."""
    parts = path.relative_to(SOURCES).with_suffix("").parts
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


def modules() -> dict[str, Path]:
    """Every module of the package and its file."""
    return {module_name(path): path for path in sorted((SOURCES / PACKAGE).rglob("*.py"))}


@cache
def imports() -> tuple[Import, ...]:
    """Every import of one module of the package by another."""
    known = modules()
    found: list[Import] = []
    for name, path in known.items():
        tree = ast.parse(path.read_text(encoding="utf-8"))
        found += [each for each in _inside(tree, name, known, "start") if each.target != name]
    return tuple(found)


def _inside(node: ast.AST, source: str, known: dict[str, Path], kind: Kind) -> Iterator[Import]:
    for child in ast.iter_child_nodes(node):
        if isinstance(child, ast.If) and ast.unparse(child.test).endswith("TYPE_CHECKING"):
            for each in child.body:
                yield from _of(each, source, known, "types")
        else:
            later = isinstance(child, ast.FunctionDef | ast.AsyncFunctionDef | ast.Lambda)
            deeper: Kind = "later" if later and kind == "start" else kind
            yield from _of(child, source, known, deeper)
            yield from _inside(child, source, known, deeper)


def _of(node: ast.AST, source: str, known: dict[str, Path], kind: Kind) -> Iterator[Import]:
    if isinstance(node, ast.Import):
        for alias in node.names:
            if alias.name in known:
                yield Import(source, alias.name, node.lineno, kind)
    elif isinstance(node, ast.ImportFrom) and node.module in known:
        names = [alias.name for alias in node.names]
        parts = [f"{node.module}.{name}" for name in names]
        for part in parts:
            if part in known:
                yield Import(source, part, node.lineno, kind)
        rest = tuple(n for n, part in zip(names, parts, strict=True) if part not in known)
        if rest:
            yield Import(source, str(node.module), node.lineno, kind, rest)
    elif isinstance(node, ast.Constant) and ADDRESS.fullmatch(str(node.value)):
        name = str(node.value).partition(":")[0]
        if name in known:
            yield Import(source, name, node.lineno, "address")


def folder(module: str) -> str:
    """The folder of the package that a module lies in; "" for the root."""
    parts = module.split(".")
    inside = len(parts) > 2 or (SOURCES / PACKAGE / parts[-1]).is_dir()
    return parts[1] if len(parts) > 1 and inside else ""


def longest_chain() -> list[str]:
    """The most modules of which each imports the next when it starts; ValueError for a circle."""
    following: dict[str, set[str]] = {name: set() for name in modules()}
    for each in imports():
        if each.kind == "start":
            following[each.source].add(each.target)
    chains: dict[str, list[str]] = {}

    def chain(name: str, above: tuple[str, ...]) -> list[str]:
        if name in above:
            raise ValueError(" > ".join([*above[above.index(name) :], name]))
        if name not in chains:
            below = [chain(target, (*above, name)) for target in sorted(following[name])]
            chains[name] = [name, *max(below, key=len, default=[])]
        return chains[name]

    return max((chain(name, ()) for name in following), key=len)
